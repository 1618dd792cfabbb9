"""Intervals that cover as often as they say, by patient."""

import numpy as np
import pytest

from vertseg.evaluation.bootstrap import Resampling, weighted_median


def test_the_interval_of_a_mean_covers_the_truth(rng: np.random.Generator) -> None:
    covered = 0
    for trial in range(300):
        values = rng.normal(5.0, 2.0, 40)
        found = Resampling.of([str(i) for i in range(40)], trial, 400).mean(
            values, [str(i) for i in range(40)]
        )
        assert found.value == pytest.approx(values.mean())
        covered += found.low <= 5.0 <= found.high
    # 95 % less what the percentile bootstrap loses on 40 items; three standard errors of 300 trials are 4 %.
    assert 0.89 <= covered / 300 <= 0.99


def test_scans_of_one_patient_are_drawn_together(rng: np.random.Generator) -> None:
    patients = [f"p{i // 10}" for i in range(200)]
    values = np.repeat(rng.normal(0, 1, 20), 10) + rng.normal(0, 0.01, 200)
    by_patient = Resampling.of(patients).mean(values, patients)
    names = [str(i) for i in range(200)]
    by_scan = Resampling.of(names).mean(values, names)
    assert by_patient.patients == 20 and by_patient.n == 200
    assert by_patient.high - by_patient.low > 2.5 * (by_scan.high - by_scan.low)


def test_a_share_is_that_of_all_objects_and_not_a_mean_of_shares() -> None:
    found = Resampling.of(["a", "b"]).ratio([1, 9], [2, 10], ["a", "b"])
    assert found.value == pytest.approx(10 / 12)
    assert found.low == pytest.approx(0.5) and found.high == pytest.approx(0.9)


def test_weighted_medians_are_those_of_repeated_values(rng: np.random.Generator) -> None:
    values = np.sort(rng.normal(size=15))
    weights = rng.integers(0, 4, (50, 15)).astype(float)
    expected = [np.median(np.repeat(values, w.astype(int))) for w in weights]
    np.testing.assert_allclose(weighted_median(values, weights), expected)
    assert np.isnan(weighted_median(values, np.zeros((1, 15)))).all()


def test_one_patient_has_no_interval_and_none_has_no_figure() -> None:
    resampling = Resampling.of(["a", "a"])
    one = resampling.mean([1.0, 3.0], ["a", "a"])
    assert (one.value, one.low, one.high, one.patients) == (2.0, None, None, 1)
    assert resampling.mean([], []).value is None and resampling.median([], []).value is None


def test_the_same_seed_gives_the_same_interval(rng: np.random.Generator) -> None:
    names, values = [str(i) for i in range(30)], rng.random(30)
    first, again, other = (Resampling.of(names, seed).median(values, names) for seed in (3, 3, 4))
    assert first == again and first != other
