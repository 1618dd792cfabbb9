"""Where the slices of a series lie: their order, one affine for all, and whether their distances are even.

Slices are ordered by the projection of ImagePositionPatient on the slice normal. With a tilted gantry the
table moves along another direction than that normal; the affine's third column follows the table, so the
grid is sheared and every voxel stays where it was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import InputError
from vertseg.io.series import Frame

_LPS_TO_RAS: Final = np.array([-1.0, -1.0, 1.0])
_SAME_DIRECTION: Final = 1e-3
_SAME_PLACE_MM: Final = 0.01
_UNEVEN: Final = 0.02
_MISSING: Final = 1.9


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order and the regular grid they make.

    Attributes:
        order: index of each slice among the frames given, along the normal.
        affine: 4x4, index (column, row, slice of the regular grid) to RAS mm.
        at: (slices of the regular grid,) fractional position among the ordered slices; whole numbers 0, 1, 2,
            ... when the distances are even.
        tilt_deg: angle between the slice normal and the direction in which the slices follow each other.
    """

    order: tuple[int, ...]
    affine: NDArray[np.float64]
    at: NDArray[np.float64]
    tilt_deg: float

    @property
    def is_even(self) -> bool:
        """Whether the slices themselves are the regular grid."""
        return len(self.at) == len(self.order) and bool((self.at == np.arange(len(self.order))).all())


def distances_mm(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Position of each slice along the common slice normal, in mm.

    Raises:
        InputError: the slices are not parallel, or their directions are no directions.
    """
    normal = _directions(frames)[2]
    return np.array([frame.position_mm @ normal for frame in frames])


def copies(frames: Sequence[Frame]) -> list[list[int]]:
    """Groups of slices (indices) that lie at one place, along the normal; a normal series has groups of one."""
    along = distances_mm(frames)
    groups: list[list[int]] = []
    for index in np.argsort(along, kind="stable").tolist():
        if groups and along[index] - along[groups[-1][0]] < _SAME_PLACE_MM:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def stack(frames: Sequence[Frame], name: str) -> Stack:
    """Order and affine of slices that all lie at different places.

    Uneven distances up to nearly twice the median are put on a regular grid by linear interpolation between
    neighbours (`Stack.at`); larger ones are taken for missing slices.

    Args:
        frames: at least two slices.
        name: of the series, for errors.

    Raises:
        InputError: slices of several sizes or directions, a shift that changes on the way (variable gantry
            tilt), or slices missing.
    """
    if len({(frame.shape, frame.spacing_mm) for frame in frames}) > 1:
        raise InputError(f"{name} mixes slices of several sizes or pixel spacings; export one series alone.")
    row, column, normal = _directions(frames)
    along = np.array([frame.position_mm @ normal for frame in frames])
    order = np.argsort(along, kind="stable")
    positions = np.array([frames[i].position_mm for i in order])
    along = along[order]
    if len(along) < 2 or along[-1] - along[0] < _SAME_PLACE_MM:
        raise InputError(f"{name} has all its slices at one place; a volume of several slices is needed.")
    step = (positions[-1] - positions[0]) / (along[-1] - along[0])
    spacing_rows, spacing_columns = frames[0].spacing_mm
    off = np.linalg.norm(positions - positions[0] - np.outer(along - along[0], step), axis=1)
    if off.max() > 0.05 + 0.1 * min(spacing_rows, spacing_columns):
        raise InputError(
            f"{name} has slices shifted against each other by up to {off.max():.1f} mm, not by a constant gantry "
            "tilt; export it as one volume without tilt, or as NIfTI."
        )
    at, slice_mm = _regular(along, name)
    affine = np.eye(4)
    affine[:3, 0] = _LPS_TO_RAS * row * spacing_columns
    affine[:3, 1] = _LPS_TO_RAS * column * spacing_rows
    affine[:3, 2] = _LPS_TO_RAS * step * slice_mm
    affine[:3, 3] = _LPS_TO_RAS * positions[0]
    cosine = 1.0 / float(np.linalg.norm(step))
    return Stack(tuple(order.tolist()), affine, at, float(np.degrees(np.arccos(min(1.0, cosine)))))


def _directions(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Rows: along a row, along a column, and the normal; LPS unit vectors common to all slices."""
    orientations = np.array([frame.orientation for frame in frames])
    first = orientations[0]
    where = f"The series with '{frames[0].path}'"
    if np.abs(orientations - first).max() > _SAME_DIRECTION:
        raise InputError(
            f"{where} has slices that are not parallel (the gantry tilt changes, or a scout is among them); "
            "export the parallel slices as a series of their own."
        )
    row, column = first / np.linalg.norm(first, axis=1, keepdims=True)
    if not np.isfinite(first).all() or abs(row @ column) > 1e-2:
        raise InputError(
            f"{where} has an ImageOrientationPatient that is no pair of right-angled directions."
        )
    return np.array([row, column, np.cross(row, column)])


def _regular(along: NDArray[np.float64], name: str) -> tuple[NDArray[np.float64], float]:
    """Positions of a regular grid among the slices, and its distance in mm along the normal."""
    n = len(along)
    extent = float(along[-1] - along[0])
    even = extent / (n - 1)
    if np.abs(along - along[0] - even * np.arange(n)).max() <= _UNEVEN * even + _SAME_PLACE_MM:
        return np.arange(n, dtype=np.float64), even
    gaps = np.diff(along)
    median = float(np.median(gaps))
    if gaps.max() > _MISSING * median:
        widest = int(gaps.argmax())
        raise InputError(
            f"{name} has a gap of {gaps.max():.1f} mm after slice {widest + 1} of {n}, where {median:.1f} mm is "
            "usual, so slices are missing; send or export the whole series again."
        )
    wanted = max(float(gaps.min()), median / 2)
    steps = max(1, round(extent / wanted))
    targets = along[0] + np.arange(steps + 1) * (extent / steps)
    return np.interp(targets, along, np.arange(n, dtype=np.float64)), extent / steps
