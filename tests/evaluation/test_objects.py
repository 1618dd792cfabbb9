"""Drawn lesions and wall defects, found or invented as their thresholds say."""

import numpy as np
import pytest

from vertseg.evaluation.objects import RULES, THRESHOLDS, Objects, detect
from vertseg.labels import level_number
from vertseg.volume import Grid

GRID = Grid((40, 40, 40), np.eye(4))
WALL, LYTIC = RULES["posterior_wall_defect"], RULES["lytic_lesion"]
NO_LEVEL = np.zeros(GRID.shape, dtype=np.uint8)


def plate(x: int, y: int, z: int, area_mm2: int) -> np.ndarray:
    """A piece of shell 2 mm thick whose area is a square's."""
    mask = np.zeros(GRID.shape, dtype=bool)
    side = round(area_mm2**0.5)
    mask[x : x + side, y : y + 2, z : z + side] = True
    return mask


def ball(x: int, radius: float = 5.0) -> np.ndarray:
    i, j, k = np.indices(GRID.shape)
    return np.asarray((i - x) ** 2 + (j - 20) ** 2 + (k - 20) ** 2 <= radius**2)


def counts(found: Objects, threshold: float) -> tuple[int, int, int]:
    """True objects, those found, and false ones at a threshold."""
    hits = sum(t.found_at >= threshold for t in found.truths)
    return len(found.truths), hits, found.false[THRESHOLDS.index(threshold)]


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        (plate(5, 5, 5, 25), plate(5, 5, 5, 25), (1, 1, 0)),
        (plate(5, 9, 5, 25), plate(5, 5, 5, 25), (1, 1, 0)),
        (plate(5, 14, 5, 25), plate(5, 5, 5, 25), (1, 0, 1)),
        (plate(5, 5, 5, 4), plate(5, 5, 5, 25), (1, 0, 0)),
        (plate(5, 5, 5, 25), plate(5, 5, 5, 4), (0, 0, 0)),
        (plate(5, 5, 5, 25) | plate(25, 5, 25, 36), plate(5, 5, 5, 25), (1, 1, 1)),
        (plate(5, 5, 5, 0), plate(5, 5, 5, 25) | plate(25, 5, 25, 16), (2, 0, 0)),
    ],
    ids=["same", "3 mm off", "8 mm off", "too small", "truth too small", "one false", "none"],
)
def test_wall_defects_are_counted_by_piece(
    predicted: np.ndarray, truth: np.ndarray, expected: tuple[int, int, int]
) -> None:
    found = detect(predicted.astype(np.float32), truth, NO_LEVEL, GRID, WALL, 0.8)
    assert counts(found, 0.8) == expected


def test_areas_are_compared_at_the_findings_own_threshold() -> None:
    probability = 0.95 * plate(5, 5, 5, 36) + 0.3 * (plate(4, 5, 4, 64) & ~plate(5, 5, 5, 36))
    found = detect(probability, plate(5, 5, 5, 49), NO_LEVEL, GRID, WALL, 0.8)
    (only,) = found.truths
    assert only.size == pytest.approx(49) and only.predicted_size == pytest.approx(36)
    wide = detect(probability, plate(5, 5, 5, 49), NO_LEVEL, GRID, WALL, 0.2)
    assert wide.truths[0].predicted_size == pytest.approx(64)


def test_a_lesion_is_found_up_to_its_probability_and_false_ones_vanish_above_theirs() -> None:
    probability = 0.62 * ball(10) + 0.42 * ball(30, 4.0)
    level = np.full(GRID.shape, level_number("L2"), dtype=np.uint8)
    found = detect(probability, ball(10), level, GRID, LYTIC, 0.7)
    (only,) = found.truths
    assert only.found_at == 0.6 and only.level == level_number("L2") and only.predicted_size == 0
    assert only.size == pytest.approx(ball(10).sum() / 1000)
    assert [f for f, t in zip(found.false, THRESHOLDS, strict=True) if t < 0.42] == [1] * 8
    assert sum(found.false) == 8


def test_a_lesion_that_is_barely_touched_is_missed() -> None:
    predicted = ball(19, 5.0)
    share = (predicted & ball(10)).sum() / ball(10).sum()
    found = detect(predicted.astype(np.float32), ball(10), NO_LEVEL, GRID, LYTIC, 0.7)
    assert 0 < share < 0.1 and counts(found, 0.7) == (1, 0, 1)


def test_nothing_anywhere_is_nothing() -> None:
    nothing = np.zeros(GRID.shape)
    found = detect(nothing, nothing > 0, NO_LEVEL, GRID, LYTIC, 0.7)
    assert found.truths == () and set(found.false) == {0}
