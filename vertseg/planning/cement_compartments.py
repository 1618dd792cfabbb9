"""In which compartment cement outside of a vertebra lies, and by which route it came there."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.canal_course import CanalSection, canal_place
from vertseg.planning.cement_voxels import CementVoxels
from vertseg.planning.disc_side import beyond_plates
from vertseg.planning.treated_spine import SPACING_MM, TreatedSpine
from vertseg.planning.voxel_path import path_length

Compartment = Literal["canal", "disc_above", "disc_below", "vein", "soft_tissue", "cannula_track"]
COMPARTMENTS: Final[tuple[Compartment, ...]] = (
    "canal", "disc_above", "disc_below", "vein", "soft_tissue", "cannula_track",
)  # fmt: skip
"""Where cement outside of a vertebra can lie: spinal canal, the disc spaces next to it, a vein beside the body
(segmental or paravertebral), soft tissue beside the body, and the way the cannula took, which is no leak route."""

TUBE: Final = 2.5
"""Elongation (length over mean thickness) from which on cement beside a body is taken for the cast of a vein."""

FORAMEN_MM: Final = 6.0
"""Cement that crosses the posterior wall no farther than this from the midline came by the basivertebral vein, whose
foramen is in the wall's middle (5.4 +- 1.1 mm high, Chin J Clin Anat 2023, 41:283; in one of three vertebrae there
are two, side by side; Tzika 2021, Surg Radiol Anat 43:889-907)."""

_FORAMEN_SHARE: Final = 0.30
_CANAL_SLACK_MM: Final = 2.0
_BEHIND_MM: Final = 4.0
_WAIST_SHARE: Final = 0.38
_LEAST_REACH_MM: Final = 1.4
_CRUMB_ML: Final = 0.03
_CRUMB_SHARE: Final = 0.3
_REST: Final = 4


@dataclass(frozen=True, eq=False)
class Piece:
    """One connected piece of cement outside of a vertebra.

    Attributes:
        compartment, route: see `cement_spread.CementLeak`.
        voxels: (N, 3) indices of its solid voxels.
        length_mm, reach_mm, elongation: see `cement_spread.CementLeak`.
    """

    compartment: Compartment
    route: str | None
    voxels: NDArray[np.intp]
    length_mm: float
    reach_mm: float
    elongation: float


@dataclass(frozen=True, eq=False)
class _Around:
    """One injected vertebra and its cement's surroundings.

    Attributes:
        outside_mm: (X, Y, Z) distance from this vertebra's labels.
        body_mm: (X, Y, Z) distance from its body.
        held_mm: (X, Y, Z) distance from the cement inside of it.
        half_height_mm: of its body.
        section: of the canal behind it; None where its wall is not seen.
    """

    level: int
    outside_mm: NDArray[np.float64]
    body_mm: NDArray[np.float64]
    held_mm: NDArray[np.float64]
    half_height_mm: float
    section: CanalSection | None


def leaked_pieces(
    spine: TreatedSpine, cement: CementVoxels, sections: dict[int, CanalSection], level: int
) -> list[Piece]:
    """Pieces of a vertebra's cement that lie outside of it, largest first.

    Cement that is seen to stick out by less than 1.4 mm is left with the bone: the edges of labels are no truer.

    Args:
        spine: the scan.
        cement: its cement.
        sections: of the canal, see `canal_course.canal_sections`.
        level: the injected vertebra.
    """
    own = spine.level == level
    mine = cement.solid & (cement.owner == level)
    loose = mine & ~own
    body = np.argwhere(own & spine.body)
    if not loose.any() or len(body) < 200:
        return []
    around = _Around(
        level,
        np.asarray(ndimage.distance_transform_edt(~own)) * SPACING_MM,
        np.asarray(ndimage.distance_transform_edt(~(own & spine.body))) * SPACING_MM,
        np.asarray(ndimage.distance_transform_edt(~(mine & own))) * SPACING_MM,
        0.5 * float(np.ptp(np.percentile(spine.local(level, body)[:, 2], (5, 95)))),
        sections.get(level),
    )
    code = _codes(spine, loose, sections, around)
    pieces, count = cc3d.connected_components(loose, connectivity=26, return_N=True)
    found = []
    for k in range(1, count + 1):
        voxels = np.argwhere(pieces == k)
        if around.outside_mm[tuple(voxels.T)].max() < _LEAST_REACH_MM:
            continue
        found += _parts(spine, voxels, code, around)
    return sorted(found, key=lambda p: -len(p.voxels))


def _codes(
    spine: TreatedSpine, loose: NDArray[np.bool_], sections: dict[int, CanalSection], around: _Around
) -> NDArray[np.uint8]:
    """(X, Y, Z) 1 canal, 2 disc above, 3 disc below, 4 the rest; 0 where there is no loose cement."""
    at = np.argwhere(loose)
    place = canal_place(sections, spine.grid.world(at), _CANAL_SLACK_MM)
    above, below = beyond_plates(spine, around.level, at)
    behind = np.zeros(len(at), bool)
    if around.section is not None:
        behind = spine.local(around.level, at)[:, 1] < around.section.wall_mm - _CANAL_SLACK_MM
    kind = np.full(len(at), _REST)
    kind[above & ~behind], kind[below & ~behind] = 2, 3
    # The wall is hollow in the middle and discs bulge: in front of the wall's line only what is no disc is canal.
    front = np.isin(kind, (2, 3))
    kind[place.inside & ~front] = 1
    code = np.zeros(loose.shape, np.uint8)
    code[loose] = kind
    return code


def _parts(
    spine: TreatedSpine, voxels: NDArray[np.intp], code: NDArray[np.uint8], around: _Around
) -> list[Piece]:
    """One connected piece cut at the borders of compartments; crumbs stay with the largest part."""
    start = voxels.min(axis=0)
    kinds = np.zeros(tuple(voxels.max(axis=0) - start + 1), np.uint8)
    kinds[tuple((voxels - start).T)] = code[tuple(voxels.T)]
    parts = [np.argwhere(part == k) for part, n in _connected(kinds) for k in range(1, n + 1)]
    parts.sort(key=lambda p: -len(p))
    least = max(_CRUMB_ML / spine.voxel_ml, 0.0)
    kept = [p for p in parts if len(p) >= least or len(p) >= _CRUMB_SHARE * len(voxels)] or parts[:1]
    crumbs = [p for p in parts if not any(p is q for q in kept)]
    main = [int(kinds[tuple(p[0])]) for p in kept]
    kept[0] = np.concatenate([kept[0], *crumbs])
    return [
        _piece(spine, part + start, kind, around)
        for part, kind in zip(kept, main, strict=True)
        if around.outside_mm[tuple((part + start).T)].max() >= _LEAST_REACH_MM
    ]


def _connected(kinds: NDArray[np.uint8]) -> list[tuple[NDArray[Any], int]]:
    found: list[tuple[NDArray[Any], int]] = []
    for kind in np.unique(kinds[kinds > 0]):
        labels, n = cc3d.connected_components(kinds == kind, connectivity=26, return_N=True)
        found.append((labels, n))
    return found


def _piece(spine: TreatedSpine, voxels: NDArray[np.intp], kind: int, around: _Around) -> Piece:
    length = path_length(voxels) * SPACING_MM
    volume = len(voxels) * SPACING_MM**3
    elongation = length / (2.0 * float(np.sqrt(volume / (np.pi * length))))
    reach = float(around.body_mm[tuple(voxels.T)].max())
    compartment: Compartment
    route: str | None
    if kind == 1:
        compartment, route = "canal", _canal_route(spine, voxels, around)
    elif kind in (2, 3):
        compartment, route = ("disc_above" if kind == 2 else "disc_below"), "D"
    else:
        compartment, route = _beside(spine, voxels, elongation, around)
    return Piece(compartment, route, voxels, length, reach, elongation)


def _crossing(spine: TreatedSpine, voxels: NDArray[np.intp], around: _Around) -> NDArray[np.float64]:
    """(3,) mm in the vertebra's frame where a piece comes next to the cement inside."""
    apart = around.held_mm[tuple(voxels.T)]
    nearest: NDArray[np.float64] = spine.local(around.level, voxels[apart <= apart.min() + 1.0]).mean(axis=0)
    return nearest


