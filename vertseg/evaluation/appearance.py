"""Whether phantoms look like a real scan: HU of the same tissues in both, by one rule for both.

The rule needs nothing but vertebra labels without parts, for that is all a real scan has. Each lumbar vertebra
that is whole in view gets its centre and axes from `vertseg.frames`, and in that frame (right, anterior,
up; mm):

- body: labelled, a voxel or more from the label's surface, no more than 8 mm behind the centre;
- cortex: the voxels of the label's surface there, which hold shell, endplate and partial volume;
- muscle: 12 to 40 mm beside the midline, 32 to 60 mm behind the centre, within 12 mm of its height, and a voxel
  away from every label: the erector spinae with the fat in it, whatever its HU;
- fat: -250 to -30 HU and a voxel away from anything else, within 110 mm beside, 110 mm behind and 60 mm before
  the centre and 12 mm of its height.

Body and cortex leave out voxels that a phantom marks as a finding; the real scan's are unknown and stay in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.errors import InputError
from vertseg.frames import LabelledVertebra, labelled_vertebrae
from vertseg.labels import LUMBAR
from vertseg.volume import Volume

TISSUES: Final = ("body", "cortex", "muscle", "fat")
BIN_HU: Final = {"body": 10.0, "cortex": 15.0, "muscle": 5.0, "fat": 5.0}
"""Width of a histogram's bins: about a fifth of the real scan's interquartile range."""

_FAT_HU: Final = (-250.0, -30.0)
_RANGE_HU: Final = (-1024.0, 3072.0)

Samples = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class _Frame:
    """Coordinates in mm of every voxel in a vertebra's frame, each (X, Y, Z)."""

    right: NDArray[np.float64]
    anterior: NDArray[np.float64]
    up: NDArray[np.float64]


def lumbar_vertebrae(level: Volume) -> list[LabelledVertebra]:
    """The whole lumbar vertebrae of a label map, found without its parts.

    Raises:
        InputError: there is none.
    """
    found = [v for v in labelled_vertebrae(level, None) if v.level in LUMBAR]
    if not found:
        raise InputError("The labels show no lumbar vertebra whole; a comparison needs some of L1 to L5.")
    return found


def tissue_samples(hu: Volume, level: Volume, sick: NDArray[np.bool_] | None = None) -> Samples:
    """HU (n,) of each of `TISSUES` about the lumbar vertebrae.

    Args:
        hu: scan in RAS.
        level: VerSe numbers on the same grid.
        sick: (X, Y, Z) voxels of findings, left out of body and cortex.

    Raises:
        InputError: no lumbar vertebra is whole in view.
    """
    bone = level.array > 0
    near_bone = ndimage.binary_dilation(bone)
    fat_like = (hu.array > _FAT_HU[0]) & (hu.array < _FAT_HU[1])
    pure_fat = ndimage.binary_erosion(fat_like, np.ones((3, 3, 3), dtype=bool))
    masks = {name: np.zeros(bone.shape, dtype=bool) for name in TISSUES}
    for vertebra in lumbar_vertebrae(level):
        at = _frame(level, vertebra)
        mine = (level.array == vertebra.level) & (at.anterior > -8)
        inner = mine & ndimage.binary_erosion(level.array == vertebra.level)
        slab, beside = np.abs(at.up) < 12, np.abs(at.right)
        masks["body"] |= inner
        masks["cortex"] |= mine & ~inner
        masks["muscle"] |= (
            slab & (beside > 12) & (beside < 40) & (at.anterior > -60) & (at.anterior < -32) & ~near_bone
        )
        masks["fat"] |= slab & (beside < 110) & (at.anterior > -110) & (at.anterior < 60) & pure_fat
    if sick is not None:
        for name in ("body", "cortex"):
            masks[name] &= ~sick
    return {name: hu.array[mask].astype(np.float32) for name, mask in masks.items()}


def _frame(level: Volume, vertebra: LabelledVertebra) -> _Frame:
    matrix = vertebra.axes.T @ level.affine[:3, :3]
    origin = vertebra.axes.T @ (level.affine[:3, 3] - vertebra.centre_mm)
    i, j, k = np.meshgrid(*map(np.arange, level.array.shape), indexing="ij", sparse=True)
    right, anterior, up = (m[0] * i + m[1] * j + m[2] * k + o for m, o in zip(matrix, origin, strict=True))
    return _Frame(right, anterior, up)


def histogram(samples: NDArray[np.float32], bin_hu: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share (bins,) of the samples in bins of a width, and the bins' middles."""
    edges = np.arange(_RANGE_HU[0], _RANGE_HU[1] + bin_hu, bin_hu)
    counts, _ = np.histogram(samples, edges)
    return counts / max(1, counts.sum()), 0.5 * (edges[1:] + edges[:-1])


def overlap(a: NDArray[np.float32], b: NDArray[np.float32], bin_hu: float) -> float:
    """Area that two histograms share: 1 where they are the same, 0 where they have no bin in common."""
    return float(np.minimum(histogram(a, bin_hu)[0], histogram(b, bin_hu)[0]).sum())


def compare(real: Samples, phantoms: Sequence[Samples]) -> dict[str, Any]:
    """Figures by tissue, as plain values.

    `overlap` is that of the real scan's histogram with that of all phantoms together, `overlap_centred` the same
    after each phantom's median was moved onto the real one's: how patients differ is taken out, and what is left
    is the shape. `real_rank` is the share of phantoms whose median lies below the real one's.
    """
    result: dict[str, Any] = {}
    for name in TISSUES:
        mine, others = real[name], [p[name] for p in phantoms if p[name].size]
        if not mine.size or not others:
            result[name] = None
            continue
        middle = float(np.median(mine))
        medians = [float(np.median(o)) for o in others]
        moved = [o - m + middle for o, m in zip(others, medians, strict=True)]
        result[name] = {
            "overlap": round(overlap(mine, np.concatenate(others), BIN_HU[name]), 3),
            "overlap_centred": round(overlap(mine, np.concatenate(moved), BIN_HU[name]), 3),
            "real": _figures(mine),
            "phantoms": _figures(np.concatenate(others)),
            "phantom_medians": [round(m, 1) for m in sorted(medians)],
            "phantom_iqrs": sorted(_figures(o)["iqr"] for o in others),
            "real_rank": round(float(np.mean([m < middle for m in medians])), 3),
        }
    return result


def _figures(samples: NDArray[np.float32]) -> dict[str, float]:
    low, middle, high = (float(q) for q in np.percentile(samples, [25, 50, 75]))
    return {"n": int(samples.size), "median": round(middle, 1), "iqr": round(high - low, 1)}
