"""Straight metal rods in a CT: the cannulas of a running vertebroplasty, apart from screws, cement and streaks."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.corridor_types import Point
from vertseg.volume import Volume

METAL_HU: Final = 2000.0
"""Above compact bone (to about 1900 HU) and most PMMA; steel saturates a 12-bit CT at 3071."""

_TUBE_MM: Final = 2.5
_TAKEN_MM: Final = 5.0
_TRIALS: Final = 400
_MOST_POINTS: Final = 3000
_LEAST_POINTS: Final = 12
_SHORTEST_MM: Final = 30.0
_LONG_MM: Final = 70.0
"""No pedicle screw is as long; a rod that is need not be seen to leave the skin."""
_THICKEST_MM: Final = 7.0
_COVERED: Final = 0.85
_MOST_CANNULAS: Final = 8
_AIR_HU: Final = -300.0
_STEP_MM: Final = 0.25
_BEYOND_MM: Final = 25.0
_INWARD_MM: Final = 22.0
_SATURATED_HU, _SATURATED_SHARE = 3000.0, 0.9


@dataclass(frozen=True)
class Cannula:
    """A straight metal rod found in a scan.

    Attributes:
        tip_mm: (3,) its deep end, world RAS mm.
        tail_mm: its outer end, or where it leaves the scan.
        direction: unit vector from tail to tip.
        length_mm: what of it is seen.
        diameter_mm: mean width of what is as bright as half its core; blur widens it.
    """

    tip_mm: Point
    tail_mm: Point
    direction: Point
    length_mm: float
    diameter_mm: float


def find_cannulas(scan: Volume) -> tuple[Cannula, ...]:
    """Cannulas in a scan, the longest first.

    Lines are drawn through pairs of metal voxels (RANSAC with a fixed seed), the one with most metal within
    2.5 mm is fitted by its brightness-weighted principal axis, and its metal is taken away before the next. It is
    a cannula if metal covers 85 % of its length without a gap, it is at least 30 mm long and no thicker than 7 mm as
    the scanner shows it, and it comes out of the skin, leaves the scan or is longer than any pedicle screw. Blobs of
    cement are too short, streaks too patchy, screws and rods end within the body.

    Args:
        scan: HU, any orientation and spacing.
    """
    at = np.argwhere(scan.array > METAL_HU)
    if len(at) < _LEAST_POINTS:
        return ()
    points = scan.grid.world(at)
    weights = np.clip(scan.array[tuple(at.T)].astype(np.float64), 0.0, 3071.0) - 1000.0
    rng = np.random.default_rng(0)
    found: list[Cannula] = []
    for _ in range(3 * _MOST_CANNULAS):
        if len(points) < _LEAST_POINTS or len(found) == _MOST_CANNULAS:
            break
        middle, axis = _line(points, weights, rng)
        off = _off_axis(points, middle, axis)
        cannula = _measured(scan, points[off < _TUBE_MM], middle, axis)
        if cannula is not None:
            found.append(cannula)
        left = off >= _TAKEN_MM
        points, weights = points[left], weights[left]
    return tuple(sorted(found, key=lambda c: c.length_mm, reverse=True))


def _off_axis(
    points: NDArray[np.float64], middle: NDArray[np.float64], axis: NDArray[np.float64]
) -> NDArray[np.float64]:
    span = points - middle
    return np.asarray(np.linalg.norm(span - (span @ axis)[:, None] * axis, axis=1))


def _line(
    points: NDArray[np.float64], weights: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A point and the unit direction of the line with most metal near it."""
    some = (
        points
        if len(points) <= _MOST_POINTS
        else points[rng.choice(len(points), _MOST_POINTS, replace=False)]
    )
    ends = some[rng.integers(len(some), size=(_TRIALS, 2))]
    span = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(span, axis=1)
    good = length > 10.0
    best, most = (some.mean(axis=0), _principal(some - some.mean(axis=0), np.ones(len(some)))), 0.0
    for start, axis in zip(ends[good, 0], span[good] / length[good, None], strict=True):
        near = some[_off_axis(some, start, axis) < _TUBE_MM]
        # Long lines win over thick ones: each 2 mm of the length counts once for each filled bin.
        filled = np.unique(np.floor((near - start) @ axis / 2.0)).size
        if filled > most:
            best, most = (start, axis), float(filled)
    middle, axis = best
    for _ in range(4):
        close = _off_axis(points, middle, axis) < _TUBE_MM + 1.0
        if np.count_nonzero(close) < 3:
            break
        middle = np.average(points[close], axis=0, weights=weights[close])
        axis = _principal(points[close] - middle, weights[close])
    return middle, axis


