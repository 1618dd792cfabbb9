"""The posterior wall unrolled onto a plane: cortex, defects, the basivertebral foramen.

The expected wall is the surface of the body between the pedicles (`posterior_wall`). Each cell of a plane (right, up)
looks along the anterior axis through it: the highest attenuation there is the cortex's, the attenuation above the
marrow's and the canal's, divided by that of compact bone, is its thickness (the mass-preserving idea of Treece et al.,
Med Image Anal 2010;14:276-90, which holds below the scanner's resolution).

The basivertebral vein leaves the body through the middle of this wall, where a gap is physiological (Fogel et al.,
Surg Radiol Anat 2003;25:311-6), so what is found there is reported apart.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.body_surfaces import BodySurfaces
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.wall_cells import (
    CELL_MM,
    NEVER_CORTEX_HU,
    STEP_MM,
    WallCells,
    compact_hu_of,
    profiles,
    thickness_mm,
    wall_cells,
)

FORAMEN_HALF_MM: Final = 5.0
FORAMEN_HALF_SHARE: Final = 0.22
"""Half width (mm) and half height (share of the wall's) of the zone where the basivertebral foramen opens. Assumed,
wide enough for openings of up to 9 mm at mid-height."""

WEAK_SHARE: Final = 0.5
"""A cell is weak where its highest attenuation is below this point of the way from the canal's to the wall's usual one:
half way, where an edge is put. A wall that is thin but stands stays above, for marrow follows it; a hole does not."""

DEFECT_REACH_MM: Final = 4.0
"""How far before and behind the wall the mask of a defect is looked for."""

_REACH_MM: Final = (-3.5, 7.0)
_CORTEX_MM: Final = (-2.0, 3.0)
_WEAK_SIGMA_MM: Final = 0.7
_SMALLEST_MM2: Final = 3.0
_SMALLEST_THIN_MM2: Final = 8.0


@dataclass(frozen=True, eq=False)
class WallMap:
    """Cells (right, up) of the wall's plane; index grows to the patient's right and up.

    Attributes:
        cell_mm: edge of a cell.
        right_mm: (R,) places of the cells from the body centre.
        up_mm: (U,) the same.
        wall_mm: (R, U) anterior place of the expected wall's canal side, from the body centre.
        peak_hu: (R, U) highest attenuation across the wall; NaN outside of the outline.
        deficit_hu: (R, U) how much that is below the wall's own cortex; NaN outside.
        thickness_mm: (R, U) estimated thickness of cortex; NaN outside.
        area_mm2: (R, U) surface of the wall in each cell.
        outline: (R, U) bool, the expected wall.
        defect: (R, U) bool.
        foramen: (R, U) bool, where the basivertebral foramen opens.
        thin: (R, U) bool, cortex weak in the image.
    """

    cell_mm: float
    right_mm: NDArray[np.float64]
    up_mm: NDArray[np.float64]
    wall_mm: NDArray[np.float32]
    peak_hu: NDArray[np.float32]
    deficit_hu: NDArray[np.float32]
    thickness_mm: NDArray[np.float32]
    area_mm2: NDArray[np.float32]
    outline: NDArray[np.bool_]
    defect: NDArray[np.bool_]
    foramen: NDArray[np.bool_]
    thin: NDArray[np.bool_]


def wall_map(vertebra: UprightVertebra, surfaces: BodySurfaces, wall: PosteriorWall) -> WallMap | None:
    """The wall as a map; None where pedicles and endplates leave no cell of it.

    Args:
        vertebra: in its own frame.
        surfaces: of its body.
        wall: its posterior wall.
    """
    cells = wall_cells(wall, surfaces)
    if not cells.outline.any():
        return None
    offsets = np.arange(*_REACH_MM, STEP_MM)
    hu = np.minimum(profiles(vertebra.hu, vertebra, cells, offsets, 1), NEVER_CORTEX_HU)
    peak = hu[..., (offsets >= _CORTEX_MM[0]) & (offsets <= _CORTEX_MM[1])].max(axis=-1)
    canal = float(np.median(hu[..., 0][cells.outline]))
    defect = _defect_cells(vertebra, cells)
    foramen = _foramen_zone(cells, wall)
    sound = cells.outline & ~defect & ~foramen
    if not sound.any():
        sound = cells.outline
    cortex = float(np.median(peak[sound]))
    # Noise of single cells would be taken for holes.
    weak = ndimage.gaussian_filter(peak, _WEAK_SIGMA_MM / CELL_MM) < canal + WEAK_SHARE * (cortex - canal)
    thin = _without_small(cells.outline & ~defect & weak, cells.area_mm2, _SMALLEST_THIN_MM2)
    thickness = thickness_mm(hu, offsets, compact_hu_of(vertebra))

    def masked(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        return np.where(cells.outline, values, np.nan).astype(np.float32)

    return WallMap(
        CELL_MM, cells.right_mm, cells.up_mm, cells.wall_mm.astype(np.float32), masked(peak), masked(cortex - peak),
        masked(thickness), cells.area_mm2.astype(np.float32), cells.outline, defect, foramen & cells.outline, thin,
    )  # fmt: skip


def wall_map_values(found: WallMap, cell_mm: float = 2.0) -> dict[str, Any]:
    """The map as plain values for JSON, in cells of about `cell_mm`; null outside of the wall.

    Rows go from the top of the wall down, columns from the patient's right to the left, as the wall is seen from
    behind mirrored, or from the front.
    """
    step = max(1, round(cell_mm / found.cell_mm))

    def table(values: NDArray[np.float32]) -> list[list[float | None]]:
        coarse = values[::-1, ::-1][::step, ::step].T
        return [[None if np.isnan(v) else round(float(v), 1) for v in row] for row in coarse]

    shown = np.where(found.outline, found.defect, np.nan).astype(np.float32)
    return {
        "cell_mm": step * found.cell_mm,
        "right_mm": [round(float(v), 2) for v in found.right_mm[::-1][::step]],
        "up_mm": [round(float(v), 2) for v in found.up_mm[::-1][::step]],
        "peak_hu": table(found.peak_hu),
        "deficit_hu": table(found.deficit_hu),
        "thickness_mm": table(found.thickness_mm),
        "defect": table(shown),
    }


def _defect_cells(vertebra: UprightVertebra, cells: WallCells) -> NDArray[np.bool_]:
    """Cells of the wall behind or before which the defect's mask lies."""
    mask = vertebra.masks["posterior_wall_defect"]
    if not mask.any():
        return np.zeros_like(cells.outline)
    offsets = np.arange(-DEFECT_REACH_MM, DEFECT_REACH_MM + 0.1, STEP_MM)
    share = profiles(mask.astype(np.float32), vertebra, cells, offsets, 1).max(axis=-1)
    return _without_small((share >= 0.5) & cells.outline, cells.area_mm2, _SMALLEST_MM2)


def _foramen_zone(cells: WallCells, wall: PosteriorWall) -> NDArray[np.bool_]:
    heights = cells.up_mm[cells.outline.any(axis=0)]
    middle, half = float(heights.mean()), FORAMEN_HALF_SHARE * (float(np.ptp(heights)) + CELL_MM)
    across = np.abs(cells.right_mm - wall.middle_mm) <= FORAMEN_HALF_MM
    return np.asarray(across[:, None] & (np.abs(cells.up_mm - middle) <= half)[None])


def _without_small(
    mask: NDArray[np.bool_], area_mm2: NDArray[np.floating[Any]], smallest_mm2: float
) -> NDArray[np.bool_]:
    numbers, n = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(numbers.ravel(), area_mm2.ravel(), n + 1)
    areas[0] = 0.0
    return np.asarray((areas >= smallest_mm2)[numbers])
