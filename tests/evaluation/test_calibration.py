"""Calibration error, scaling and risk-coverage against numbers known beforehand."""

import numpy as np
import pytest

from vertseg.errors import InputError
from vertseg.evaluation.abstention import risk_coverage
from vertseg.evaluation.calibration import calibration_error, fit_dependence, fit_scaling, reliability
from vertseg.inference.leak_risk import any_probability, sigmoid


def test_error_of_two_bins_by_hand() -> None:
    """Ten at 0.25 with four leaks (off by 0.15), ten at 0.85 with seven (off by 0.15)."""
    p = np.r_[np.full(10, 0.25), np.full(10, 0.85)]
    y = np.r_[[1] * 4, [0] * 6, [1] * 7, [0] * 3]
    assert calibration_error(p, y) == pytest.approx(0.15, abs=1e-6)
    curve = reliability(p, y)
    assert curve.observed.tolist() == pytest.approx([0.4, 0.7])
    assert curve.count.tolist() == [10, 10]


def test_scaling_undoes_what_was_done() -> None:
    """Logits three times too steep and shifted by 1 come back, and with them the calibration."""
    rng = np.random.default_rng(2)
    true = rng.normal(0, 1.5, 20000)
    y = rng.random(20000) < sigmoid(true)
    slope, shift = fit_scaling(3 * true + 1, y)
    assert slope == pytest.approx(1 / 3, abs=0.02)
    assert shift == pytest.approx(-1 / 3, abs=0.05)
    assert calibration_error(sigmoid(slope * (3 * true + 1) + shift), y) < 0.015
    assert calibration_error(sigmoid(3 * true + 1), y) > 0.05


@pytest.mark.parametrize("dependence", [0.0, 0.6, 1.0])
def test_dependence_is_found(dependence: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(-0.5, 1, (20000, 4))
    y = rng.random(20000) < any_probability(logits, dependence)
    assert fit_dependence(logits, y) == pytest.approx(dependence, abs=0.06)


def test_leaving_out_the_unsure_lowers_the_error() -> None:
    """Four cases: the two surest are right, the third wrong, the last right."""
    curve = risk_coverage([0.9, 0.6, 0.8, 0.7], [0, 0, 0, 1])
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert curve.least_confidence(0.5) == pytest.approx(0.8)
    assert curve.risk_at(0.75) == pytest.approx(1 / 3)


def test_ties_in_confidence_share_their_error() -> None:
    """Which of equals comes first must not matter."""
    there, back = risk_coverage([0.7, 0.7], [0, 1]), risk_coverage([0.7, 0.7], [1, 0])
    assert there.risk.tolist() == back.risk.tolist() == [0.5, 0.5]


def test_refuses_what_is_no_probability() -> None:
    with pytest.raises(InputError):
        calibration_error([1.2], [1])
    with pytest.raises(InputError):
        calibration_error([0.2, 0.3], [1])
    with pytest.raises(InputError):
        risk_coverage([], [])
