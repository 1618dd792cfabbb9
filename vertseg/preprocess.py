"""The one preprocessing: what both networks see, in training, evaluation and prediction alike."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vertseg.volume import Grid, Volume, crop_grid

AIR_HU: Final = -1024.0
"""What lies outside the scan."""

NORMALISATION: Final = "clip_-1000_2000_v1"
"""Name of `normalise_hu` in a checkpoint's JSON; changes whenever the function does."""

CROP_POSTERIOR_SHIFT_MM: Final = 18.0
"""The crop's centre is the body's centre moved this far backward, so that the arch fits in."""

POINT_MARKER_RADIUS_MM: Final = 15.0
"""Radius of the ball that stands in for a marker when only a point is known."""

KNOTS_HU: Final = np.array([-1000.0, -200.0, 300.0, 1000.0, 2000.0], np.float32)
KNOTS_VALUE: Final = np.array([-1.0, -0.5, 0.75, 1.5, 2.0], np.float32)


@dataclass(frozen=True)
class CropSpec:
    """Shape (X, Y, Z) in voxels and isotropic spacing of the crop that the examine network sees."""

    shape: tuple[int, int, int] = (64, 64, 64)
    spacing_mm: float = 1.5


def normalise_hu(hu: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float32]:
    """Network input of HU values, any shape: clipped to [-1000, 2000], mapped to [-1, 2] in straight pieces.

    Soft tissue and trabecular bone (-200 to 300 HU) get five times the contrast of lung and metal.
    """
    return np.asarray(np.interp(hu, KNOTS_HU, KNOTS_VALUE), np.float32)


def locate_grid(source: Grid, spacing_mm: float, within: Grid | None = None) -> Grid:
    """Grid of the locate network: world-aligned, isotropic, covering `source`, or the part of it in `within`."""
    whole = source.covering(spacing_mm)
    if within is None:
        return whole
    corners = whole.voxel(within.corners_mm())
    start = np.clip(np.floor(corners.min(axis=0) + 0.5), 0, np.array(whole.shape) - 1).astype(int)
    stop = np.clip(np.ceil(corners.max(axis=0) + 0.5), start + 1, whole.shape).astype(int)
    affine = whole.affine.copy()
    affine[:3, 3] = whole.world(start)
    x, y, z = (int(n) for n in stop - start)
    return Grid((x, y, z), affine)


def locate_hu(volume: Volume, spacing_mm: float, within: Grid | None = None) -> Volume:
    """HU of a scan on its locate grid (anti-aliased, air outside): `locate_input` before normalisation."""
    return volume.resampled_to(locate_grid(volume.grid, spacing_mm, within), 1, AIR_HU)


def locate_input(volume: Volume, spacing_mm: float, within: Grid | None = None) -> Volume:
    """The locate network's input of a scan: float32 (X, Y, Z), RAS, isotropic `spacing_mm`, normalised.

    Args:
        volume: the scan in HU.
        spacing_mm: of the network.
        within: what of the scan is wanted; None takes all. Voxels lie at the same places either way.
    """
    resampled = locate_hu(volume, spacing_mm, within)
    return Volume(normalise_hu(resampled.array), resampled.affine)


def crop_centre(centre_mm: ArrayLike, axes: ArrayLike) -> NDArray[np.float64]:
    """World centre (3,) of the crop of a vertebra whose body is centred at `centre_mm`.

    `axes` (3, 3) has the vertebra's right, anterior and up unit vectors in its columns.
    """
    return np.asarray(centre_mm, np.float64) - CROP_POSTERIOR_SHIFT_MM * np.asarray(axes, np.float64)[:, 1]


def point_marker(spec: CropSpec) -> NDArray[np.float32]:
    """Marker (X, Y, Z) when only a body's centre is known: a soft ball about it."""
    positions = [(np.arange(n) - (n - 1) / 2) * spec.spacing_mm for n in spec.shape]
    positions[1] = positions[1] - CROP_POSTERIOR_SHIFT_MM
    x, y, z = np.meshgrid(*positions, indexing="ij", sparse=True)
    distance_mm = np.sqrt(x**2 + y**2 + z**2)
    ball = np.clip((POINT_MARKER_RADIUS_MM - distance_mm) / spec.spacing_mm + 0.5, 0, 1)
    return np.asarray(ball, np.float32)


def stack_examine(hu: NDArray[np.float32], marker: NDArray[np.float32]) -> NDArray[np.float32]:
    """Channels (2, X, Y, Z) of the examine network: normalised image, marker in [0, 1]."""
    return np.stack([normalise_hu(hu), np.clip(marker, 0, 1).astype(np.float32)])


def examine_crop(
    volume: Volume, centre_mm: ArrayLike, axes: ArrayLike, marker: Volume | None, spec: CropSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32], Grid]:
    """HU and marker, each (X, Y, Z), and the crop's grid: `examine_input` before normalisation."""
    grid = crop_grid(crop_centre(centre_mm, axes), np.asarray(axes, np.float64), spec.shape, spec.spacing_mm)
    hu = volume.resampled_to(grid, 1, AIR_HU).array
    if marker is None:
        rough = point_marker(spec)
    else:
        rough = Volume(marker.array.astype(np.float32), marker.affine).resampled_to(grid, 1, 0.0).array
    return hu, rough, grid


def examine_input(
    volume: Volume, centre_mm: ArrayLike, axes: ArrayLike, marker: Volume | None, spec: CropSpec
) -> tuple[NDArray[np.float32], Grid]:
    """The examine network's input of one vertebra, and the grid on which it lies.

    Args:
        volume: the scan, HU.
        centre_mm: centre of the vertebral body, world RAS mm.
        axes: (3, 3), columns are the vertebra's right, anterior and up unit vectors.
        marker: mask of this vertebra on any grid; None puts a ball at the body's centre.
        spec: shape and spacing of the crop.

    Returns:
        float32 (2, X, Y, Z) (image, marker) and the crop's grid.
    """
    hu, rough, grid = examine_crop(volume, centre_mm, axes, marker, spec)
    return stack_examine(hu, rough), grid
