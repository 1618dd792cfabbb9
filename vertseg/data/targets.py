"""Offset targets: from each vertebra voxel to the centre of its vertebra's body."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from vertseg.labels import N_LEVELS, LocateClass
from vertseg.nets.losses import IGNORED, is_vertebra
from vertseg.nets.unet import OFFSET_SCALE_MM


def centres_from_labels(level: NDArray[np.uint8], tissue: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """Centres (29, 3) in voxels by level, NaN where a level is absent, for sets that carry no centres.

    The centroid of the level's body voxels where bodies are annotated, else of the whole level mask: the
    latter lies some 15 mm behind the body's centre, so sets with parts teach the better offset.
    """
    centres = np.full((N_LEVELS, 3), np.nan, np.float32)
    body = None if tissue is None else tissue == LocateClass.BODY
    for number, box in enumerate(ndimage.find_objects(level, max_label=N_LEVELS - 1), start=1):
        if box is None:
            continue
        mask = level[box] == number
        if body is not None and (mask & body[box]).any():
            mask = mask & body[box]
        start = [s.start for s in box]
        centres[number] = np.argwhere(mask).mean(axis=0) + start
    return centres


def offset_target(
    level: Tensor, centres_vox: Tensor, spacing_mm: float, stride: int
) -> tuple[Tensor, Tensor]:
    """Targets of the offset head and where they count.

    Args:
        level: (N, x, y, z) level numbers, every `stride`-th voxel of the patch.
        centres_vox: (N, 29, 3) centres by level in voxels of the patch, NaN where unknown.
        spacing_mm: edge of the patch's voxels.
        stride: voxels of the patch per voxel of `level`.

    Returns:
        target (N, 3, x, y, z) in mm / `OFFSET_SCALE_MM`, from the middle of each `stride`-block of voxels to
        its level's centre, and mask (N, x, y, z) of vertebra voxels whose centre is known.
    """
    numbers = torch.where(level == IGNORED, torch.zeros_like(level), level).long()
    samples = torch.arange(level.shape[0], device=level.device).view(-1, 1, 1, 1)
    centre = centres_vox[samples, numbers]
    axes = [torch.arange(n, device=level.device, dtype=torch.float32) for n in level.shape[1:]]
    position = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) * stride + (stride - 1) / 2
    target = (centre - position) * (spacing_mm / OFFSET_SCALE_MM)
    mask = is_vertebra(level) & ~target.isnan().any(-1)
    return target.nan_to_num().movedim(-1, 1), mask
