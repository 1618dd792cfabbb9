"""The spinal canal behind a body: bone driven into it, and how narrow it is.

The bony canal is bounded in front by the body, at the sides by the pedicles and behind by the laminae, whose surface is
carried on over the gaps between them. Its narrowing is counted against the mean of the neighbours' canals, as in
burst fractures (Hashimoto et al., Spine 1988;13:1268-72 by area; Mumford et al., Spine 1993;18:955-70 by depth).
Retropulsion is what lies behind the line of the neighbours' posterior walls.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.alignment import Stance
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.trimmed_fit import trimmed_fit
from vertseg.planning.upright import UprightVertebra

Array = NDArray[np.float64]

_MAX_DEPTH_MM: Final = 32.0
_MIN_DEPTH_MM: Final = 4.0
_MIN_PLACES: Final = 60
_FIT_ROUNDS: Final = 4
_OFF_LAMINAE_MM: Final = 1.5
_MIDLINE_MM: Final = 3.0
_SMOOTH_SLICES: Final = 3
_FARTHEST_PERCENTILE: Final = 95


@dataclass(frozen=True)
class CanalNarrowing:
    """Canal at one vertebra; None where it, or a neighbour to compare with, is not seen.

    Attributes:
        area_mm2: least cross-section at this vertebra.
        neighbours_area_mm2: mean of the same at the neighbours.
        narrowing_percent: how much smaller it is than theirs, not below 0.
        depth_mm: least depth (anterior to posterior) in the midline.
        neighbours_depth_mm: mean of the neighbours'.
        depth_narrowing_percent: how much shallower it is, not below 0.
        retropulsion_mm: how far the body reaches behind the line of the neighbours' posterior walls, not below 0.
        retropulsion_ml: bone behind that line.
    """

    area_mm2: float | None = None
    neighbours_area_mm2: float | None = None
    narrowing_percent: float | None = None
    depth_mm: float | None = None
    neighbours_depth_mm: float | None = None
    depth_narrowing_percent: float | None = None
    retropulsion_mm: float | None = None
    retropulsion_ml: float | None = None


@dataclass(frozen=True, eq=False)
class Canal:
    """Bony canal at one vertebra; mm from the body centre in the vertebra's frame, on the columns of its wall.

    Attributes:
        front_mm: (X, Z) anterior place of the bone in front of it; NaN outside of the wall between the pedicles.
        back_mm: (X, Z) anterior place of its posterior border.
        midline: (X,) columns next to the midline.
        step_mm: distance of columns and slices.
    """

    front_mm: Array
    back_mm: Array
    midline: NDArray[np.bool_]
    step_mm: float

    @property
    def depths_mm(self) -> Array:
        """(X, Z) from front to back; 0 where bone fills it."""
        return np.asarray(np.maximum(self.front_mm - self.back_mm, 0.0))

    def least_area_mm2(self) -> float | None:
        """Least cross-section over the height of the body; slices are smoothed over 3 mm."""
        depth = self.depths_mm
        width = np.isfinite(depth).any(axis=1).sum() * self.step_mm
        return _least(np.nanmean(depth[:, _whole(depth)], axis=0) * width)

    def least_depth_mm(self) -> float | None:
        """Least depth in the midline over the height of the body."""
        depth = self.depths_mm
        middle = depth[self.midline][:, _whole(depth)]
        return _least(np.nanmedian(middle[:, np.isfinite(middle).any(axis=0)], axis=0))


def canal_at(vertebra: UprightVertebra, wall: PosteriorWall | None) -> Canal | None:
    """The canal at a vertebra; None where pedicles or laminae are not seen.

    Args:
        vertebra: in its own frame.
        wall: its posterior wall.
    """
    if wall is None or not wall.sides_seen:
        return None
    _, anterior, _ = vertebra.places_mm
    between = wall.between
    laminae = _last_bone(vertebra.posterior, anterior, np.where(between, wall.front_mm, np.nan))
    back = _carried_on(laminae, wall)
    if back is None:
        return None
    midline = np.abs(wall.right_mm - wall.middle_mm) <= _MIDLINE_MM
    front = np.where(between, wall.front_mm, np.nan)
    return Canal(front, np.where(between, back, np.nan), midline, vertebra.spacing_mm)


def canal_narrowing(own: Canal | None, neighbours: list[Canal]) -> CanalNarrowing:
    """How narrow one canal is against those of the neighbours that are seen."""
    if own is None:
        return CanalNarrowing()
    area, depth = own.least_area_mm2(), own.least_depth_mm()
    areas, depths = (
        _mean([c.least_area_mm2() for c in neighbours]),
        _mean([c.least_depth_mm() for c in neighbours]),
    )
    return CanalNarrowing(
        area_mm2=area,
        neighbours_area_mm2=areas,
        narrowing_percent=_narrower(area, areas),
        depth_mm=depth,
        neighbours_depth_mm=depths,
        depth_narrowing_percent=_narrower(depth, depths),
    )


def with_retropulsion(
    narrowing: CanalNarrowing,
    vertebra: UprightVertebra,
    wall: PosteriorWall | None,
    neighbours: tuple[tuple[Stance, PosteriorWall], tuple[Stance, PosteriorWall]] | None,
) -> CanalNarrowing:
    """The same with what of the body lies behind the line of the neighbours' walls.

    The line is the cubic through the corners of both neighbours' walls, so that it bends as the column does; from side
    to side it is as hollow as their walls are.

    Args:
        narrowing: of the canal.
        vertebra: in its own frame.
        wall: its posterior wall.
        neighbours: the direct ones, above and below; None where one is not seen.
    """
    if wall is None or neighbours is None:
        return narrowing
    line = _line_mm(vertebra, wall, neighbours[0][0], neighbours[1][0])
    if line is None:
        return narrowing
    hollow = np.mean([_hollow(wall, other) for _, other in neighbours], axis=0)
    behind = line[None, :] + hollow[:, None] - np.where(wall.between, wall.front_mm, np.nan)
    known = np.isfinite(behind)
    if not known.any():
        return narrowing
    step = vertebra.spacing_mm
    smooth = ndimage.median_filter(np.where(known, behind, 0.0), 3)
    excess = np.where(known, np.maximum(smooth, 0.0), 0.0)
    return replace(
        narrowing,
        retropulsion_mm=float(np.percentile(excess[known], _FARTHEST_PERCENTILE)),
        retropulsion_ml=float(excess.sum()) * step**2 / 1000,
    )


def canal_distances_mm(vertebra: UprightVertebra, canal: Canal) -> NDArray[np.float32]:
    """(X, Y, Z) distance in mm of each voxel to the nearest voxel of the canal.

    Args:
        vertebra: in its own frame.
        canal: at this vertebra.
    """
    _, anterior, _ = vertebra.places_mm
    front, back = (np.nan_to_num(e, nan=-1e6)[:, None, :] for e in (canal.front_mm, canal.back_mm))
    inside = (anterior[None, :, None] < front) & (anterior[None, :, None] > back)
    if not inside.any():
        return np.full(inside.shape, np.inf, np.float32)
    distances = ndimage.distance_transform_edt(~inside, sampling=vertebra.spacing_mm)
    # From a voxel's face, not from its middle.
    return np.asarray(np.maximum(distances - vertebra.spacing_mm, 0.0), dtype=np.float32)


def _last_bone(posterior: NDArray[np.bool_], anterior_mm: Array, front_mm: Array) -> Array:
    """(X, Z) anterior place of the first bone met on the way back from the body; NaN where there is none."""
    open_mm = front_mm[:, None, :] - anterior_mm[None, :, None]
    bone = posterior & (open_mm > _MIN_DEPTH_MM) & (open_mm < _MAX_DEPTH_MM)
    last = bone.shape[1] - 1 - bone[:, ::-1].argmax(axis=1)
    step = float(anterior_mm[1] - anterior_mm[0])
    return np.where(bone.any(axis=1), anterior_mm[last] + step / 2, np.nan)


def _carried_on(laminae: Array, wall: PosteriorWall) -> Array | None:
    """The laminae's surface over the whole height; None where too little of it is seen."""
    known = np.isfinite(laminae)
    if np.count_nonzero(known) < _MIN_PLACES:
        return None
    x, z = np.meshgrid((wall.right_mm - wall.middle_mm) / 10, wall.up_mm / 10, indexing="ij")
    seen = z[known]
    # A lamina's slope does not go on where there is no lamina.
    z = np.clip(z, np.percentile(seen, 5), np.percentile(seen, 95))
    terms = np.stack([np.ones_like(x), x, z, x * x], axis=-1)
    return np.asarray(terms @ trimmed_fit(terms[known], laminae[known], _OFF_LAMINAE_MM, _FIT_ROUNDS))


