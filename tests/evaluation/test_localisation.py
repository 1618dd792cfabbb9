"""Identification by hand."""

import numpy as np
import pytest

from vertseg.evaluation.localisation import locate
from vertseg.labels import level_number

T12, L1, L2 = (level_number(n) for n in ("T12", "L1", "L2"))
TRUE_MM = [[0, 0, 60], [0, 0, 30], [0, 0, 0]]


def test_centres_near_their_namesakes_are_identified() -> None:
    found = locate(
        [T12, L1, L2],
        TRUE_MM,
        {n: np.array(c) + [3, 4, 0] for n, c in zip((T12, L1, L2), TRUE_MM, strict=True)},
    )
    assert all(v.identified and v.error_mm == pytest.approx(5) for v in found.values())


def test_names_shifted_by_one_are_not() -> None:
    found = locate([T12, L1, L2], TRUE_MM, {L1: np.array(TRUE_MM[0]), L2: np.array(TRUE_MM[1])})
    assert not any(v.identified for v in found.values())
    assert found[T12].error_mm is None and found[T12].nearest == L1
    assert found[L1].error_mm == pytest.approx(30) and found[L1].nearest == L2
    assert found[L2].nearest is None


def test_more_than_20_mm_away_is_not_identified() -> None:
    near, far = (locate([L1], [[0, 0, 0]], {L1: np.array([0, 0, d])})[L1] for d in (19.9, 20.1))
    assert near.identified and not far.identified and far.error_mm == pytest.approx(20.1)


def test_another_prediction_nearer_by_takes_the_name_away() -> None:
    found = locate([L1], [[0, 0, 0]], {L1: np.array([0, 0, 12]), L2: np.array([0, 0, -8])})
    assert not found[L1].identified and found[L1].nearest == L2 and found[L1].error_mm == pytest.approx(12)


def test_no_prediction_at_all() -> None:
    assert locate([L1], [[0, 0, 0]], {})[L1].error_mm is None
