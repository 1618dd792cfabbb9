"""Where sliding windows lie and how much each voxel of one counts, as in `monai.inferers`."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice, slice]

_SIGMA_SHARE = 0.125
_LEAST_WEIGHT = 1e-3


def window_boxes(shape: Sequence[int], window: Sequence[int], overlap: float) -> list[Box]:
    """Boxes of windows that cover `shape` (X, Y, Z), which is nowhere smaller than `window`.

    Neighbours overlap by the share `overlap` of a window; the last one along each axis is moved back to end at
    the border.
    """
    starts = []
    for size, length in zip(shape, window, strict=True):
        step = length if length >= size else max(1, int(length * (1 - overlap)))
        n = -(-max(0, size - length) // step) + 1
        starts.append([min(i * step, size - length) for i in range(n)])
    x, y, z = window
    return [(slice(i, i + x), slice(j, j + y), slice(k, k + z)) for i, j, k in product(*starts)]


def window_weights(window: Sequence[int]) -> NDArray[np.float32]:
    """Weights (X, Y, Z) of a window's voxels: a Gaussian of an eighth of its lengths, at least 0.001."""
    weights = np.ones((), dtype=np.float32)
    for n in window:
        x = np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)
        weights = weights[..., None] * np.exp(-0.5 * (x / np.float32(_SIGMA_SHARE * n)) ** 2)
    return np.maximum(weights, max(float(weights.min()), _LEAST_WEIGHT), dtype=np.float32)


def box_about(centre_vox: Sequence[float], shape: Sequence[int], window: Sequence[int], z: slice) -> Box:
    """The window in the slab `z` whose middle is nearest to a place (x, y), inside `shape`."""
    sides = []
    for middle, size, length in zip(centre_vox, shape, window, strict=False):
        start = int(np.clip(round(middle - length / 2), 0, size - length))
        sides.append(slice(start, start + length))
    return sides[0], sides[1], z


def near_sides(mask: NDArray[np.bool_], box: Box, shape: Sequence[int], margin: int) -> int:
    """Voxels of a box's mask (x, y, z) within `margin` of a side in x or y beyond which the image goes on."""
    low, high = slice(None, margin), slice(-margin, None)
    sides = (
        (box[0].start > 0, mask[low]),
        (box[0].stop < shape[0], mask[high]),
        (box[1].start > 0, mask[:, low]),
        (box[1].stop < shape[1], mask[:, high]),
    )
    return sum(int(np.count_nonzero(side)) for goes_on, side in sides if goes_on)
