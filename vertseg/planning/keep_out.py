"""The spinal canal of one vertebra as a region that no cannula may enter, from its bone alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.upright import UprightVertebra

_DIRECTIONS: Final = 72
_REACH_MM: Final = 22.0
_STEP_MM: Final = 0.5
_BEYOND_BODY_MM: Final = 10.0
_MIN_HOLE_MM2: Final = 25.0
_USUAL_DEPTH_MM: Final = 8.0
"""How far the canal's middle lies behind the wall where no ring of bone shows it: half of 15 to 17 mm."""
_MIDDLE_BEHIND_MM: Final = (5.0, 10.0)
"""Between these the middle is looked for behind the wall: canals are 13 to 20 mm deep; a ring of bone may also hold the
gap between laminae, whose middle lies farther back."""
_USUAL_RADIUS_MM: Final = 11.0
"""Where no slice shows a wall in some direction: half of the widest canals' width, 22 mm."""
_SLACK_MM: Final = 1.0
_BEFORE_WALL_MM: Final = 3.0
"""How far in front of the wall's median the space between a hollow or broken wall and the canal is counted."""
_BEHIND_MIDDLE_MM: Final = 3.0
_WIDEST_MM: Final = 17.0
"""No pedicle's medial wall lies farther from the canal's middle: L5's canal is 24 to 30 mm wide."""


@dataclass(frozen=True, eq=False)
class KeepOut:
    """The canal.

    Attributes:
        mask: (X, Y, Z) bool on the vertebra's grid.
        middle_vox: (Z, 2) its middle (x, y) in each slice.
        wall_vox: y of the posterior wall in the midline.
        closed: share of the directions, over the slices at the pedicles, in which bone bounds it.
    """

    mask: NDArray[np.bool_]
    middle_vox: NDArray[np.float64]
    wall_vox: float
    closed: float


