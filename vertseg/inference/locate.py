"""The locate network over a whole scan."""

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.engines import Arrays, Engine
from vertseg.inference.located import Located
from vertseg.inference.options import Progress
from vertseg.inference.window_mean import WindowMean
from vertseg.inference.windows import Box, box_about, near_sides, window_boxes
from vertseg.preprocess import AIR_HU, locate_input, normalise_hu
from vertseg.volume import Grid, Volume

WINDOW = (80, 80, 96)
"""Voxels of a sliding window; what training sees is of this order."""
_OVERLAP = 0.25
_BONE_HU = 120.0
_LEAST_BONE_VOXELS = 50
_PATIENT_HU = -500
_STRIDE = 4
_SPINE = 0.5
_LEAST_SPINE_VOXELS = 100
"""Of a slab, about 3 ml; fewer are no reason to believe that the spine is in the window."""
FOLLOW_SPINE = False
"""Whether one window about the spine may stand for all of a slab's. It takes a half to a quarter of the windows, but
until `scripts/diagnose_levels.py` has shown on all its validation phantoms that levels stay right, all are run."""
_SIDE_MARGIN = 4
_BEHIND_BONE = 8
"""Voxels by which the spine lies behind the middle of all bone, with ribs, hips or skull: 24 mm at 3 mm."""
_TOP = 16
"""Voxels of the upper end of what was found in a slab, about which the next window lies: 48 mm at 3 mm."""

Place = tuple[float, float]


def locate_scan(volume: Volume, engine: Engine, progress: Progress) -> Located:
    """Outputs of the locate network on the part of its grid that holds the patient.

    The image is cut into slabs from foot to head, each a window high, and each covered by sliding windows. With
    `FOLLOW_SPINE` one window about the spine is run in each slab: about the bone at first, then above what was found
    in the slab below; the sliding ones follow where it shows no vertebra, or one that comes near its sides. Windows
    with fewer than 50 voxels above 120 HU hold no vertebra and are not run. What several windows see is averaged.
    Levels and offsets are kept where a window gives vertebra a probability of 0.01 or more, which is all that they
    are read for.

    Args:
        volume: RAS scan in HU.
        engine: runs the network.
        progress: told of every slab.
    """
    image = locate_input(volume, engine.locate_spacing_mm, patient_box(volume))
    outputs = _over_windows(image.array, engine, progress)
    return Located(
        grid=image.grid,
        tissue=outputs["tissue"],
        level=outputs["level"],
        offset_mm=outputs["offset_mm"],
        source=volume.grid,
    )


def patient_box(volume: Volume) -> Grid:
    """The box of a RAS scan outside which is air, told from every fourth voxel and widened by eight."""
    stride = np.array([_STRIDE if n > 8 * _STRIDE else 1 for n in volume.array.shape])
    x, y, z = (slice(None, None, int(n)) for n in stride)
    dense = volume.array[x, y, z] > _PATIENT_HU
    start, stop = np.zeros(3, dtype=np.int64), np.array(dense.shape)
    if dense.any():
        for axis in range(3):
            seen = np.flatnonzero(dense.any(axis=tuple(a for a in range(3) if a != axis)))
            start[axis], stop[axis] = seen[0], seen[-1] + 1
    low = np.maximum(start * stride - 2 * _STRIDE, 0)
    high = np.minimum(stop * stride + 2 * _STRIDE, volume.array.shape)
    return volume.cropped(low, high).grid


def _window_size(size: int, window: int, multiple: int) -> int:
    """The window, or the next multiple that holds the whole size where that is less."""
    return min(max(window // multiple, 1), -(-size // multiple)) * multiple


def _over_windows(image: NDArray[np.float32], engine: Engine, progress: Progress) -> Arrays:
    """Weighted means (C, X, Y, Z) of `Engine.locate`'s outputs over the windows of an image (X, Y, Z).

    An image smaller than a window lies in the middle of one, in air.
    """
    lengths = zip(image.shape, WINDOW, strict=True)
    window = [_window_size(n, w, engine.locate_multiple) for n, w in lengths]
    missing = [max(0, w - n) for n, w in zip(image.shape, window, strict=True)]
    inner = tuple(slice(m // 2, m // 2 + n) for m, n in zip(missing, image.shape, strict=True))
    if any(missing):
        air = float(normalise_hu(np.array([AIR_HU]))[0])
        image = np.pad(image, [(m // 2, m - m // 2) for m in missing], constant_values=air)
    mean = WindowMean(image.shape, window)
    bone = image > float(normalise_hu(np.array([_BONE_HU]))[0])
    boxes = window_boxes(image.shape, window, _OVERLAP)
    slabs = sorted({(box[2].start, box[2].stop) for box in boxes})
    below: Place | None = None
    for done, (low, high) in enumerate(slabs, start=1):
        slab = slice(low, high)
        below = _slab(image, bone, [box for box in boxes if box[2] == slab], (engine, mean, below))
        progress("locate", done, len(slabs))
    return {name: total[(slice(None), *inner)] for name, total in mean.outputs().items()}


def _slab(
    image: NDArray[np.float32],
    bone: NDArray[np.bool_],
    boxes: list[Box],
    state: tuple[Engine, WindowMean, Place | None],
) -> Place | None:
    """Run the windows of a slab; where the spine leaves it at its upper end, None when there is none."""
    engine, mean, below = state
    slab = boxes[0][2]
    if np.count_nonzero(bone[:, :, slab]) < _LEAST_BONE_VOXELS:
        return None
    if not FOLLOW_SPINE:
        _slide(image, bone, boxes, engine, mean)
        return None
    seen = np.argwhere(bone[:, :, slab].any(axis=2))
    middle = np.median(seen, axis=0) - (0, _BEHIND_BONE) if below is None else below
    first = box_about((float(middle[0]), float(middle[1])), image.shape, mean.window, slab)
    spine = _run(image, first, engine, mean)
    enough = np.count_nonzero(spine) >= _LEAST_SPINE_VOXELS
    if not enough or near_sides(spine, first, image.shape, _SIDE_MARGIN) >= _LEAST_SPINE_VOXELS:
        _slide(image, bone, [box for box in boxes if box != first], engine, mean)
    if not enough:
        return None
    top = np.argwhere(spine)
    top = top[top[:, 2] >= top[:, 2].max() - _TOP]
    x, y = np.median(top[:, :2], axis=0) + (first[0].start, first[1].start)
    return float(x), float(y)


def _slide(
    image: NDArray[np.float32], bone: NDArray[np.bool_], boxes: list[Box], engine: Engine, mean: WindowMean
) -> None:
    """Run those windows of a slab in which there is bone."""
    for box in boxes:
        if np.count_nonzero(bone[box]) >= _LEAST_BONE_VOXELS:
            _run(image, box, engine, mean)


def _run(image: NDArray[np.float32], box: Box, engine: Engine, mean: WindowMean) -> NDArray[np.bool_]:
    """Run a window and add it to the mean; where it sees vertebra, (x, y, z)."""
    outputs = engine.locate(np.ascontiguousarray(image[box])[None, None])
    return mean.add(outputs, box) > _SPINE
