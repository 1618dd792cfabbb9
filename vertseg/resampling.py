"""Resampling of arrays through an affine, with anti-aliasing where the target is coarser.

The work is done on the part of the source that the target needs. When the axes of both grids are parallel,
each axis is one banded matrix product (smoothing and interpolation together); otherwise the smoothed source
is interpolated by `scipy.ndimage.affine_transform`.
"""

from itertools import product
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_FWHM_PER_SIGMA: Final = 2 * np.sqrt(2 * np.log(2))
_PARALLEL_TOLERANCE_VOX: Final = 1e-3
_EDGE_TOLERANCE_VOX: Final = 1e-4
_TRUNCATE_SIGMAS: Final = 3.0
_BLOCK: Final = 16


def resample(
    array: NDArray[Any],
    to_source: NDArray[np.float64],
    shape: tuple[int, int, int],
    order: Literal[0, 1],
    fill: float,
) -> NDArray[Any]:
    """Values of `array` at the voxels of a target grid.

    A source voxel reaches half a voxel around its centre: inside that, values at the border are continued;
    outside, the result is `fill`.

    Args:
        array: source (X, Y, Z).
        to_source: 4x4, target voxel index to source voxel index.
        shape: target shape (X, Y, Z).
        order: 0 nearest (type kept) or 1 linear (float32), smoothed first along each source axis on which the
            target steps are longer, by the Gaussian whose FWHM makes up the difference of the voxel
            footprints (Cardoso et al. 2015, IPMI, scale factor point spread function matching).
        fill: value outside the source.
    """
    matrix, offset = _snapped(to_source[:3, :3]), _snapped(to_source[:3, 3])
    dtype = np.dtype(np.float32) if order == 1 else array.dtype
    sigmas = _sigmas(matrix) if order == 1 else np.zeros(3)
    box = _needed(array.shape, matrix, offset, shape, sigmas)
    if box is None:
        return np.full(shape, fill, dtype=dtype)
    x, y, z = (slice(start, stop) for start, stop in box)
    part = array[x, y, z]
    start = np.array([b[0] for b in box], dtype=np.float64)
    ends = np.array(array.shape) - 1 - start

    axes = _parallel_axes(matrix, shape)
    if axes is None:
        result = _general(part, (matrix, offset - start), shape, order, sigmas)
        _fill_outside(result, (matrix, offset - start), (-start, ends), fill)
        return result
    part = part.transpose([axes.index(target) for target in range(3)])
    outside = dict[int, NDArray[np.bool_]]()
    # The axis whose neighbours lie farthest apart first: its blocks are whole pieces of memory.
    layout = sorted(range(3), key=lambda axis: -abs(part.strides[axis]))
    result = part.transpose(layout)
    for target in layout:
        source = axes.index(target)
        at = matrix[source, target] * np.arange(shape[target]) + offset[source] - start[source]
        low, high = -start[source] - 0.5, ends[source] + 0.5
        outside[target] = (at < low - _EDGE_TOLERANCE_VOX) | (at > high + _EDGE_TOLERANCE_VOX)
        result = _along(result, layout.index(target), at, float(sigmas[source]) if order == 1 else None)
    result = np.ascontiguousarray(result.transpose([layout.index(t) for t in range(3)]), dtype=dtype)
    for target, beyond in outside.items():
        if beyond.any():
            index: list[Any] = [slice(None)] * 3
            index[target] = beyond
            result[tuple(index)] = fill
    return result


