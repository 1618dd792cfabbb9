"""Variation of sizes between patients and along a column against published coefficients."""

import numpy as np
import pytest

from vertseg.labels import LUMBAR, THORACIC
from vertseg.phantom.patient.variation import Patient, draw_column_sizes, draw_patient, typical_sizes

LEVELS = (*THORACIC, *LUMBAR[:5])
L5 = len(LEVELS) - 1


def cohort(patient: Patient | None, n: int = 200) -> list[list[dict[str, float]]]:
    columns = []
    for seed in range(n):
        rng = np.random.default_rng([seed, 77])
        columns.append(draw_column_sizes(LEVELS, patient or draw_patient(rng), rng))
    return columns


def test_spread_at_l5_is_near_that_of_living_adults() -> None:
    """SD over mean on CT: body depth 0.10, posterior height 0.07, pedicle width 0.14, canal depth 0.13."""
    columns = cohort(None)
    for key, published in (("depth", 0.10), ("height", 0.07), ("pedicle_width", 0.14), ("canal_depth", 0.13)):
        values = np.array([c[L5][key] for c in columns])
        assert values.std() / values.mean() == pytest.approx(published, abs=0.035)


def test_men_are_larger_by_the_published_ratios() -> None:
    men, women = (cohort(Patient(male, 50.0, 1.0, 0.0)) for male in (True, False))
    for key, ratio in (("depth", 37.1 / 33.3), ("height", 26.8 / 25.5), ("pedicle_width", 16.6 / 15.1)):
        means = [np.mean([c[L5][key] for c in columns]) for columns in (men, women)]
        assert means[0] / means[1] == pytest.approx(ratio, abs=0.03)


def test_neighbouring_levels_go_together_more_than_distant_ones() -> None:
    columns = cohort(None)
    z = np.array([[s["width"] for s in c] for c in columns])
    near, far = np.corrcoef(z[:, 8], z[:, 9])[0, 1], np.corrcoef(z[:, 0], z[:, 16])[0, 1]
    assert near > far > 0.5
    assert near > 0.95


def test_joints_and_discs_wear_with_age() -> None:
    young, old = (cohort(Patient(False, age, 1.0, 0.0), 80) for age in (25.0, 80.0))
    for key, more in (
        ("degeneration", True),
        ("facet_arthrosis", True),
        ("osteophyte", True),
        ("facet_gap", False),
    ):
        means = [np.mean([s[key] for c in columns for s in c]) for columns in (young, old)]
        assert bool(means[1] > means[0]) is more
    worn = np.mean([any(s["facet_arthrosis"] > 0 for s in c) for c in old])
    assert worn > 0.7


def test_cortex_and_gap_stay_within_what_was_measured() -> None:
    for column in cohort(None, 50):
        for s in column:
            assert 0.2 <= s["cortex"] <= 0.65
            assert 0.2 < s["endplate_cortex"] < 0.9
            assert 0.5 < s["facet_gap"] < 2.3


def test_typical_vertebra_has_no_wear_and_a_neighbour_below() -> None:
    s = typical_sizes(LUMBAR[1])
    assert s["osteophyte"] == s["degeneration"] == 0.0
    assert s["below_up"] < -0.25 * s["height"]
