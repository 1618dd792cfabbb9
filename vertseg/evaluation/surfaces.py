"""Dice, surface Dice and Hausdorff distance of two masks, cropped to where either is."""

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from monai.metrics.utils import get_edge_surface_distance
from numpy.typing import NDArray

from vertseg.evaluation.metrics import dice

NSD_TOLERANCE_MM: Final = 1.0
"""Surfaces this near to each other agree."""

_PERCENTILE: Final = 0.95


@dataclass(frozen=True)
class Overlap:
    """How a predicted mask lies on a true one.

    Attributes:
        dice: None where both are empty.
        nsd: share of both surfaces within `NSD_TOLERANCE_MM` of the other one (Nikolov et al. 2021, J Med Internet
            Res 23:e26151); 0 where one mask is empty, None where both are.
        hd95_mm: the larger of the two directions' 95th percentiles of surface distance; None where a mask is empty.
        truth_ml: volume of the true mask.
        predicted_ml: volume of the predicted one.
    """

    dice: float | None
    nsd: float | None
    hd95_mm: float | None
    truth_ml: float
    predicted_ml: float


def bounding_box(mask: NDArray[np.bool_], margin: int = 1) -> tuple[slice, slice, slice] | None:
    """The box (X, Y, Z) around a mask with a margin in voxels, inside the array; None for an empty mask."""
    slices = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        at = np.flatnonzero(mask.any(axis=others))
        if at.size == 0:
            return None
        slices.append(slice(max(0, int(at[0]) - margin), min(mask.shape[axis], int(at[-1]) + 1 + margin)))
    return slices[0], slices[1], slices[2]


def overlap(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> Overlap:
    """Figures of a predicted mask (X, Y, Z) against a true one on the same grid.

    Surface elements and their areas are MONAI's (`compute_surface_dice` with subvoxels); its surface distances are
    computed once and serve both figures.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    box = bounding_box(predicted | truth)
    if box is None:
        return Overlap(None, None, None, 0.0, 0.0)
    p, t = np.ascontiguousarray(predicted[box]), np.ascontiguousarray(truth[box])
    volumes = int(t.sum()) * voxel_ml, int(p.sum()) * voxel_ml
    if not p.any() or not t.any():
        return Overlap(0.0, 0.0, None, *volumes)
    with warnings.catch_warnings():
        # MONAI warns of an argument that it gives itself.
        warnings.simplefilter("ignore", FutureWarning)
        result: Any = get_edge_surface_distance(
            torch.from_numpy(p), torch.from_numpy(t), spacing=spacing_mm, use_subvoxels=True, symmetric=True
        )
    edges, distances, areas = result
    near = sum(
        float(area[edge][distance <= NSD_TOLERANCE_MM].sum())
        for edge, distance, area in zip(edges, distances, areas, strict=True)
    )
    whole = sum(float(area[edge].sum()) for edge, area in zip(edges, areas, strict=True))
    hd95 = max(float(torch.quantile(distance.double(), _PERCENTILE)) for distance in distances)
    return Overlap(dice(p, t), near / whole, hd95, *volumes)
