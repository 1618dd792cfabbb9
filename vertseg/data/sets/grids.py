"""Label files on their scan's grid, and in words what is different where they do not lie on it."""

from pathlib import Path
from typing import Final

import numpy as np

from vertseg.errors import InputError
from vertseg.io import read_labels
from vertseg.volume import Grid, Volume

NEAR_VOX: Final = 0.5
"""Equal shapes whose voxels lie closer than this are one grid with rounded headers."""

_SPACING_TOLERANCE: Final = 1e-3


def read_labels_near(path: Path, scan: Volume) -> Volume:
    """Labels of a NIfTI file, RAS, on the scan's voxels; the affine stays the file's own.

    Raises:
        InputError: it cannot be read, is no label map, or lies elsewhere; the sentence says how the grids differ.
    """
    labels = read_labels(path)
    difference = grid_difference(scan.grid, labels.grid)
    if difference is not None:
        raise InputError(
            f"'{path}' does not lie on its image's grid: {difference}; resample the labels to the image."
        )
    return labels


def grid_difference(image: Grid, labels: Grid) -> str | None:
    """What is different between a scan's grid and its labels', both RAS; None where voxel lies on voxel."""
    if image.shape != labels.shape:
        return f"the shape is {_times(labels.shape)}, the image's {_times(image.shape)} (both in RAS order)"
    if image.matches(labels, NEAR_VOX):
        return None
    own, other = np.array(image.spacing_mm), np.array(labels.spacing_mm)
    if np.abs(own / other - 1).max() > _SPACING_TOLERANCE:
        return f"the spacing is {_mm(other)}, the image's {_mm(own)}"
    corners = image.corners_mm()
    apart = np.linalg.norm(labels.corners_mm() - corners, axis=1).max()
    turned = np.abs(image.affine[:3, :3] - labels.affine[:3, :3]).max() > _SPACING_TOLERANCE * own.max()
    moved = labels.corners_mm().mean(axis=0) - corners.mean(axis=0)
    how = "it is turned against the image" if turned else f"it is moved by {_mm(moved)} (right, anterior, up)"
    return f"the affine differs: {how}, up to {apart:.1f} mm at the corners"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _mm(values: np.ndarray) -> str:
    return f"{', '.join(f'{v:.2f}' for v in values)} mm"