def _canal_route(spine: TreatedSpine, voxels: NDArray[np.intp], around: _Around) -> str:
    """B through the wall's middle, C elsewhere or where the wall is known to be open."""
    right, _, up = _crossing(spine, voxels, around)
    apart = around.held_mm[tuple(voxels.T)]
    entry = voxels[apart <= apart.min() + 1.0]
    low, high = entry.min(axis=0) - 2, entry.max(axis=0) + 3
    box = tuple(slice(max(a, 0), b) for a, b in zip(low, high, strict=True))
    if spine.wall_defect[box].any():
        return "C"
    middle = abs(right) <= FORAMEN_MM and abs(up) <= 2 * _FORAMEN_SHARE * around.half_height_mm
    return "B" if middle else "C"


def _beside(
    spine: TreatedSpine, voxels: NDArray[np.intp], elongation: float, around: _Around
) -> tuple[Compartment, str | None]:
    points = spine.local(around.level, voxels)
    wall = -15.0 if around.section is None else around.section.wall_mm
    if float(np.median(points[:, 1])) < wall - _BEHIND_MM:
        return "cannula_track", None
    _, _, up = _crossing(spine, voxels, around)
    if elongation >= TUBE and abs(up) <= 2 * _WAIST_SHARE * around.half_height_mm:
        return "vein", "S"
    return "soft_tissue", "C"
