"""A small numbered map on an oblique grid, written as sets in NIfTI have it."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

SHAPE = (16, 14, 20)
OBLIQUE = np.array(
    [[-2.1, -0.7, 0.1, 30.0], [0.7, -2.1, 0.3, -12.5], [0.1, 0.4, 2.9, -700.25], [0.0, 0.0, 0.0, 1.0]]
)
FLIPPED = np.diag([1.5, -2.0, -1.5, 1.0])
L4_BOX = np.s_[4:10, 3:10, 12:17]
L5_BOX = np.s_[4:10, 3:10, 6:11]
SACRUM_BOX = np.s_[5:9, 3:8, 1:5]
LESION_BOX = np.s_[5:8, 6:10, 13:16]


def drawn_map(**numbers: int) -> NDArray[np.uint8]:
    """Boxes called l4, l5, sacrum and lesion with the numbers given; later ones are drawn over earlier ones."""
    boxes = {"l4": L4_BOX, "l5": L5_BOX, "sacrum": SACRUM_BOX, "lesion": LESION_BOX}
    drawn = np.zeros(SHAPE, np.uint8)
    for name, number in numbers.items():
        drawn[boxes[name]] = number
    return drawn


def write_nifti(path: Path, array: NDArray[Any], affine: NDArray[np.float64] = OBLIQUE) -> None:
    """A file as nibabel writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def write_scan(path: Path, affine: NDArray[np.float64] = OBLIQUE) -> None:
    """Noise from -1000 to 1000 HU."""
    hu = np.random.default_rng(1).integers(-1000, 1000, SHAPE).astype(np.int16)
    write_nifti(path, hu, affine)


def write_json(path: Path, **content: Any) -> None:
    """A JSON object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4))