def _snapped(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers freed of rounding noise around integers, so that equal lattices resample exactly."""
    nearest = np.rint(numbers)
    return np.where(np.abs(numbers - nearest) < 1e-7, nearest, numbers)


def _sigmas(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation in source voxels of the smoothing along each source axis; 0 where none is due."""
    steps = np.linalg.norm(matrix, axis=1)
    sigmas: NDArray[np.float64] = np.sqrt(np.maximum(steps**2 - 1.0, 0.0)) / _FWHM_PER_SIGMA
    return np.where(sigmas < 0.1, 0.0, sigmas)


def _needed(
    source_shape: tuple[int, ...],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    shape: tuple[int, int, int],
    sigmas: NDArray[np.float64],
) -> list[tuple[int, int]] | None:
    """Source voxels (start, stop) per axis that the target draws on; None when the two do not meet."""
    corners = np.array(list(product(*((0, n - 1) for n in shape)))) @ matrix.T + offset
    reach = np.ceil(_TRUNCATE_SIGMAS * sigmas) + 1
    low, high = np.floor(corners.min(axis=0) - reach), np.ceil(corners.max(axis=0) + reach)
    box = []
    for axis, n in enumerate(source_shape):
        if corners[:, axis].max() < -0.51 or corners[:, axis].min() > n - 0.49:
            return None
        box.append((int(np.clip(low[axis], 0, n - 1)), int(np.clip(high[axis], 0, n - 1)) + 1))
    return box


def _parallel_axes(matrix: NDArray[np.float64], shape: tuple[int, int, int]) -> list[int] | None:
    """Target axis parallel to each source axis, or None when the grids are turned or sheared."""
    axes = [int(np.argmax(np.abs(row) * shape)) for row in matrix]
    axes = axes if sorted(axes) == [0, 1, 2] else [int(np.argmax(np.abs(row))) for row in matrix]
    if sorted(axes) != [0, 1, 2]:
        return None
    drift = np.abs(matrix) * (np.array(shape) - 1)
    for source, target in enumerate(axes):
        drift[source, target] = 0.0
    return axes if drift.sum(axis=1).max() <= _PARALLEL_TOLERANCE_VOX else None


def _along(array: NDArray[Any], axis: int, at: NDArray[np.float64], sigma: float | None) -> NDArray[Any]:
    """Values at positions `at` along one axis: nearest when sigma is None, else smoothed and linear."""
    n = array.shape[axis]
    nearest = np.clip(np.floor(at + 0.5).astype(np.int64), 0, n - 1)
    if sigma is None or (sigma == 0.0 and np.array_equal(np.clip(at, 0, n - 1), nearest)):
        return np.take(array, nearest, axis=axis)
    weights, first = _weights(at, n, sigma)
    if axis != 0:
        array = array.astype(np.float32, copy=False)
    shape = list(array.shape)
    shape[axis] = len(at)
    result = np.empty(shape, dtype=np.float32)
    for begin in range(0, len(at), _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, len(at)))
        low = int(first[rows].min())
        high = min(n, int(first[rows].max()) + weights.shape[1])
        band = np.zeros((rows.stop - rows.start, high - low), dtype=np.float32)
        for row in range(rows.start, rows.stop):
            take = min(weights.shape[1], high - int(first[row]))
            shift = int(first[row]) - low
            band[row - rows.start, shift : shift + take] = weights[row, :take]
        if axis == 0:
            flat = array[low:high].astype(np.float32, copy=False).reshape(high - low, -1)
            result[rows] = (band @ flat).reshape(-1, *array.shape[1:])
        elif axis == 1:
            result[:, rows] = band @ array[:, low:high]
        else:
            result[:, :, rows] = array[:, :, low:high] @ band.T
    return result


def _weights(at: NDArray[np.float64], n: int, sigma: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Weights (targets, taps) and the first source index of each, for a source continued at its border."""
    at = np.clip(at, -0.5, n - 0.5)
    radius = int(np.ceil(_TRUNCATE_SIGMAS * sigma))
    kernel = np.ones(1)
    if sigma > 0:
        kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        kernel /= kernel.sum()
    left = np.floor(at).astype(np.int64)
    part = (at - left)[:, None]
    taps = np.zeros((len(at), len(kernel) + 1))
    taps[:, :-1] += (1 - part) * kernel
    taps[:, 1:] += part * kernel
    index = left[:, None] - radius + np.arange(len(kernel) + 1)
    width = min(n, taps.shape[1])
    first = np.clip(index[:, 0], 0, n - width)
    weights = np.zeros((len(at), width))
    place = np.clip(np.clip(index, 0, n - 1) - first[:, None], 0, width - 1)
    np.add.at(weights, (np.arange(len(at))[:, None], place), taps)
    return weights.astype(np.float32), first


def _general(
    part: NDArray[Any],
    placed: tuple[NDArray[np.float64], NDArray[np.float64]],
    shape: tuple[int, int, int],
    order: Literal[0, 1],
    sigmas: NDArray[np.float64],
) -> NDArray[Any]:
    """Turned or sheared grids: smooth, then interpolate; the border is continued."""
    matrix, offset = placed
    if order == 0:
        data = part.view(np.uint8) if part.dtype == np.bool_ else part
        nearest = ndimage.affine_transform(data, matrix, offset, output_shape=shape, order=0, mode="nearest")
        return nearest.astype(part.dtype, copy=False)
    data = part.astype(np.float32, copy=False)
    for axis in np.flatnonzero(sigmas):
        data = _along(data, int(axis), np.arange(data.shape[axis], dtype=np.float64), float(sigmas[axis]))
    result: NDArray[Any] = ndimage.affine_transform(
        data, matrix, offset, output_shape=shape, order=1, mode="nearest", output=np.float32
    )
    return result


def _fill_outside(
    result: NDArray[Any],
    placed: tuple[NDArray[np.float64], NDArray[np.float64]],
    centres: tuple[NDArray[np.float64], NDArray[np.float64]],
    fill: float,
) -> None:
    """Set to `fill`, in place, what lies beyond the source; slab by slab, to keep memory small."""
    matrix, offset = placed
    low, high = centres[0] - 0.5 - _EDGE_TOLERANCE_VOX, centres[1] + 0.5 + _EDGE_TOLERANCE_VOX
    y, z = (np.arange(n, dtype=np.float64) for n in result.shape[1:])
    for x in range(result.shape[0]):
        beyond = np.zeros(result.shape[1:], dtype=np.bool_)
        for axis in range(3):
            row = matrix[axis]
            at = (row[0] * x + offset[axis]) + row[1] * y[:, None] + row[2] * z[None, :]
            beyond |= (at < low[axis]) | (at > high[axis])
        result[x][beyond] = fill
