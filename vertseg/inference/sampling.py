"""Several channels at once from one grid to another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from vertseg.volume import Grid

_BOX_SIGMA = 1 / np.sqrt(12)
"""Standard deviation of a box of width 1, which a voxel is."""
_BLOCK_VOXELS = 1 << 17


def sample_channels(
    channels: NDArray[np.float32], affine: NDArray[np.float64], target: Grid, least: float = 0.0
) -> NDArray[np.float32]:
    """Linear interpolation of (C, X, Y, Z) at the voxels of `target`, zero outside.

    Where a target voxel is larger than a channel's voxel along a channel axis, the channels are first
    smoothed by a Gaussian whose variance is what the larger box has more (thick slices then hold the mean
    over their thickness, as the scanner gives it).

    Args:
        channels: values of zero or more, such as probabilities.
        affine: 4x4, voxel of `channels` to world mm.
        target: grid of the result (C, x, y, z).
        least: where no channel's neighbours reach this, the result is zero and costs nothing.
    """
    to_source = np.linalg.inv(affine) @ target.affine
    reach = np.abs(to_source[:3, :3]).max(axis=1)
    sigma = _BOX_SIGMA * np.sqrt(np.maximum(reach**2 - 1.0, 0.0))
    if (sigma > 0.3).any():
        channels = np.stack(
            [ndimage.gaussian_filter(c, sigma, mode="nearest", truncate=2.5) for c in channels]
        )
    # Two zeros on every side: values fade to zero within one voxel, and all beyond falls into empty cells.
    values = np.pad(channels, [(0, 0), (2, 2), (2, 2), (2, 2)]).astype(np.float32, copy=False)
    used = _used_cells(values, least)
    rows = np.ascontiguousarray(np.moveaxis(values, 0, -1)).reshape(-1, len(values))
    to_source[:3, 3] += 2.0
    result = np.zeros((len(values), *target.shape), dtype=np.float32)
    slab = max(1, _BLOCK_VOXELS // (target.shape[1] * target.shape[2]))
    for start in range(0, target.shape[0], slab):
        part = result[:, start : start + slab]
        at = _positions(to_source, (start, *target.shape[1:]), part.shape[1], values.shape[1:])
        cell = [a.astype(np.int32) for a in at]
        flat = (cell[0] * values.shape[2] + cell[1]) * values.shape[3] + cell[2]
        x, y, z = np.nonzero(used[flat])
        if x.size:
            fractions = [a[x, y, z] - c[x, y, z] for a, c in zip(at, cell, strict=True)]
            matrix = _interpolation(flat[x, y, z], fractions, values.shape[1:])
            part[:, x, y, z] = (matrix @ rows).T
    return result


def _positions(
    to_source: NDArray[np.float64], first: tuple[int, int, int], planes: int, shape: tuple[int, ...]
) -> list[NDArray[np.float32]]:
    """Positions (planes, y, z) along each axis of a source of `shape`, held within it.

    `first` is the index of the first plane, and how many rows and columns it has.
    """
    i = np.arange(first[0], first[0] + planes)[:, None, None]
    j, k = np.arange(first[1])[None, :, None], np.arange(first[2])[None, None, :]
    positions = []
    for (a, b, c, d), n in zip(to_source[:3], shape, strict=True):
        plane = (b * j + c * k).astype(np.float32)
        at = plane + (a * i + d).astype(np.float32)
        positions.append(np.clip(at, 0.0, n - 1.5, out=at))
    return positions


def _used_cells(values: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """Whether one of the eight corners of the cell that begins at a voxel is above 0 and `least` or more, flat."""
    highest = values.max(axis=0)
    filled = (highest > 0) & (highest >= least)
    for axis in range(3):
        low: list[Any] = [slice(None)] * 3
        high: list[Any] = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        either = filled.copy()
        either[tuple(low)] |= filled[tuple(high)]
        filled = either
    return np.asarray(filled.ravel())


def _interpolation(
    cells: NDArray[np.int32], fractions: list[NDArray[np.float32]], shape: tuple[int, ...]
) -> sparse.csr_matrix:
    """Matrix (points, voxels) of the eight corners' weights, for points in `cells` (flat index of the first corner)."""
    n = len(cells)
    corners = np.empty((n, 8), dtype=np.int32)
    weights = np.empty((n, 8), dtype=np.float32)
    x, y, z = fractions
    column = 0
    for i, of_x in enumerate((1 - x, x)):
        for j, of_y in enumerate((1 - y, y)):
            of_xy = of_x * of_y
            for k, of_z in enumerate((1 - z, z)):
                corners[:, column] = cells + ((i * shape[1] + j) * shape[2] + k)
                np.multiply(of_xy, of_z, out=weights[:, column])
                column += 1
    ends = np.arange(0, 8 * n + 1, 8, dtype=np.int32)
    return sparse.csr_matrix((weights.ravel(), corners.ravel(), ends), shape=(n, int(np.prod(shape))))


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
