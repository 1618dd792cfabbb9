"""The ceiling's estimators against distributions whose AUROC is known."""

import numpy as np
import pytest

from vertseg.errors import InputError
from vertseg.evaluation.leak_ceiling import auroc, ceiling, mixture_auroc, outcomes_at
from vertseg.phantom.leak_draws import LeakDraws


def test_a_predictor_of_uniform_probabilities_reaches_five_sixths() -> None:
    """With p uniform, P(p_i > p_j | i leaks, j not) = 4 * integral of p (p - p^2 / 2) = 5 / 6."""
    p = (np.arange(2000) + 0.5) / 2000
    assert mixture_auroc(p, np.full(2000, 1 / 2000)) == pytest.approx(5 / 6, abs=1e-4)


def test_repeats_tell_the_ceiling_between_the_two_biased_ways() -> None:
    """Eight repeats of uniform probabilities give 5 / 6, held-out less, plugged in more."""
    rng = np.random.default_rng(3)
    p = rng.random(4000)
    found = ceiling(rng.random((4000, 8)) < p[:, None])
    assert found.auroc == pytest.approx(5 / 6, abs=0.012)
    assert found.held_out < found.auroc < found.plug_in
    assert found.plug_in - 5 / 6 > 0.015
    assert found.prevalence == pytest.approx(0.5, abs=0.02)


def test_nothing_can_be_foretold_where_all_are_alike() -> None:
    """One probability for all vertebrae: the ceiling is near a half, however the repeats fall."""
    leaked = np.random.default_rng(4).random((4000, 8)) < 0.3
    found = ceiling(leaked)
    assert found.auroc < 0.58
    assert found.held_out == pytest.approx(0.5, abs=0.02)


def test_certain_outcomes_can_be_foretold() -> None:
    """Repeats that all agree leave nothing open."""
    leaked = np.repeat([[0.0], [1.0], [1.0], [0.0]], 5, axis=1)
    assert ceiling(leaked).auroc == pytest.approx(1.0)


@pytest.mark.parametrize("leaked", [np.zeros((5, 1)), np.ones((5, 4))])
def test_refuses_repeats_that_tell_nothing(leaked: np.ndarray) -> None:
    """A single repeat, or one outcome throughout."""
    with pytest.raises(InputError):
        ceiling(leaked)


def test_auroc_counts_pairs() -> None:
    """Three of four pairs in order; a tie counts half."""
    assert auroc([0.1, 0.4, 0.3, 0.8], [0, 0, 1, 1]) == pytest.approx(0.75)
    assert auroc([1.0, 1.0], [0, 1]) == pytest.approx(0.5)
    assert np.isnan(auroc([1.0, 2.0], [1, 1]))


def test_outcomes_follow_the_volume() -> None:
    """A route leaks from its onset on, and any with the first of them."""
    onset = np.array([[2.0, 5.0, np.inf, np.inf], [np.inf] * 4], np.float32)
    draws = LeakDraws(np.zeros((2, 2), np.float32), onset)
    small, large = (
        outcomes_at([draws, draws], [1.0, 5.0])[:, 0],
        outcomes_at([draws, draws], [1.0, 5.0])[:, 1],
    )
    assert small.sum() == 0
    assert large.tolist() == [[1, 0], [1, 0], [0, 0], [0, 0], [1, 0]]
