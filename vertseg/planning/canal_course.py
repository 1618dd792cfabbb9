"""The spinal canal as a tube along the column, from the bones around it, also between their arches."""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.frames import LabelledVertebra
from vertseg.planning.treated_spine import TreatedSpine

_MIDLINE_MM: Final = 4.0
_PEDICLE_MM: Final = (1.0, 8.0)
_LEAST_VOXELS: Final = 10
_HALF_WIDTH_MM: Final = (6.0, 16.0)
_HALF_DEPTH_MM: Final = (4.5, 12.0)
_USUAL: Final = (10.0, 7.5)
"""Half width and half depth in mm where neither this vertebra nor another shows them: a lumbar or thoracic canal is
17 to 24 mm wide and 14 to 18 mm deep (Panjabi et al. 1991 and 1992, Spine 16:888-901 and 17:299-306)."""

_SQUARE: Final = 4.0
"""Exponent of the cross-section |x/a|^n + |y/b|^n <= 1: between an ellipse and a box, as the front is flat and has
corners (the lateral recesses)."""


@dataclass(frozen=True, eq=False)
class CanalSection:
    """The canal behind one body.

    Attributes:
        centre_mm: (3,) its middle in world RAS.
        frame: of the vertebra.
        half_width_mm, half_depth_mm: to either side, and to the front and back.
        wall_mm: place of the posterior wall along the vertebra's anterior axis, from the body's centre; negative.
        seen: whether the bones show it; else it is a usual one.
    """

    centre_mm: NDArray[np.float64]
    frame: LabelledVertebra
    half_width_mm: float
    half_depth_mm: float
    wall_mm: float
    seen: bool


def canal_sections(spine: TreatedSpine, cement: NDArray[np.bool_] | None = None) -> dict[int, CanalSection]:
    """The canal at each vertebra whose body's posterior wall is in the box, head to foot.

    Args:
        spine: the scan.
        cement: (X, Y, Z) voxels that tell nothing of bones, whatever their label; None for none.
    """
    bone = spine.level > 0 if cement is None else (spine.level > 0) & ~cement
    sizes = {level: _sizes(spine, level, bone & (spine.level == level)) for level in spine.frames}
    known = [s[1:] for s in sizes.values() if s is not None and s[1] is not None and s[2] is not None]
    usual = tuple(np.median(np.array(known, np.float64), axis=0)) if known else _USUAL
    sections = {}
    for level, size in sizes.items():
        if size is None:
            continue
        wall, width, depth = size
        half_width = float(usual[0] if width is None else width)
        half_depth = float(usual[1] if depth is None else depth)
        frame = spine.frames[level]
        centre = frame.centre_mm + frame.axes[:, 1] * (wall - half_depth)
        seen = width is not None and depth is not None
        sections[level] = CanalSection(centre, frame, half_width, half_depth, wall, seen)
    return sections


def _sizes(
    spine: TreatedSpine, level: int, own: NDArray[np.bool_]
) -> tuple[float, float | None, float | None] | None:
    """Posterior wall's place, half width and half depth in mm; None where the wall, or one of them, is not seen."""
    body = spine.local(level, np.argwhere(own & spine.body))
    arch = spine.local(level, np.argwhere(own & ~spine.body))
    if len(body) < 200:
        return None
    half_height = 0.5 * float(np.percentile(body[:, 2], 95) - np.percentile(body[:, 2], 5))
    core = body[(np.abs(body[:, 0]) < _MIDLINE_MM) & (np.abs(body[:, 2]) < 0.6 * half_height)]
    if len(core) < _LEAST_VOXELS:
        return None
    wall = float(np.percentile(core[:, 1], 2))
    near, far = _PEDICLE_MM
    pedicles = arch[
        (arch[:, 1] < wall - near) & (arch[:, 1] > wall - far) & (np.abs(arch[:, 2]) < half_height)
        & (np.abs(arch[:, 0]) > 3.0)
    ]  # fmt: skip
    sides = [np.abs(pedicles[np.sign(pedicles[:, 0]) == s, 0]) for s in (-1, 1)]
    width = None
    if min(len(s) for s in sides) >= _LEAST_VOXELS:
        width = float(np.clip(np.mean([np.percentile(s, 3) for s in sides]), *_HALF_WIDTH_MM))
    back = arch[(np.abs(arch[:, 0]) < _MIDLINE_MM) & (arch[:, 1] < wall - 8.0)]
    depth = None
    if len(back) >= _LEAST_VOXELS:
        lamina = float(np.percentile(back[:, 1], 98))
        depth = float(np.clip(0.5 * (wall - lamina), *_HALF_DEPTH_MM))
    return wall, width, depth


@dataclass(frozen=True, eq=False)
class CanalPlace:
    """Places of N points relative to the canal.

    Attributes:
        inside: (N,) bool.
        along_mm: (N,) how far along the canal, from its upper end; grows downward.
    """

    inside: NDArray[np.bool_]
    along_mm: NDArray[np.float64]


def canal_place(
    sections: dict[int, CanalSection], world_mm: NDArray[np.float64], slack_mm: float
) -> CanalPlace:
    """Whether points (N, 3) in world mm lie in the canal, bone left out of account.

    Between two vertebrae, middle, axes and sizes are those of both, mixed by place.

    Args:
        sections: see `canal_sections`; none gives no point inside.
        world_mm: the points.
        slack_mm: how far the front reaches into what the bones' labels cover, which end where bones seem to end.
    """
    n = len(world_mm)
    if not sections or n == 0:
        return CanalPlace(np.zeros(n, bool), np.zeros(n))
    chain = list(sections.values())
    pairs = list(itertools.pairwise(chain)) or [(chain[0], chain[0])]
    best = np.full(n, np.inf)
    inside, along = np.zeros(n, bool), np.zeros(n)
    start = 0.0
    for i, (upper, lower) in enumerate(pairs):
        step = lower.centre_mm - upper.centre_mm
        length = float(np.linalg.norm(step))
        direction = -upper.frame.axes[:, 2] if length < 1e-6 else step / length
        s = (world_mm - upper.centre_mm) @ direction
        # The ends of the column go on straight for half a vertebra.
        first = -20.0 if i == 0 else 0.0
        last = length + 20.0 if i == len(pairs) - 1 else length
        within = np.clip(s, first, last)
        t = np.clip(s / max(length, 1e-6), 0.0, 1.0)[:, None]
        offset = world_mm - (upper.centre_mm + within[:, None] * direction)
        distance = np.linalg.norm(offset, axis=1)
        nearer = distance < best
        x = np.abs(_mixed(offset, upper.frame.axes[:, 0], lower.frame.axes[:, 0], t))
        y = _mixed(offset, upper.frame.axes[:, 1], lower.frame.axes[:, 1], t)
        a = upper.half_width_mm + (lower.half_width_mm - upper.half_width_mm) * t[:, 0]
        b = upper.half_depth_mm + (lower.half_depth_mm - upper.half_depth_mm) * t[:, 0]
        b = np.where(y > 0, b + slack_mm, b)
        here = ((x / a) ** _SQUARE + (np.abs(y) / b) ** _SQUARE <= 1.0) & (s >= first) & (s <= last)
        inside[nearer], along[nearer], best[nearer] = here[nearer], (start + s)[nearer], distance[nearer]
        start += length
    return CanalPlace(inside, along)


def _mixed(
    offset: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64], t: NDArray[np.float64]
) -> NDArray[np.float64]:
    axis = (1 - t) * a + t * b
    result: NDArray[np.float64] = (offset * axis).sum(axis=1) / np.linalg.norm(axis, axis=1)
    return result
