"""How a vertebra stands to its neighbours: kyphosis between endplates and slip.

Angles are Cobb angles between endplate planes as seen from the side (Cobb, Instr Course Lect 1948;5:261-75; for
fractures Keynan et al., Eur Spine J 2006;15:S5-11); the slip is measured between the posterior corners along the
disc, as Taillard's percentage is (J Radiol 1954;35:3-8).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import COLUMN_ORDER, LEVEL_NUMBERS, T13, column_position
from vertseg.planning.body_surfaces import BodySurfaces
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.upright import UprightVertebra

Array = NDArray[np.float64]

_L6 = LEVEL_NUMBERS["L6"]


@dataclass(frozen=True)
class Alignment:
    """Angles and slips in the sagittal plane; None where a neighbour is not seen.

    Attributes:
        wedge_deg: between its own endplates; positive where it is lower in front (kyphotic).
        segment: names of the levels that the segmental angle spans.
        segment_kyphosis_deg: Cobb angle from the upper endplate of the vertebra above to the lower endplate of
            the one below; positive kyphotic.
        slip_below_mm: how far it lies in front (positive) of or behind the vertebra below.
        slip_below_percent: that in percent of the depth of the endplate below.
        slip_above_mm, slip_above_percent: the same of the vertebra above on this one.
    """

    wedge_deg: float | None = None
    segment: tuple[str, ...] = ()
    segment_kyphosis_deg: float | None = None
    slip_below_mm: float | None = None
    slip_below_percent: float | None = None
    slip_above_mm: float | None = None
    slip_above_percent: float | None = None


@dataclass(frozen=True, eq=False)
class Stance:
    """A body in the world: endplates' normals, posterior corners and depth, from which angles and slips are made.

    Attributes:
        level: VerSe number.
        axes: (3, 3) its right, anterior and up in world RAS.
        upper, lower: (3,) unit normals of the endplates, pointing up, in world RAS.
        upper_corner_mm, lower_corner_mm: (3,) posterior corners in the midline, world RAS; None where not seen.
        depth_mm: of the body in the midline.
    """

    level: int
    name: str
    axes: Array
    upper: Array
    lower: Array
    upper_corner_mm: Array | None
    lower_corner_mm: Array | None
    depth_mm: float


def stance(vertebra: UprightVertebra, surfaces: BodySurfaces, wall: PosteriorWall | None) -> Stance:
    """How a vertebra stands in the world."""
    axes = np.asarray(vertebra.axes, np.float64)
    corners = [None if wall is None else wall.corner_mm(upper) for upper in (True, False)]
    middle = np.abs(surfaces.right_mm - np.median(surfaces.right_mm)) < 5.0
    upper, lower = (None if c is None else vertebra.centre_mm + axes @ c for c in corners)
    return Stance(
        vertebra.level, vertebra.name, axes, axes @ surfaces.upper.normal, axes @ surfaces.lower.normal,
        upper, lower, float(np.ptp(surfaces.anterior_mm[middle])),
    )  # fmt: skip


def alignment(level: int, column: Sequence[Stance]) -> Alignment:
    """How one vertebra stands to its direct neighbours.

    Args:
        level: VerSe number.
        column: every vertebra of the scan that could be measured, in any order.
    """
    known = {s.level: s for s in column}
    if level not in known:
        return Alignment()
    own = known[level]
    near = [known[n] for n in direct_neighbours(level, known)]
    place = column_position(level)
    above = next((s for s in near if column_position(s.level) < place), None)
    below = next((s for s in near if column_position(s.level) > place), None)
    over = (None, None) if below is None else slip_mm(own, below)
    under = (None, None) if above is None else slip_mm(above, own)
    span = None if above is None or below is None else (above, below)
    return Alignment(
        wedge_deg=kyphosis_deg(own, own),
        segment=() if span is None else (span[0].name, own.name, span[1].name),
        segment_kyphosis_deg=None if span is None else kyphosis_deg(*span),
        slip_below_mm=over[0],
        slip_below_percent=over[1],
        slip_above_mm=under[0],
        slip_above_percent=under[1],
    )


def kyphosis_deg(top: Stance, bottom: Stance) -> float:
    """Cobb angle from the upper endplate of `top` to the lower endplate of `bottom`; positive kyphotic.

    Both are looked at from the side, square to the mean of their right axes; the same vertebra twice gives its wedge.
    """
    right = top.axes[:, 0] + bottom.axes[:, 0]
    right = right / np.linalg.norm(right)
    up = top.axes[:, 2] + bottom.axes[:, 2]
    up = up - (up @ right) * right
    up = up / np.linalg.norm(up)
    forward = np.cross(up, right)
    leans = [np.degrees(np.arctan2(n @ forward, n @ up)) for n in (top.upper, bottom.lower)]
    return float(leans[0] - leans[1])


def slip_mm(upper: Stance, lower: Stance) -> tuple[float, float] | tuple[None, None]:
    """How far `upper` lies in front of `lower` (mm, and percent of the lower one's depth); None where not seen."""
    if upper.lower_corner_mm is None or lower.upper_corner_mm is None:
        return None, None
    normal = upper.lower + lower.upper
    right = upper.axes[:, 0] + lower.axes[:, 0]
    forward = np.cross(normal, right)
    forward = forward / np.linalg.norm(forward)
    slip = float((upper.lower_corner_mm - lower.upper_corner_mm) @ forward)
    return slip, 100 * slip / lower.depth_mm


def direct_neighbours(level: int, levels: Collection[int]) -> tuple[int, ...]:
    """Those of `levels` that stand directly above and below a level, from head to foot.

    Nothing but the rare T13 or L6 may be missing between.
    """
    order = [n for n in COLUMN_ORDER if n in levels or n not in (T13, _L6)]
    at = order.index(level)
    near = (order[at - 1] if at > 0 else None, order[at + 1] if at + 1 < len(order) else None)
    return tuple(n for n in near if n is not None and n in levels)
