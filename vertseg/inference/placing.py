"""What the networks say of one vertebra, brought to the scan's own voxels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.examine import Examined
from vertseg.inference.findings import Vertebra
from vertseg.inference.located import Located
from vertseg.inference.sampling import inside, sample_channels
from vertseg.labels import FINDINGS, LocateClass, Tissue
from vertseg.volume import Grid

_LEAST_AGREEMENT = 0.2

Sampled = NDArray[np.float32] | None
"""Probabilities (x, y, z) of a finding, None where it is nowhere likely enough."""


@dataclass(frozen=True)
class Placing:
    """How a crop's probabilities come to the scan's grid.

    Attributes:
        fusion: weight of the locate network inside a crop.
        least: probability below which a crop's voxels are left at zero.
        thresholds: of the findings; one that a crop nowhere reaches is left out. None for no such thing.
        layout: axes of the result from the slowest in memory: that of what it is written into.
    """

    fusion: float
    least: float
    thresholds: tuple[float, ...]
    layout: tuple[int, int, int]


def placed(
    crop: Examined, located: Located, part: Grid, how: Placing
) -> tuple[NDArray[np.float32], list[Sampled], str | None]:
    """Body and posterior (2, x, y, z) and each finding's (x, y, z) probabilities of one vertebra on `part`."""
    thresholds = how.thresholds or (-1.0,) * len(FINDINGS)
    there = [i for i, (f, t) in enumerate(zip(crop.findings, thresholds, strict=True)) if f.max() > t]
    channels = np.concatenate([crop.tissue[[Tissue.BODY, Tissue.POSTERIOR]], crop.findings[there]])
    sampled = _laid_out(channels, crop.grid.affine, part, how)
    fine = sampled[:2]
    findings: list[Sampled] = [None] * len(FINDINGS)
    for i, values in zip(there, sampled[2:], strict=True):
        findings[i] = values
    if crop.vertebra.inferred:
        return fine, findings, None
    marker = _located_parts(crop.vertebra, located)
    rough = _laid_out(marker, crop.vertebra.marker.affine, part, replace(how, least=0.0))
    covered = inside(crop.grid.shape, crop.grid.affine, part)
    marked = covered & (rough[0] + rough[1] > 0.5)
    agreed = float(np.mean((fine[0] + fine[1])[marked] > 0.5)) if marked.any() else 1.0
    if agreed < _LEAST_AGREEMENT:
        sentence = (
            f"The examine network does not confirm {crop.vertebra.name}; its outline is the locate network's."
        )
        return rough, findings, sentence
    if how.fusion > 0:
        fine = np.float32(1 - how.fusion) * fine + np.float32(how.fusion) * rough
    np.copyto(fine, rough, where=~covered)
    return fine, findings, None


def _laid_out(
    channels: NDArray[np.float32], affine: NDArray[np.float64], part: Grid, how: Placing
) -> NDArray[np.float32]:
    """`sample_channels` (C, x, y, z) on `part`, in memory as `how` says: mixed orders cost more than the sampling."""
    order = list(how.layout)
    x, y, z = (part.shape[axis] for axis in order)
    turned = sample_channels(channels, affine, Grid((x, y, z), part.affine[:, [*order, 3]]), how.least)
    return turned.transpose(0, *(np.argsort(order) + 1))


def _located_parts(vertebra: Vertebra, located: Located) -> NDArray[np.float32]:
    """Body and posterior probabilities (2, x, y, z) on the marker's own grid; zero beyond the marker."""
    start = np.rint(located.grid.voxel(vertebra.marker.affine[:3, 3])).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start, vertebra.marker.array.shape, strict=True))
    parts = located.tissue[(slice(LocateClass.BODY, LocateClass.POSTERIOR + 1), *box)]
    raised = np.where(parts.sum(axis=0) < 0.5, 0.5 / np.maximum(parts.sum(axis=0), 1e-3), 1.0)
    result = np.where(vertebra.marker.array, np.minimum(parts * raised, 1.0), 0.0)
    return np.asarray(result, dtype=np.float32)


def slowest_first(array: NDArray[Any]) -> tuple[int, int, int]:
    """Axes of an array (x, y, z) from the one whose neighbours lie farthest apart in memory."""
    x, y, z = (int(axis) for axis in np.argsort([-abs(n) for n in array.strides], kind="stable"))
    return x, y, z
