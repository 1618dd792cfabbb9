"""Checks of a scan by itself and of how its labels lie on it."""

from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.data.sets.problems import Problem, error, warning
from vertseg.volume import Volume

MAX_SPACING_MM: Final = 6.0
MAX_ANISOTROPY: Final = 12.0
"""5 mm slices of 0.45 mm voxels, as public sets have, are still even."""
_HEADER_TOLERANCE: Final = 0.01
_THIN_MM: Final = 2.0
_SHELL_VOX: Final = 2
_HU_WINDOW: Final = (-200.0, 600.0)
_BETTER_HU: Final = 40.0
_WEAK_HU: Final = 20.0
_MIRRORS: Final = ("left to right", "front to back", "upside down")


def thinned(volume: Volume, edge_mm: float = _THIN_MM) -> Volume:
    """Every n-th voxel along each axis, so that spacings stay at most `edge_mm` where they were finer."""
    steps = [max(1, int(edge_mm / s + 1e-3)) for s in volume.grid.spacing_mm]
    array = volume.array[:: steps[0], :: steps[1], :: steps[2]]
    return Volume(np.ascontiguousarray(array), volume.affine @ np.diag([*steps, 1.0]))


def check_spacing(spacing_mm: tuple[float, float, float]) -> list[Problem]:
    """Warnings for spacings that a spine CT hardly has."""
    found, words = [], " x ".join(f"{s:.2f}" for s in spacing_mm)
    if max(spacing_mm) > MAX_SPACING_MM:
        found.append(
            warning(
                "spacing",
                f"The spacing is {words} mm; above {MAX_SPACING_MM:.0f} mm a vertebra is hardly seen.",
            )
        )
    if max(spacing_mm) / min(spacing_mm) > MAX_ANISOTROPY:
        found.append(
            warning(
                "spacing",
                f"The spacing is {words} mm: one axis is more than {MAX_ANISOTROPY:.0f} times as coarse as another; "
                "check the header.",
            )
        )
    return found


def check_header(path: Path) -> list[Problem]:
    """Warnings for a NIfTI header that contradicts itself: spacing against affine, sform against qform.

    Args:
        path: of the scan or a label map; anything but NIfTI passes.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return []
    header: Any = nib.load(path).header
    found = []
    affine = header.get_best_affine()
    zooms, lengths = np.array(header["pixdim"][1:4], float), np.linalg.norm(affine[:3, :3], axis=0)
    if (zooms <= 0).any() or np.abs(zooms / lengths - 1).max() > _HEADER_TOLERANCE:
        found.append(
            warning(
                "header",
                f"'{path}' says the spacing is {_list(zooms)} mm but its affine {_list(lengths)} mm; the affine is "
                "used.",
            )
        )
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is not None and qform is not None:
        if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
            found.append(
                warning(
                    "header",
                    f"The sform and qform of '{path}' are mirror images of each other; the sform is used: look at "
                    "whether left and right are right.",
                )
            )
        elif np.abs(sform - qform).max() > 1.0:
            found.append(warning("header", f"The sform and qform of '{path}' differ; the sform is used."))
    return found


def check_fit(hu: Volume, level: Volume) -> list[Problem]:
    """Whether the labels lie on bone, or would do so better when mirrored.

    The measure is the mean HU (clipped) of the labels less that of a shell about them.

    Args:
        hu: the scan, RAS.
        level: VerSe numbers on the same grid.
    """
    image, labels = thinned(hu), thinned(level).array > 0
    values = np.clip(image.array, *_HU_WINDOW)
    own = _contrast(values, labels)
    if own is None:
        return []
    for axis, words in enumerate(_MIRRORS):
        mirrored = _contrast(values, np.flip(labels, axis))
        if mirrored is not None and mirrored > max(own, 0) + _BETTER_HU:
            return [
                error(
                    "labels on bone",
                    f"The labels are {own:.0f} HU brighter than what lies about them, but {mirrored:.0f} HU when "
                    f"mirrored {words}: image and labels seem to be flipped against each other.",
                )
            ]
    if own < _WEAK_HU:
        return [
            warning(
                "labels on bone",
                f"The labels are only {own:.0f} HU brighter than what lies about them; look at whether they lie on "
                "the vertebrae.",
            )
        ]
    return []


def _contrast(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> float | None:
    """Mean inside less mean in a shell of `_SHELL_VOX` to twice that about it; None where either is empty."""
    box = ndimage.find_objects(mask.astype(np.uint8))
    if not box:
        return None
    margin = 2 * _SHELL_VOX
    wide = tuple(
        slice(max(s.start - margin, 0), min(s.stop + margin, n))
        for s, n in zip(box[0], mask.shape, strict=True)
    )
    inner, about = mask[wide], values[wide]
    near = ndimage.binary_dilation(inner, iterations=_SHELL_VOX)
    shell = ndimage.binary_dilation(near, iterations=_SHELL_VOX) & ~near
    if not shell.any():
        return None
    return float(about[inner].mean() - about[shell].mean())


def _list(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{v:.3g}" for v in values)