def _principal(span: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.eigh((span * weights[:, None]).T @ span)[1][:, -1])


def _measured(
    scan: Volume, near: NDArray[np.float64], middle: NDArray[np.float64], axis: NDArray[np.float64]
) -> Cannula | None:
    """The cannula along a line; None if what lies there is none."""
    if len(near) < _LEAST_POINTS:
        return None
    along = (near - middle) @ axis
    low, high = _longest_run(along)
    if high - low < _SHORTEST_MM:
        return None
    ends = [_end(scan, middle, axis, at, sign) for at, sign in ((low, -1.0), (high, 1.0))]
    length = ends[1] - ends[0]
    bins = np.unique(np.floor(along[(along >= low) & (along <= high)] / 2.0)).size
    diameter = _diameter(scan, middle, axis, (ends[0], ends[1]))
    outer = [
        _outside(scan, middle + axis * at, sign * axis) for at, sign in zip(ends, (-1.0, 1.0), strict=True)
    ]
    if (
        bins * 2.0 < _COVERED * (high - low)
        or diameter > _THICKEST_MM
        or (not any(outer) and length < _LONG_MM)
    ):
        return None
    tip, tail = middle + axis * ends[1], middle + axis * ends[0]
    # The outer end is the one in air; where both or none are, the tip is the one nearer to the patient's front.
    if (outer[1] and not outer[0]) or (outer[0] == outer[1] and tip[1] < tail[1]):
        tip, tail = tail, tip
    direction = (tip - tail) / np.linalg.norm(tip - tail)
    return Cannula(
        _point(tip), _point(tail), _point(direction, 4), round(float(length), 1), round(diameter, 1)
    )


def _longest_run(along: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the longest stretch without a gap of more than 6 mm."""
    order = np.sort(along)
    cuts = np.flatnonzero(np.diff(order) > 6.0)
    starts, stops = np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [order.size - 1]])
    best = int((order[stops] - order[starts]).argmax())
    return float(order[starts[best]]), float(order[stops[best]])


def _profile(scan: Volume, points_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    vox = np.moveaxis(scan.grid.voxel(points_mm), -1, 0)
    return np.asarray(ndimage.map_coordinates(scan.array, vox, np.float32, order=1, cval=-3000.0))


def _end(
    scan: Volume, middle: NDArray[np.float64], axis: NDArray[np.float64], at: float, sign: float
) -> float:
    """Where the metal ends on the axis: at half its brightness, a little below it where the scanner cut that off.

    Cement beyond the tip is nearly as bright as cut-off steel; only a fall that lasts 2 mm counts, for streaks dip.
    """
    t = at + sign * np.arange(-_INWARD_MM, 10.0, _STEP_MM)
    hu = _profile(scan, middle + t[:, None] * axis)
    first = int(8.0 / _STEP_MM)
    core = float(np.median(hu[:first]))
    share = _SATURATED_SHARE if core >= _SATURATED_HU else 0.5
    run = int(2.0 / _STEP_MM)
    low = np.convolve(hu < share * core, np.ones(run, np.int64), "valid") == run
    ends = np.flatnonzero(low[first:])
    return float(t[ends[0] + first]) if ends.size else float(t[-1])


def _diameter(
    scan: Volume, middle: NDArray[np.float64], axis: NDArray[np.float64], ends: tuple[float, float]
) -> float:
    """Diameter of the disc as large as what is brighter than half the core, the median over the length."""
    side = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.8 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    steps = np.arange(-8.0, 8.01, 0.5)
    t = np.arange(ends[0] + 4.0, ends[1] - 4.0, 2.0)
    disc = steps[:, None, None] * side + steps[None, :, None] * other
    hu = _profile(scan, middle + t[:, None, None, None] * axis + disc)
    core = hu[:, steps.size // 2 - 1 : steps.size // 2 + 2, steps.size // 2 - 1 : steps.size // 2 + 2].max(
        axis=(1, 2)
    )
    areas = (hu > 0.5 * core[:, None, None]).sum(axis=(1, 2)) * 0.25
    return float(np.median(2.0 * np.sqrt(areas / np.pi)))


def _outside(scan: Volume, end: NDArray[np.float64], onward: NDArray[np.float64]) -> bool:
    """Whether an end lies in air or at the edge of the scan: most of what is beyond it or around it is no tissue."""
    ahead = end + np.arange(3.0, _BEYOND_MM, 1.0)[:, None] * onward
    return float((_profile(scan, ahead) < _AIR_HU).mean()) > 0.7


def _point(values: NDArray[np.float64], digits: int = 2) -> Point:
    x, y, z = (round(float(v), digits) for v in values)
    return x, y, z
