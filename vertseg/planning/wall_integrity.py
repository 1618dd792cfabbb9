"""The posterior wall in numbers: its size, its cortex, and each hole in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.body_surfaces import BodySurfaces
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.wall_cells import CELL_MM, STEP_MM, WallCells, profiles
from vertseg.planning.wall_map import DEFECT_REACH_MM, WallMap, wall_map

FORAMEN_LARGEST_MM2: Final = 60.0
"""A defect larger than this is no foramen, wherever it lies. Assumed: an opening of 9 by 8 mm."""

Row = Literal["upper", "middle", "lower"]
Column = Literal["right", "middle", "left"]


@dataclass(frozen=True)
class WallDefect:
    """One hole in the posterior wall.

    Attributes:
        number: of this defect among the connected parts of the map's `defect`.
        area_mm2: surface without cortex.
        share: of the whole wall, 0 to 1.
        right_mm, up_mm: its middle, from the middle of the wall.
        row, column: thirds of the wall in which its middle lies.
        at_foramen: more than half of it lies where the basivertebral foramen opens.
        canal_distance_mm: least distance to the canal; None where no canal is seen.
    """

    number: int
    area_mm2: float
    share: float | None
    right_mm: float
    up_mm: float
    row: Row
    column: Column
    at_foramen: bool
    canal_distance_mm: float | None = None


@dataclass(frozen=True)
class WallIntegrity:
    """The posterior wall in numbers; None where no wall is seen.

    Attributes:
        wall_mm2: surface of the wall between the pedicles.
        width_mm, height_mm: its size.
        cortex_hu: median peak attenuation of its sound part.
        cortex_mm: median estimated thickness of its sound part.
        defect_mm2: surface of the defects outside of the basivertebral foramen.
        defect_share: that over the wall's, 0 to 1.
        foramen_defect_mm2: surface of defects at the basivertebral foramen, where a gap is physiological.
        defects: each of them, the largest first.
        thin_mm2: wall outside of defects and foramen whose cortex is weak in the image alone.
        foramen_gap_mm2: weak wall in the foramen's zone.
    """

    wall_mm2: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    cortex_hu: float | None = None
    cortex_mm: float | None = None
    defect_mm2: float = 0.0
    defect_share: float | None = None
    foramen_defect_mm2: float = 0.0
    defects: tuple[WallDefect, ...] = ()
    thin_mm2: float | None = None
    foramen_gap_mm2: float | None = None


def wall_integrity(
    vertebra: UprightVertebra, surfaces: BodySurfaces, wall: PosteriorWall | None
) -> tuple[WallIntegrity, WallMap | None]:
    """The posterior wall in numbers and as a map; without any wall nothing is known of it.

    Args:
        vertebra: in its own frame.
        surfaces: of its body.
        wall: its posterior wall.
    """
    if wall is None:
        return WallIntegrity(), None
    found = wall_map(vertebra, surfaces, wall)
    if found is None:
        return WallIntegrity(), None
    total = float(found.area_mm2[found.outline].sum())
    defects = tuple(sorted(_defects(found, total), key=lambda d: -d.area_mm2))
    defect = sum(d.area_mm2 for d in defects if not d.at_foramen)
    sound = found.outline & ~found.defect & ~found.foramen & ~found.thin
    return WallIntegrity(
        wall_mm2=total,
        width_mm=float(np.ptp(found.right_mm[found.outline.any(axis=1)])) + CELL_MM,
        height_mm=float(np.ptp(found.up_mm[found.outline.any(axis=0)])) + CELL_MM,
        cortex_hu=float(np.median(found.peak_hu[sound])) if sound.any() else None,
        cortex_mm=float(np.median(found.thickness_mm[sound])) if sound.any() else None,
        defect_mm2=float(defect),
        defect_share=float(defect) / total,
        foramen_defect_mm2=float(sum(d.area_mm2 for d in defects if d.at_foramen)),
        defects=defects,
        thin_mm2=float(found.area_mm2[found.thin & ~found.foramen].sum()),
        foramen_gap_mm2=float(found.area_mm2[found.thin & found.foramen].sum()),
    ), found


def with_canal_distances(
    integrity: WallIntegrity, found: WallMap, vertebra: UprightVertebra, canal_mm: NDArray[np.float32]
) -> WallIntegrity:
    """The same, each defect with its least distance to the canal.

    Args:
        integrity: of a wall.
        found: its map.
        vertebra: in its own frame.
        canal_mm: (X, Y, Z) distance of each voxel to the canal.
    """
    cells = WallCells(
        found.right_mm, found.up_mm, found.wall_mm.astype(np.float64), found.area_mm2, found.outline
    )
    offsets = np.arange(-DEFECT_REACH_MM, DEFECT_REACH_MM + 0.1, STEP_MM)
    mask = vertebra.masks["posterior_wall_defect"].astype(np.uint8)
    filled = profiles(mask, vertebra, cells, offsets, 0) > 0
    far = np.where(filled, profiles(canal_mm, vertebra, cells, offsets, 0), np.inf).min(axis=-1)
    numbers, _ = ndimage.label(found.defect, np.ones((3, 3)))
    least = []
    for defect in integrity.defects:
        distance = float(far[numbers == defect.number].min())
        least.append(replace(defect, canal_distance_mm=distance if np.isfinite(distance) else None))
    return replace(integrity, defects=tuple(least))


def _defects(found: WallMap, wall_mm2: float) -> Iterator[WallDefect]:
    numbers, n = ndimage.label(found.defect, np.ones((3, 3)))
    ups = found.up_mm[found.outline.any(axis=0)]
    rights = found.right_mm[found.outline.any(axis=1)]
    for number in range(1, n + 1):
        mine = numbers == number
        areas = found.area_mm2 * mine
        area = float(areas.sum())
        right, up = (
            float(areas.sum(axis=1) @ found.right_mm) / area,
            float(areas.sum(axis=0) @ found.up_mm) / area,
        )
        at_foramen = float(areas[found.foramen].sum()) > area / 2 and area <= FORAMEN_LARGEST_MM2
        across = (right - rights.min()) / max(float(np.ptp(rights)), CELL_MM)
        along = (up - ups.min()) / max(float(np.ptp(ups)), CELL_MM)
        row: Row = "lower" if along < 1 / 3 else "middle" if along < 2 / 3 else "upper"
        column: Column = "left" if across < 1 / 3 else "middle" if across < 2 / 3 else "right"
        yield WallDefect(
            number,
            area,
            area / wall_mm2,
            right - float(rights.mean()),
            up - float(ups.mean()),
            row,
            column,
            at_foramen,
        )
