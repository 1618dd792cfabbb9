"""A drawn spine of boxes in the axes of the patient, and its files in the layouts of public sets."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from vertseg.labels import COCCYX, SACRUM, LocateClass

SPACING_MM = 3.0
STEP = 10
BODY_HU, POSTERIOR_HU = 300.0, 400.0


@dataclass(frozen=True)
class Spine:
    """RAS arrays of one scan; the levels' middles (3,) of the bodies in voxels."""

    hu: NDArray[np.int16]
    level: NDArray[np.uint8]
    tissue: NDArray[np.uint8]
    middles: dict[int, NDArray[np.float64]]


def drawn_spine(levels: tuple[int, ...] = (19, 20, 21, 22, 23), seed: int = 0) -> Spine:
    """Levels from head to foot, growing toward the feet, right of the middle of the scan, air around the body."""
    shape = (34, 40, STEP * len(levels) + 8)
    hu = np.full(shape, -1000.0)
    hu[2:-2, 2:-2] = 30.0
    level, tissue = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    middles = {}
    for place, number in enumerate(levels):
        top = shape[2] - 4 - STEP * place
        wide = 4 + place // 2
        body = np.s_[20 - wide : 20 + wide, 22:32, top - 8 : top]
        posterior = np.s_[18:22, 10:22, top - 6 : top - 2]
        for box, part, value in (
            (body, LocateClass.BODY, BODY_HU),
            (posterior, LocateClass.POSTERIOR, POSTERIOR_HU),
        ):
            level[box], hu[box] = number, value
            tissue[box] = LocateClass.SACRUM if number in (SACRUM, COCCYX) else part
        middles[number] = np.array([19.5, 26.5, top - 4.5])
    hu += np.random.default_rng(seed).normal(0, 15, shape)
    return Spine(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), level, tissue, middles)


def affine(codes: str = "RAS", shape: tuple[int, ...] = (0, 0, 0)) -> NDArray[np.float64]:
    """Affine of a file whose axes grow to `codes` (in the order x, y, z), for the same places as RAS."""
    matrix = np.diag([SPACING_MM] * 3 + [1.0])
    for axis, (code, plain) in enumerate(zip(codes, "RAS", strict=True)):
        if code != plain:
            matrix[axis, axis] = -SPACING_MM
            matrix[axis, 3] = SPACING_MM * (shape[axis] - 1)
    return matrix


def save(path: Path, array: NDArray[Any], matrix: NDArray[np.float64] | None = None) -> Path:
    """Write NIfTI; RAS at 3 mm if no affine is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, affine() if matrix is None else matrix)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def save_verse(
    root: Path, stem: str, spine: Spine, centroids: str = "seg-subreg", level: NDArray[Any] | None = None
) -> None:
    """A subject-based VerSe case, stored P-I-R as VerSe's sagittal scans are."""
    subject = stem.split("_")[0]
    matrix = np.zeros((4, 4))
    shape = spine.hu.shape
    matrix[1, 0], matrix[2, 1], matrix[0, 2], matrix[3, 3] = -SPACING_MM, -SPACING_MM, SPACING_MM, 1
    matrix[1, 3], matrix[2, 3] = SPACING_MM * (shape[1] - 1), SPACING_MM * (shape[2] - 1)
    save(root / "rawdata" / subject / f"{stem}_ct.nii.gz", _pir(spine.hu), matrix)
    folder = root / "derivatives" / subject
    save(folder / f"{stem}_seg-vert_msk.nii.gz", _pir(spine.level if level is None else level), matrix)
    entries: list[dict[str, Any]] = [{"direction": ["P", "I", "R"]}]
    for number, (x, y, z) in spine.middles.items():
        entries.append({"label": number, "X": shape[1] - 1 - y, "Y": shape[2] - 1 - z, "Z": x})
    (folder / f"{stem}_{centroids}_ctd.json").write_text(json.dumps(entries))


def _pir(array: NDArray[Any]) -> NDArray[Any]:
    return array.transpose(1, 2, 0)[::-1, ::-1]
