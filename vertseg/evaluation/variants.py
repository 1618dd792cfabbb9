"""Copies of one scan that a prediction should not be shaken by: turned, flipped in storage, coarse, noisy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vertseg.volume import Grid, Volume

DEGREES: Final = 20.0
SLICE_MM: Final = 5.0
NOISE_HU: Final = 50.0
"""Standard deviation of the white noise; about what a low-dose abdominal scan has at thin slices."""

_AIR_HU: Final = -1024.0
_STORED: Final = "LPI"


@dataclass(frozen=True, eq=False)
class Variant:
    """A copy of a scan in HU with the reference's level numbers on its grid."""

    name: str
    hu: Volume
    levels: Volume


def variants(hu: Volume, levels: Volume, seed: int = 0) -> Iterator[Variant]:
    """The scan itself, then its copies.

    - `rotated_x`, `_y`, `_z`: the patient turned by 20 degrees about the right, anterior and up axis, on a
      world-aligned grid of the scan's own spacing that holds all of it; what the scan does not show is air;
    - `flipped`: every axis stored backwards, at the same place in the world;
    - `slices_5mm`: slices of 5 mm, each the mean over its thickness;
    - `noisy`: with white noise of 50 HU.

    Args:
        hu: scan, RAS.
        levels: level numbers on the same grid.
        seed: of the noise.
    """
    yield Variant("as it is", hu, levels)
    for name, axis in (("rotated_x", (1, 0, 0)), ("rotated_y", (0, 1, 0)), ("rotated_z", (0, 0, 1))):
        turn = Rotation.from_rotvec(np.radians(DEGREES) * np.array(axis)).as_matrix()
        yield _on(
            name, _turned(hu, turn), _turned(levels, turn), _cover(_turned(hu, turn).grid, hu.grid.spacing_mm)
        )
    yield Variant("flipped", hu.oriented(_STORED), levels.oriented(_STORED))
    x, y, _ = hu.grid.spacing_mm
    yield _on("slices_5mm", hu, levels, _coarse(hu.grid, (x, y, SLICE_MM)))
    noise = np.random.default_rng(seed).normal(0.0, NOISE_HU, hu.array.shape)
    yield Variant("noisy", hu.with_array((hu.array + noise).astype(np.float32)), levels)


def _on(name: str, hu: Volume, levels: Volume, grid: Grid) -> Variant:
    return Variant(name, hu.resampled_to(grid, 1, _AIR_HU), levels.resampled_to(grid, 0, 0.0))


def _turned(volume: Volume, turn: NDArray[np.float64]) -> Volume:
    """The same voxels at places turned about the scan's middle."""
    middle = volume.grid.world((np.array(volume.array.shape) - 1) / 2)
    about = np.eye(4)
    about[:3, :3], about[:3, 3] = turn, middle - turn @ middle
    return Volume(volume.array, about @ volume.affine)


def _cover(grid: Grid, spacing_mm: tuple[float, float, float]) -> Grid:
    """World-aligned RAS grid of a spacing around another grid."""
    corners = grid.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    x, y, z = (max(1, int(np.ceil(n - 1e-6))) for n in (high - low) / spacing_mm)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = low + np.array(spacing_mm) / 2
    return Grid((x, y, z), affine)


def _coarse(grid: Grid, spacing_mm: tuple[float, float, float]) -> Grid:
    """The same axes with another spacing, whole voxels inside the grid."""
    scale = np.array(spacing_mm) / grid.spacing_mm
    x, y, z = (max(1, int(n + 1e-6)) for n in np.array(grid.shape) / scale)
    affine = grid.affine.copy()
    affine[:3, :3] *= scale
    affine[:3, 3] = grid.world((scale - 1) / 2)
    return Grid((x, y, z), affine)
