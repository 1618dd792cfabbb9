"""Estimators against worked examples from the literature and R."""

import numpy as np
import pytest

from vertseg.cement.validation.statistics import (
    by_patient,
    fit_logistic,
    odds_ratio,
    rate,
    risk_ratio,
)
from vertseg.errors import ConfigError


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_matches_newcombe_table_1(events, n, low, high):
    found = rate(events, n)
    assert found.value == pytest.approx(events / n)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_odds_ratio_of_hay_fever_and_eczema_as_in_bland_and_altman_2000():
    found = odds_ratio((141, 141 + 420), (928, 928 + 13525))
    assert found.value == pytest.approx(4.89, abs=5e-3)
    assert (found.low, found.high) == (pytest.approx(4.00, abs=0.01), pytest.approx(5.99, abs=0.01))


def test_odds_ratio_with_an_empty_cell_is_finite_by_the_half_correction():
    found = odds_ratio((54, 179), (0, 55))
    assert found.value == pytest.approx(54.5 * 55.5 / (125.5 * 0.5))
    assert found.low > 1


def test_risk_ratio_of_the_physicians_health_study():
    found = risk_ratio((189, 11034), (104, 11037))
    assert found.value == pytest.approx(1.82, abs=5e-3)
    assert (found.low, found.high) == (pytest.approx(1.43, abs=5e-3), pytest.approx(2.31, abs=5e-3))


def test_ratios_are_undefined_without_one_of_the_groups():
    assert np.isnan(odds_ratio((0, 0), (3, 10)).value)
    assert np.isnan(risk_ratio((2, 5), (0, 0)).value)


def test_logistic_regression_of_the_o_ring_data():
    temperature = [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]
    distress = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    fit = fit_logistic(np.array(temperature, dtype=float)[:, None], np.array(distress, dtype=bool))
    assert fit.coefficients == pytest.approx([15.0429, -0.2322], abs=1e-4)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([7.379, 0.108], abs=1e-3)


def test_logistic_regression_on_one_factor_is_the_two_by_two_table():
    factor = np.repeat([1.0, 1.0, 0.0, 0.0], [30, 20, 12, 38])
    event = np.repeat([True, False, True, False], [30, 20, 12, 38])
    table = odds_ratio((30, 50), (12, 50))
    found = fit_logistic(factor[:, None], event).odds_ratio(1)
    assert (found.value, found.low, found.high) == pytest.approx(
        (table.value, table.low, table.high), rel=1e-6
    )


def test_a_separated_outcome_is_told_and_not_fitted():
    with pytest.raises(ConfigError, match="separated"):
        fit_logistic(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([False, False, True, True]))


def means_of(outcome):
    return lambda index: np.array([outcome[index].mean(), np.nan])


def test_bootstrap_by_patient_is_wider_than_by_vertebra_when_patients_are_alike():
    outcome = np.repeat(np.random.default_rng(3).random(60) < 0.4, 5)
    low, high = by_patient(np.repeat(np.arange(60), 5), means_of(outcome), seed=1)
    single_low, single_high = by_patient(range(300), means_of(outcome), seed=1)
    assert low[0] < outcome.mean() < high[0]
    # Five alike vertebrae count as one: the interval widens by the square root of five.
    assert (high[0] - low[0]) / (single_high[0] - single_low[0]) == pytest.approx(5**0.5, rel=0.15)


def test_bootstrap_is_the_same_for_the_same_seed_and_undefined_values_stay_so():
    outcome = np.arange(40) % 3 == 0
    first, second = (np.array(by_patient(range(40), means_of(outcome), 7, repeats=50)) for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)
    assert np.isnan(first[:, 1]).all() and np.isfinite(first[:, 0]).all()