def keep_out(vertebra: UprightVertebra) -> KeepOut | None:
    """The space that body, pedicles and laminae enclose, filled, from slice to slice; None without a body.

    In each slice across the vertebra's own axis, rays go out from the canal's middle to the first bone. Where a
    slice leaves a direction open (the foramina below the pedicles, the gap between two laminae, a lamina that was
    removed) the ray ends where the walls of the slices that have one stand, a millimetre more, and in front at the
    posterior wall: the region is never smaller there than between two rings of bone. Between the pedicles rows are
    filled from one to the other, so that the lateral recesses belong to it. It goes on 10 mm beyond the body above
    and below.

    Args:
        vertebra: in its own frame.
    """
    own = vertebra.body | vertebra.posterior
    spans = [np.flatnonzero(vertebra.body.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if spans[0].size == 0:
        return None
    low, high = int(spans[2][0]), int(spans[2][-1])
    wall = _posterior_wall(vertebra.body, float(spans[0].mean()))
    seed = _ring_middle(own, (float(spans[0].mean()), wall), (low, high), vertebra.spacing_mm)
    beyond = round(_BEYOND_BODY_MM / vertebra.spacing_mm)
    slices = np.arange(max(0, low - beyond), min(own.shape[2], high + beyond + 1))
    walls = own | (vertebra.levels > 0)
    middle = _near_wall(np.repeat(np.array([seed]), slices.size, axis=0), wall, vertebra.spacing_mm)
    hit = _hits(walls, middle, slices, vertebra.spacing_mm)
    middle = _near_wall(_recentred(middle, hit, vertebra.spacing_mm), wall, vertebra.spacing_mm)
    hit = _hits(walls, middle, slices, vertebra.spacing_mm)
    to_wall = (wall + _BEFORE_WALL_MM / vertebra.spacing_mm - middle[:, 1]) * vertebra.spacing_mm
    rows, at_pedicles = _between_pedicles(own[:, :, slices], middle, wall, vertebra.spacing_mm)
    radius, closed = _bounded(hit, to_wall, at_pedicles)
    mask = np.zeros_like(own)
    mask[:, :, slices] = rows | _filled(own.shape[:2], middle, radius, vertebra.spacing_mm)
    mask &= ~own
    middles = np.empty((own.shape[2], 2))
    middles[:] = np.nan
    middles[slices] = middle
    known = np.flatnonzero(~np.isnan(middles[:, 0]))
    for axis in range(2):
        middles[:, axis] = np.interp(np.arange(own.shape[2]), known, middles[known, axis])
    return KeepOut(mask, middles, wall, closed)


def _posterior_wall(body: NDArray[np.bool_], middle: float) -> float:
    """Index y of the back of the body in its middle fifth from side to side: its median over the height."""
    width = np.count_nonzero(body.any(axis=(1, 2)))
    start, stop = round(middle - width / 10), round(middle + width / 10) + 1
    part = body[max(0, start) : stop]
    seen = part.any(axis=1)
    back = part.argmax(axis=1)[seen] if seen.any() else body.any(axis=2).argmax(axis=1)
    return float(np.median(back))


def _ring_middle(
    own: NDArray[np.bool_], guess: tuple[float, float], span: tuple[int, int], spacing_mm: float
) -> tuple[float, float]:
    """Middle of the hole in the vertebra's ring, looked at from above; a usual place where there is none."""
    x, wall = guess
    height = span[1] - span[0] + 1
    for start, stop in ((span[0] - 5, span[1] + 1), (span[0] + height // 2, span[1] + 1)):
        ring = own[:, :, max(0, start) : stop].sum(axis=2) >= 2
        labels, count = ndimage.label(ndimage.binary_fill_holes(ring) & ~ring)
        best, area = None, _MIN_HOLE_MM2 / spacing_mm**2
        for number in range(1, count + 1):
            at = np.argwhere(labels == number)
            cx, cy = at.mean(axis=0)
            near = abs(cx - x) * spacing_mm < 12.0 and -3.0 < (wall - cy) * spacing_mm < 25.0
            if near and len(at) > area:
                best, area = (float(cx), float(cy)), len(at)
        if best is not None:
            return best
    return x, wall - _USUAL_DEPTH_MM / spacing_mm


def _near_wall(middle: NDArray[np.float64], wall: float, spacing_mm: float) -> NDArray[np.float64]:
    """The middles, all moved alike so that their mean lies at a possible distance behind the wall."""
    behind = (wall - middle[:, 1].mean()) * spacing_mm
    moved = middle.copy()
    moved[:, 1] += (behind - np.clip(behind, *_MIDDLE_BEHIND_MM)) / spacing_mm
    return moved


def _angles() -> NDArray[np.float64]:
    """Directions in a slice, from the vertebra's right toward anterior."""
    return 2.0 * np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS


def _hits(
    walls: NDArray[np.bool_], middle: NDArray[np.float64], slices: NDArray[np.intp], spacing_mm: float
) -> NDArray[np.float64]:
    """Distance in mm (slices, directions) from the middle to the first bone; infinite where there is none."""
    radii = np.arange(1.0, _REACH_MM, _STEP_MM)
    angles = _angles()
    reach = radii / spacing_mm
    x = middle[:, 0, None, None] + np.cos(angles)[None, :, None] * reach
    y = middle[:, 1, None, None] + np.sin(angles)[None, :, None] * reach
    xi = np.clip(np.rint(x).astype(np.intp), 0, walls.shape[0] - 1)
    yi = np.clip(np.rint(y).astype(np.intp), 0, walls.shape[1] - 1)
    struck = walls[xi, yi, slices[:, None, None]]
    return np.where(struck.any(axis=2), radii[struck.argmax(axis=2)], np.inf)


def _recentred(
    middle: NDArray[np.float64], hit: NDArray[np.float64], spacing_mm: float
) -> NDArray[np.float64]:
    """The middles moved to those of the slices' sections, along a straight line through the closed slices."""
    closed = np.isfinite(hit).mean(axis=1) > 0.8
    if np.count_nonzero(closed) < 3:
        return middle
    angles = _angles()
    radius = np.where(np.isfinite(hit), np.minimum(hit, 14.0), 0.0)
    weight = (radius**2).sum(axis=1)
    shift = (
        np.stack([(radius**3 * np.cos(angles)).sum(axis=1), (radius**3 * np.sin(angles)).sum(axis=1)], axis=1)
        * (2.0 / 3.0 / np.maximum(weight, 1e-9))[:, None]
    )
    at = np.arange(len(middle), dtype=np.float64)
    moved = middle.copy()
    for axis in range(2):
        slope, offset = np.polyfit(at[closed], shift[closed, axis] / spacing_mm, 1)
        slope = float(np.clip(slope, -0.25, 0.25)) if np.ptp(at[closed]) > 6 else 0.0
        offset = float(np.mean(shift[closed, axis] / spacing_mm - slope * at[closed]))
        line = offset + slope * at
        moved[:, axis] += np.clip(line, -5.0 / spacing_mm, 5.0 / spacing_mm)
    return moved


def _bounded(
    hit: NDArray[np.float64], to_wall: NDArray[np.float64], at_pedicles: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Radii in mm (slices, directions), open directions closed, and the share closed at the pedicles.

    `to_wall` (slices,) is how far in front of each slice's middle the space reaches at most; where no slice is
    known to be at the pedicles, those are taken in which rays to the sides are shortest.
    """
    angles = _angles()
    backward = np.sin(angles) < -0.5
    beside = np.abs(np.cos(angles)) > 0.8
    reach = np.where(np.isfinite(hit), hit, _REACH_MM)
    width = reach[:, beside].mean(axis=1)
    if not at_pedicles.any():
        at_pedicles = width <= width.min() + 1.5
    limit = np.empty(_DIRECTIONS)
    for i in range(_DIRECTIONS):
        rows = hit[:, i] if backward[i] else hit[at_pedicles, i]
        seen = rows[np.isfinite(rows)]
        limit[i] = np.quantile(seen, 0.9) if seen.size >= 2 else np.nan
    known = np.isfinite(limit)
    if not known.any():
        limit[:] = _USUAL_RADIUS_MM
    else:
        limit = np.interp(angles, angles[known], limit[known], period=2.0 * np.pi)
    closed = float(np.isfinite(hit[at_pedicles]).mean())
    limit = limit + _SLACK_MM
    # In front, the box between both sides' widths and the wall closes what bone does not.
    width = np.where(
        np.cos(angles) > 0, limit[[0, -1]].mean(), limit[_DIRECTIONS // 2 - 1 : _DIRECTIONS // 2 + 1].mean()
    )
    forward = np.sin(angles) > 0
    side, front = (
        width / np.abs(np.cos(angles)),
        np.maximum(to_wall, 0.0)[:, None] / np.where(forward, np.sin(angles), 1.0),
    )
    ends = np.where(forward, np.maximum(limit, np.minimum(side, front)), limit)
    return np.minimum(hit, ends), closed


def _between_pedicles(
    own: NDArray[np.bool_], middle: NDArray[np.float64], wall: float, spacing_mm: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows (X, Y, slices) from pedicle to pedicle where bone stands on both sides, and which slices are at pedicles.

    A slice is at the pedicles where bone stands on both sides of most rows that lie 2 to 7 mm behind the wall.
    """
    shape = own.shape
    filled = np.zeros(shape, bool)
    reach = int(_WIDEST_MM / spacing_mm)
    steps = np.arange(reach + 1)
    first, last = (
        int(middle[:, 1].min() - _BEHIND_MIDDLE_MM / spacing_mm),
        min(int(wall + _BEFORE_WALL_MM / spacing_mm), shape[1] - 1),
    )
    rows = np.arange(max(first, 0), last + 1)
    if rows.size == 0:
        return filled, np.zeros(shape[2], bool)
    z = np.arange(shape[2])
    centre = np.rint(middle[:, 0]).astype(np.intp)
    beside = [np.clip(centre + sign * steps[:, None], 0, shape[0] - 1) for sign in (1, -1)]
    struck = [own[at[:, None, :], rows[None, :, None], z[None, None, :]] for at in beside]
    both = struck[0].any(axis=0) & struck[1].any(axis=0)
    near = (rows <= wall - 2.0 / spacing_mm) & (rows >= wall - 7.0 / spacing_mm)
    at_pedicles = both[near].mean(axis=0) > 0.7 if near.any() else np.zeros(shape[2], bool)
    both &= rows[:, None] >= middle[:, 1][None] - _BEHIND_MIDDLE_MM / spacing_mm
    for at, bone in zip(beside, struck, strict=True):
        open_yet = ~np.logical_or.accumulate(bone, axis=0) & both[None]
        i, j, k = np.nonzero(open_yet)
        filled[at[i, k], rows[j], k] = True
    return filled, at_pedicles


def _filled(
    shape: tuple[int, ...], middle: NDArray[np.float64], radius: NDArray[np.float64], spacing_mm: float
) -> NDArray[np.bool_]:
    """Voxels (X, Y, slices) that lie nearer to the middle than the radius in their direction."""
    inside = np.zeros((*shape, len(middle)), bool)
    reach = _REACH_MM / spacing_mm
    low = np.maximum(np.floor(middle.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle.max(axis=0) + reach) + 1, shape).astype(int)
    x = np.arange(low[0], high[0], dtype=np.float32)[:, None, None] - middle[:, 0].astype(np.float32)
    y = np.arange(low[1], high[1], dtype=np.float32)[None, :, None] - middle[:, 1].astype(np.float32)
    share = np.arctan2(y, x) / np.float32(2.0 * np.pi)
    index = (share * _DIRECTIONS).astype(np.int32)
    index = np.where(share < 0, index - 1, index) % _DIRECTIONS
    limit = radius.T[index, np.arange(len(middle))] + 0.5 * spacing_mm
    inside[low[0] : high[0], low[1] : high[1]] = (x * x + y * y) * spacing_mm**2 <= limit * limit
    return inside
