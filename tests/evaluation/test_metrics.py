"""Overlap and matching on drawn masks."""

import numpy as np
import pytest

from vertseg.evaluation.matching import match_levels
from vertseg.evaluation.metrics import dice, mean
from vertseg.labels import SACRUM, level_number


def test_dice_of_half_an_overlap() -> None:
    a, b = np.zeros(30, bool), np.zeros(30, bool)
    a[:10], b[5:15] = True, True
    assert dice(a, b) == pytest.approx(0.5)
    assert dice(np.zeros(3), np.zeros(3)) is None
    assert dice(np.zeros(3), np.ones(3)) == 0
    assert mean([None, 1.0, 0.0]) == 0.5 and mean([None]) is None


def test_matching_names_finds_shifts_and_inventions() -> None:
    l1, l2, l3, t12 = (level_number(n) for n in ("L1", "L2", "L3", "T12"))
    truth = np.zeros((4, 4, 40), dtype=np.uint8)
    truth[..., 0:5], truth[..., 10:15], truth[..., 20:25] = l3, l2, l1
    predicted = np.zeros_like(truth)
    predicted[..., 0:5], predicted[..., 10:15], predicted[..., 30:35] = l3, l1, t12
    predicted[..., 36:39] = SACRUM
    match = match_levels(predicted, truth, [l1, l2, l3])
    assert match.predicted == {l1: None, l2: l1, l3: l3}
    assert match.invented == (t12,)
    assert match.right == 1 and match.accuracy == pytest.approx(1 / 3)
