"""The scan and its masks as the page's viewer gets them: cropped to the spine, coarser, 8 bits, gzipped NIfTI."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import Findings
from vertseg.labels import FINDING_COLOURS, level_colour, level_name
from vertseg.volume import Grid, Volume

WINDOW_HU: Final = (-250.0, 1025.0)
"""HU that the 8 bits span, in steps of 5: fat to dense cortex; cement and metal are cut off at the top."""

MOST_VOXELS: Final = 4_500_000
"""Of the reduced scan: about 3 MB of noise-free CT at 8 bits, so that the page stays below 15 MB."""

_LEAST_SPACING_MM: Final = 1.0
_MARGIN_MM: Final = ((58.0, 58.0), (85.0, 55.0), (48.0, 48.0))
"""Beyond the body centres: to left and right, behind and in front, below and above."""

_COMPRESSION: Final = 4


@dataclass(frozen=True)
class Layer:
    """One volume of the viewer.

    Attributes:
        name: "ct", "levels" or one of `labels.FINDINGS`.
        nifti: gzipped NIfTI file.
        colours: label value -> RGB (0-255) and name; empty for the CT.
    """

    name: str
    nifti: bytes
    colours: Mapping[int, tuple[tuple[int, int, int], str]]


def scene_grid(findings: Findings, scan: Grid) -> Grid:
    """World-aligned cubic grid around the vertebrae, inside the scan, of at most `MOST_VOXELS`."""
    corners = scan.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    if findings.vertebrae:
        centres = np.array([v.centroid_mm for v in findings.vertebrae])
        margins = np.array(_MARGIN_MM)
        low = np.maximum(low, centres.min(axis=0) - margins[:, 0])
        high = np.maximum(low + 1, np.minimum(high, centres.max(axis=0) + margins[:, 1]))
    extent = high - low
    spacing = max(_LEAST_SPACING_MM, float((np.prod(extent) / MOST_VOXELS) ** (1 / 3)))
    x, y, z = (max(1, int(n)) for n in np.ceil(extent / spacing - 1e-3))
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = low + spacing / 2
    return Grid((x, y, z), affine)


def scene_layers(findings: Findings, scan: Volume) -> tuple[Layer, ...]:
    """CT, levels and every finding that is in the scan, on one grid.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
    """
    grid = scene_grid(findings, scan.grid)
    layers = [Layer("ct", _ct(scan.resampled_to(grid, 1, -1024.0)), {})]
    levels = findings.levels.resampled_to(grid, 0, 0)
    shown = [int(n) for n in np.unique(levels.array) if n]
    colours = {n: (level_colour(n), level_name(n)) for n in shown}
    if shown:
        layers.append(Layer("levels", _labels(levels.array, grid), colours))
    for name, colour in FINDING_COLOURS.items():
        mask = findings.masks[name].resampled_to(grid, 0, 0)
        if mask.array.any():
            layers.append(Layer(name, _labels(mask.array > 0, grid), {1: (colour, name)}))
    return tuple(layers)


def _ct(hu: Volume) -> bytes:
    low, high = WINDOW_HU
    step = (high - low) / 255
    stored = np.rint((np.clip(hu.array, low, high) - low) / step).astype(np.uint8)
    header = nib.Nifti1Header()
    header.set_slope_inter(step, low)
    return _file(stored, hu.grid, header)


def _labels(array: NDArray[Any], grid: Grid) -> bytes:
    return _file(np.asarray(array, dtype=np.uint8), grid, None)


def _file(array: NDArray[np.uint8], grid: Grid, header: Any) -> bytes:
    image = nib.Nifti1Image(array, grid.affine, header)
    image.header.set_data_dtype(np.uint8)
    image.header.set_xyzt_units("mm")
    if header is not None:
        image.header.set_slope_inter(*header.get_slope_inter())
    return gzip.compress(_bytes(image), _COMPRESSION, mtime=0)


def _bytes(image: Any) -> bytes:
    """The file of a NIfTI image whose array is stored as it is: nibabel would undo the slope before writing."""
    header = image.header.copy()
    header["magic"], header["vox_offset"] = b"n+1", 352
    return bytes(header.binaryblock) + b"\0\0\0\0" + np.asarray(image.dataobj).tobytes(order="F")
