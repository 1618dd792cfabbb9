"""Checks that an image can be what vertseg takes it for; each refusal is a sentence with the file's name."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import InputError
from vertseg.volume import Volume

MIN_EXTENT_MM: Final = 20.0
"""A field of view shorter than this along any axis cannot hold a vertebra."""
HIGHEST_MINIMUM_HU: Final = -150.0
"""A CT holds air or at least fat (about -100 HU less noise); an image without it is not in HU."""
LOWEST_MAXIMUM_HU: Final = 150.0
"""A CT of a spine holds bone, which is brighter than this."""
HU_LIMITS: Final = (-33000.0, 66000.0)
"""Range of 16-bit storage with an intercept; nothing that a CT scanner writes lies outside."""


def check_ct(volume: Volume, path: Path) -> None:
    """Refuse what is not a three-dimensional CT in HU.

    Raises:
        InputError: NaN or infinite values, one value everywhere, a field of view too small for a vertebra,
            or values that are not HU.
    """
    array = volume.array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise InputError(
            f"'{path}' has {bad} voxels that are not numbers (NaN or infinite); export it again."
        )
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputError(f"'{path}' holds the same value ({low:g}) in every voxel; it is no scan.")
    extents = [n * s for n, s in zip(array.shape, volume.grid.spacing_mm, strict=True)]
    if min(extents) < MIN_EXTENT_MM:
        size = " x ".join(f"{e:.1f}" for e in extents)
        raise InputError(
            f"'{path}' covers only {size} mm, too little for a vertebra; check its voxel spacing (in mm)."
        )
    if low > HIGHEST_MINIMUM_HU or high < LOWEST_MAXIMUM_HU or low < HU_LIMITS[0] or high > HU_LIMITS[1]:
        raise InputError(
            f"'{path}' does not look like a CT in HU: its values run from {low:g} to {high:g}, where air is "
            "about -1000 and bone above 150; give the CT itself, with its rescale slope and intercept applied."
        )


def check_stored(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> tuple[int, int, int]:
    """The three lengths (X, Y, Z) of a stored image of real numbers, less trailing axes of length one.

    Raises:
        InputError: it is two-dimensional, a series of volumes, colour or complex.
    """
    if dtype.fields is not None or np.issubdtype(dtype, np.complexfloating):
        raise InputError(f"'{path}' holds colours or complex numbers; a CT in HU is needed.")
    lengths = tuple(shape)
    while len(lengths) > 3 and lengths[-1] == 1:
        lengths = lengths[:-1]
    if len(lengths) > 3:
        raise InputError(
            f"'{path}' is a series of volumes (shape {_times(shape)}); give one three-dimensional volume of it."
        )
    if len(lengths) < 3 or min(lengths) < 2:
        raise InputError(
            f"'{path}' is two-dimensional (shape {_times(shape)}); a CT volume of several slices is needed."
        )
    return lengths[0], lengths[1], lengths[2]


def check_affine(affine: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """The affine, when it says where the voxels are.

    Raises:
        InputError: it has NaN, is zero or is otherwise singular.
    """
    linear = affine[:3, :3]
    lengths = np.linalg.norm(linear, axis=0)
    if not np.isfinite(affine).all() or abs(np.linalg.det(linear)) < 1e-4 * np.prod(lengths) + 1e-12:
        raise InputError(
            f"'{path}' does not say where its voxels are: its affine is zero or singular; export it again."
        )
    return affine


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
