"""Label maps as NRRD, in patient coordinates that grow to Left, Posterior and Superior, as ITK and 3D Slicer keep them.

Format: https://teem.sourceforge.net/nrrd/format.html; the `Segment` keys are those of 3D Slicer's `.seg.nrrd`
(https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html).
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.volume import Volume

_LPS: Final = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Segment:
    """A label's name and RGB colour (0-255)."""

    name: str
    colour: tuple[int, int, int]


def nrrd_bytes(volume: Volume, segments: Mapping[int, Segment] | None = None, packed: bool = False) -> bytes:
    """An NRRD file of a label map.

    Args:
        volume: (X, Y, Z) unsigned integers with an affine to RAS mm; x runs fastest in the file.
        segments: number -> segment, for a .seg.nrrd; None for a plain .nrrd.
        packed: compress with gzip; readers in browsers often take raw data only.
    """
    array: NDArray[Any] = volume.array
    axes = _LPS @ volume.affine[:3, :3]
    lines = [
        "NRRD0004",
        f"type: {array.dtype.name}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in array.shape)}",
        f"space directions: {' '.join(_vector(axes[:, i]) for i in range(3))}",
        "kinds: domain domain domain",
        "endian: little",
        f"encoding: {'gzip' if packed else 'raw'}",
        f"space origin: {_vector(_LPS @ volume.affine[:3, 3])}",
    ]
    for index, (number, segment) in enumerate(sorted((segments or {}).items())):
        colour = " ".join(f"{c / 255:.4f}" for c in segment.colour)
        lines += [
            f"Segment{index}_ID:={segment.name}",
            f"Segment{index}_Name:={segment.name}",
            f"Segment{index}_Color:={colour}",
            f"Segment{index}_LabelValue:={number}",
            f"Segment{index}_Layer:=0",
        ]
    voxels = np.asfortranarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes(order="F")
    return ("\n".join(lines) + "\n\n").encode() + (gzip.compress(voxels, 1) if packed else voxels)


def _vector(values: NDArray[np.float64]) -> str:
    return f"({','.join(repr(float(v) + 0.0) for v in values)})"
