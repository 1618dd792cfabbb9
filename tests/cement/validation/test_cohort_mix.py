"""The cohort's mix against the shares that it cites, and its determinism."""

from collections import Counter

import numpy as np
import pytest

from vertseg.cement.validation.cohort_mix import ENDPLATE_BREAK, VISCOSITY, draw_cohort
from vertseg.labels import LEVEL_NUMBERS


@pytest.fixture(scope="module")
def cohort():
    return draw_cohort(3000, seed=4)


def test_a_longer_cohort_begins_with_the_shorter_one(cohort):
    assert draw_cohort(70, seed=4) == cohort[:70]
    assert draw_cohort(70, seed=5) != cohort[:70]


def test_fractures_peak_at_the_thoracolumbar_junction(cohort):
    levels = Counter(v.level for v in cohort if v.population == "osteoporotic")
    assert {n for n, _ in levels.most_common(2)} == {LEVEL_NUMBERS["T12"], LEVEL_NUMBERS["L1"]}
    assert levels[LEVEL_NUMBERS["T8"]] > levels[LEVEL_NUMBERS["T5"]]


def test_treated_levels_of_a_patient_differ_and_are_as_many_as_in_the_series(cohort):
    for population, per_patient in (("osteoporotic", 1.5), ("metastatic", 2.1)):
        levels = [(v.patient, v.level) for v in cohort if v.population == population]
        assert len(set(levels)) == len(levels)
        assert len(levels) / len({p for p, _ in levels}) == pytest.approx(per_patient, abs=0.12)


def test_osteoporotic_density_height_loss_and_cleft_share_are_those_cited(cohort):
    bones = [v for v in cohort if v.population == "osteoporotic"]
    # Truncation lifts the mean of 72.8 a little.
    assert np.mean([v.trabecular_hu for v in bones]) == pytest.approx(74, abs=3)
    assert np.mean([v.height_loss for v in bones]) == pytest.approx(0.43, abs=0.02)
    assert 0.20 < np.mean([v.cleft for v in bones]) < 0.40
    assert np.mean([v.endplate_break != 0 for v in bones]) == pytest.approx(ENDPLATE_BREAK, abs=0.03)
    assert not any(v.lesion for v in bones)


def test_metastases_have_lesions_and_no_clefts(cohort):
    sick = [v for v in cohort if v.population == "metastatic"]
    assert all(v.lesion and not v.cleft for v in sick)
    assert Counter(v.lesion for v in sick).most_common(1)[0][0] == "lytic"


def test_volumes_average_what_vertos_ii_injected_and_two_pedicles_take_more(cohort):
    plans = [v.plan for v in cohort if v.population == "osteoporotic"]
    one = [p.volume_ml for p in plans if p.approach == "unipedicular"]
    two = [p.volume_ml for p in plans if p.approach == "bipedicular"]
    assert np.mean(one + two) == pytest.approx(4.3, abs=0.2)
    assert np.std(one + two) == pytest.approx(1.4, abs=0.15)
    # 1.55 ml at L1, less at smaller levels.
    assert 1.1 < np.mean(two) - np.mean(one) < 1.7


def test_viscosity_is_independent_of_volume_and_population(cohort):
    for population in ("osteoporotic", "metastatic"):
        plans = [v.plan for v in cohort if v.population == population]
        for name, share in VISCOSITY.items():
            assert np.mean([p.viscosity == name for p in plans]) == pytest.approx(share, abs=0.05)
    low, high = ([v.plan.volume_ml for v in cohort if v.plan.viscosity == k] for k in ("low", "high"))
    assert np.mean(low) == pytest.approx(np.mean(high), abs=0.25)