def _whole(depth: Array) -> NDArray[np.bool_]:
    """Slices in which most of the wall is there."""
    seen = np.isfinite(depth).sum(axis=0)
    return np.asarray(seen >= 0.8 * seen.max())


def _least(values: Array) -> float | None:
    if values.size == 0:
        return None
    return float(ndimage.uniform_filter1d(values, min(_SMOOTH_SLICES, values.size), mode="nearest").min())


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _narrower(own: float | None, others: float | None) -> float | None:
    return None if own is None or not others else max(0.0, 100 * (1 - own / others))


def _line_mm(vertebra: UprightVertebra, wall: PosteriorWall, above: Stance, below: Stance) -> Array | None:
    """(Z,) anterior place of the neighbours' line at the heights of the wall; None where a corner is not seen."""
    corners = (below.lower_corner_mm, below.upper_corner_mm, above.lower_corner_mm, above.upper_corner_mm)
    if any(c is None for c in corners):
        return None
    points = (np.array(corners) - vertebra.centre_mm) @ vertebra.axes
    heights, places = points[:, 2], points[:, 1]
    if not (np.diff(heights) > 2.0).all():
        return None
    line = np.polynomial.Polynomial.fit(heights, places, 3)
    return np.asarray(line(np.clip(wall.up_mm, heights[1], heights[2])))


def _hollow(own: PosteriorWall, other: PosteriorWall) -> Array:
    """(X,) how far another vertebra's wall lies in front of its own midline, at this one's columns; mm, not above 0."""
    profile = np.array([np.nanmedian(row) if np.isfinite(row).any() else np.nan for row in other.wall_mm])
    known = np.isfinite(profile)
    places = other.right_mm[known] - other.middle_mm
    middle = float(np.interp(0.0, places, profile[known]))
    return np.asarray(np.interp(own.right_mm - own.middle_mm, places, profile[known]) - middle)
