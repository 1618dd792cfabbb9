"""Several channels at once from one grid to another."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.volume import Grid

_BOX_SIGMA = 1 / np.sqrt(12)
"""Standard deviation of a box of width 1, which a voxel is."""


def sample_channels(
    channels: NDArray[np.float32], affine: NDArray[np.float64], target: Grid
) -> NDArray[np.float32]:
    """Linear interpolation of (C, X, Y, Z) at the voxels of `target`, zero outside.

    Where a target voxel is larger than a channel's voxel along a channel axis, the channels are first
    smoothed by a Gaussian whose variance is what the larger box has more (thick slices then hold the mean
    over their thickness, as the scanner gives it).

    Args:
        channels: values, such as probabilities.
        affine: 4x4, voxel of `channels` to world mm.
        target: grid of the result (C, x, y, z).
    """
    import torch
    from torch.nn import functional

    to_source = np.linalg.inv(affine) @ target.affine
    reach = np.abs(to_source[:3, :3]).max(axis=1)
    sigma = _BOX_SIGMA * np.sqrt(np.maximum(reach**2 - 1.0, 0.0))
    if (sigma > 0.3).any():
        channels = np.stack(
            [ndimage.gaussian_filter(c, sigma, mode="nearest", truncate=2.5) for c in channels]
        )
    shape = np.array(channels.shape[1:])
    scale = 2.0 / np.maximum(shape - 1, 1)
    matrix = to_source[:3, :3] * scale[:, None]
    shift = to_source[:3, 3] * scale - 1.0
    i, j, k = (torch.arange(n, dtype=torch.float32) for n in target.shape)
    coordinates = [
        (float(matrix[axis, 0]) * i + float(shift[axis]))[:, None, None]
        + (float(matrix[axis, 1]) * j)[None, :, None]
        + (float(matrix[axis, 2]) * k)[None, None, :]
        for axis in (2, 1, 0)
    ]
    where = torch.stack(coordinates, dim=-1)[None]
    values = torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))[None]
    sampled = functional.grid_sample(values, where, mode="bilinear", padding_mode="zeros", align_corners=True)
    return np.asarray(sampled[0].numpy())


def inside(shape: tuple[int, int, int], affine: NDArray[np.float64], target: Grid) -> NDArray[np.bool_]:
    """Which voxels (x, y, z) of `target` lie within the voxel centres of a grid of `shape` and `affine`."""
    to_source = np.linalg.inv(affine) @ target.affine
    i, j, k = (np.arange(n, dtype=np.float32) for n in target.shape)
    result = np.ones(target.shape, dtype=bool)
    for axis in range(3):
        m = to_source[axis].astype(np.float32)
        at = (m[0] * i + m[3])[:, None, None] + (m[1] * j)[None, :, None] + (m[2] * k)[None, None, :]
        result &= (at >= 0) & (at <= shape[axis] - 1)
    return result


def box_of(points_mm: NDArray[np.float64], grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Start and stop (exclusive) voxels of the box of `grid` that holds world points (n, 3); None if outside."""
    vox = grid.voxel(points_mm)
    start = np.maximum(np.floor(vox.min(axis=0)).astype(np.int64), 0)
    stop = np.minimum(np.ceil(vox.max(axis=0)).astype(np.int64) + 1, grid.shape)
    return None if (stop <= start).any() else (start, stop)


def sub_grid(grid: Grid, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Grid:
    """The box of a grid from `start` up to, not including, `stop`, at its place in the world."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(start)
    x, y, z = (int(n) for n in stop - start)
    return Grid((x, y, z), affine)
