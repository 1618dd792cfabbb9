"""Overlap and detection figures of masks."""

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.volume import Grid

WALL_SHELL_MM = 2.0
"""Thickness of the shell in which the posterior wall's defects are drawn."""

MIN_DEFECT_MM2 = 10.0
"""A piece of wall defect smaller than this is not counted, neither as true nor as false."""

NEAR_MM = 3.0
"""A predicted piece this near to a true one is the same."""


def dice(predicted: NDArray[np.generic], truth: NDArray[np.generic]) -> float | None:
    """Dice overlap of two masks (X, Y, Z), 0 to 1; None where both are empty."""
    p, t = np.asarray(predicted, dtype=bool), np.asarray(truth, dtype=bool)
    total = int(np.count_nonzero(p)) + int(np.count_nonzero(t))
    return 2.0 * int(np.count_nonzero(p & t)) / total if total else None


def mean(values: list[float | None]) -> float | None:
    """Mean of those that are known; None where none is."""
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


@dataclass(frozen=True)
class Detection:
    """Pieces counted: true ones, those of them that were found, and false ones."""

    truths: int
    found: int
    false: int


def detect_defects(predicted: NDArray[np.generic], truth: NDArray[np.generic], grid: Grid) -> Detection:
    """Wall defects found and invented, by 26-connected pieces.

    The area of a piece is its volume over the shell's thickness of 2 mm. A true piece of at least 10 mm2 is
    found when a predicted piece of at least 10 mm2 overlaps it or comes within 3 mm of it. A predicted piece
    of at least 10 mm2 is false when no true defect, of whatever size, lies within 3 mm.

    Args:
        predicted: mask (X, Y, Z).
        truth: mask (X, Y, Z).
        grid: where both lie.
    """
    predicted_pieces = _pieces(predicted, grid)
    true_pieces = _pieces(truth, grid)
    near_predicted = _near(np.isin(predicted_pieces[0], predicted_pieces[1]), grid)
    near_truth = _near(np.asarray(truth, dtype=bool), grid)
    found = sum(bool(near_predicted[true_pieces[0] == i].any()) for i in true_pieces[1])
    false = sum(not near_truth[predicted_pieces[0] == i].any() for i in predicted_pieces[1])
    return Detection(len(true_pieces[1]), found, false)


def _pieces(mask: NDArray[np.generic], grid: Grid) -> tuple[NDArray[np.integer], list[int]]:
    """Pieces numbered from 1, and the numbers of those that are large enough to count."""
    pieces, n = cc3d.connected_components(np.asarray(mask, dtype=bool), connectivity=26, return_N=True)
    areas = np.bincount(pieces.ravel(), minlength=n + 1) * grid.voxel_volume_mm3 / WALL_SHELL_MM
    return pieces, [i for i in range(1, n + 1) if areas[i] >= MIN_DEFECT_MM2]


def _near(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Voxels within `NEAR_MM` of a mask."""
    if not mask.any():
        return np.zeros(mask.shape, dtype=bool)
    distance = ndimage.distance_transform_edt(~mask, sampling=grid.spacing_mm)
    return np.asarray(distance <= NEAR_MM)
