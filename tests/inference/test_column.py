"""Costs of the steps down a column, and marginals against counting all paths."""

from itertools import pairwise, product

import numpy as np
import pytest

from vertseg.inference.column import _marginals, step_cost
from vertseg.labels import COCCYX, COLUMN_ORDER, SACRUM, T13, level_number

L6 = level_number("L6")
ORDINARY = [n for n in COLUMN_ORDER if n not in (T13, L6, COCCYX)]


def test_ordinary_neighbours_are_free_and_unusual_ones_cost() -> None:
    for upper, lower in pairwise(ORDINARY):
        assert step_cost(upper, lower, 1.0) == 0
    names = (("T11", "L1"), ("T12", "T13"), ("L5", "L6"), ("L4", "sacrum"))
    for upper, lower in ((level_number(a), level_number(b)) for a, b in names):
        assert 1 < step_cost(upper, lower, 1.0) < 4
    assert step_cost(T13, level_number("L1"), 1.0) == 0
    assert step_cost(L6, SACRUM, 1.0) == 0


def test_numbers_never_run_backward() -> None:
    for upper, lower in product(COLUMN_ORDER[:-1], repeat=2):
        if COLUMN_ORDER.index(lower) < COLUMN_ORDER.index(upper):
            assert step_cost(upper, lower, 1.0) == float("inf")


def test_a_gap_of_one_vertebra_makes_the_skip_cheaper_than_the_next_level() -> None:
    l1, l2, l3 = (level_number(n) for n in ("L1", "L2", "L3"))
    assert step_cost(l1, l3, 2.0) < step_cost(l1, l2, 2.0)
    assert step_cost(l1, l2, 1.0) < step_cost(l1, l3, 1.0)


def test_marginals_are_the_sums_over_all_paths() -> None:
    rng = np.random.default_rng(5)
    emission, start, end = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=4)
    steps = [rng.normal(size=(4, 4)) for _ in range(2)]
    expected = np.zeros((3, 4))
    for path in product(range(4), repeat=3):
        score = start[path[0]] + end[path[2]] + sum(emission[t, s] for t, s in enumerate(path))
        score += steps[0][path[0], path[1]] + steps[1][path[1], path[2]]
        for t, s in enumerate(path):
            expected[t, s] += np.exp(score)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(_marginals(emission, steps, start, end), expected, rtol=1e-9)
    assert expected.sum() == pytest.approx(3)
