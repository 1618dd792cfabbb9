"""Cells of the posterior wall's plane, and what a line through each of them meets."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.body_surfaces import BodySurfaces
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.upright import UprightVertebra

CELL_MM: Final = 0.5

STEP_MM: Final = 0.5
"""Distance of the places along each line."""

MARROW_FROM_MM: Final = 4.5
"""How far in front of the wall there is nothing but marrow."""

NEVER_CORTEX_HU: Final = 2200.0
"""Brighter than any bone: metal and cement."""

_COMPACT_HU: Final = (700.0, 1600.0)


@dataclass(frozen=True, eq=False)
class WallCells:
    """Cells of the wall's plane: their places, the wall there, and which are wall."""

    right_mm: NDArray[np.float64]
    up_mm: NDArray[np.float64]
    wall_mm: NDArray[np.floating[Any]]
    area_mm2: NDArray[np.floating[Any]]
    outline: NDArray[np.bool_]


def wall_cells(wall: PosteriorWall, surfaces: BodySurfaces) -> WallCells:
    """Cells that cover the wall between pedicles and endplates, and the wall's place and surface in each."""
    left, right = wall.middle_mm - wall.half_width_mm, wall.middle_mm + wall.half_width_mm
    known = np.isfinite(wall.wall_mm)
    heights = wall.up_mm[known.any(axis=0)]
    rights = _centres(left, right)
    ups = _centres(heights.min() - 0.5, heights.max() + 0.5)
    filled = _extended(wall.wall_mm)
    at = np.meshgrid(
        np.interp(rights, wall.right_mm, np.arange(len(wall.right_mm))),
        np.interp(ups, wall.up_mm, np.arange(len(wall.up_mm))),
        indexing="ij",
    )
    place = ndimage.map_coordinates(filled, at, order=1, mode="nearest")
    slopes = np.gradient(ndimage.gaussian_filter(place, 3.0), CELL_MM)
    area = CELL_MM**2 * np.sqrt(1 + np.clip(slopes[0] ** 2 + slopes[1] ** 2, 0, 3))
    outline = ndimage.map_coordinates(known.astype(np.float32), at, order=1, mode="nearest") >= 0.5
    r, u = np.meshgrid(rights, ups, indexing="ij")
    top, bottom = (
        plane.height_mm + plane.right_slope * r + plane.anterior_slope * place
        for plane in (surfaces.upper, surfaces.lower)
    )
    outline &= (u <= top + 1.0) & (u >= bottom - 1.0)
    return WallCells(rights, ups, place, area, outline)


def _centres(low: float, high: float) -> NDArray[np.float64]:
    n = max(1, round((high - low) / CELL_MM))
    centres: NDArray[np.float64] = (low + high) / 2 + (np.arange(n, dtype=np.float64) - (n - 1) / 2) * CELL_MM
    return centres


def _extended(wall_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The surface with its nearest known place where it is not known."""
    unknown = ~np.isfinite(wall_mm)
    index = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return np.asarray(wall_mm[tuple(index)], dtype=np.float64)


def profiles(
    array: NDArray[Any],
    vertebra: UprightVertebra,
    cells: WallCells,
    offsets: NDArray[np.float64],
    order: Literal[0, 1],
) -> NDArray[np.float32]:
    """Values (R, U, n) along the anterior axis at mm from the wall."""
    centre, step = vertebra.centre_vox, vertebra.spacing_mm
    r, u = np.meshgrid(cells.right_mm / step + centre[0], cells.up_mm / step + centre[2], indexing="ij")
    a = (cells.wall_mm[..., None] + offsets) / step + centre[1]
    shape = a.shape
    at = [np.broadcast_to(r[..., None], shape), a, np.broadcast_to(u[..., None], shape)]
    values = ndimage.map_coordinates(array, at, order=order, mode="nearest", output=np.float32)
    return np.asarray(values, dtype=np.float32)


def thickness_mm(
    hu: NDArray[np.float32], offsets: NDArray[np.float64], compact_hu: float
) -> NDArray[np.float64]:
    """Thickness (mm) of cortex: what lies above a step from canal to marrow, over compact bone's attenuation."""
    canal = hu[..., :2].mean(axis=-1, keepdims=True)
    marrow = np.median(hu[..., offsets >= MARROW_FROM_MM], axis=-1, keepdims=True)
    ground = np.where(offsets < 0, canal, marrow)
    near = (offsets >= -3.0) & (offsets <= MARROW_FROM_MM)
    mass = np.maximum(hu - ground, 0.0)[..., near].sum(axis=-1) * STEP_MM
    height = compact_hu - 0.5 * (canal + marrow)[..., 0]
    return np.asarray(np.clip(mass / np.maximum(height, 200.0), 0.0, 6.0))


def compact_hu_of(vertebra: UprightVertebra) -> float:
    """Attenuation of this vertebra's compact bone: the brightest part of its posterior elements."""
    bone = vertebra.hu[vertebra.posterior & ~vertebra.masks["cement"]]
    bone = bone[bone < NEVER_CORTEX_HU]
    return float(np.clip(np.percentile(bone, 99), *_COMPACT_HU)) if bone.size > 100 else _COMPACT_HU[0]
