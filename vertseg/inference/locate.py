"""The locate network over a whole scan."""

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.engines import Arrays, Engine
from vertseg.inference.located import Located
from vertseg.inference.options import Progress
from vertseg.inference.windows import Box, total_weights, window_boxes, window_weights
from vertseg.labels import N_LEVELS, LocateClass
from vertseg.preprocess import AIR_HU, locate_input, normalise_hu
from vertseg.volume import Volume

WINDOW = (80, 80, 96)
"""Voxels of a sliding window; what training sees is of this order."""
_OVERLAP = 0.25
_BONE_HU = 120.0
_LEAST_BONE_VOXELS = 50
_LEAST_VERTEBRA = 0.01


def locate_scan(volume: Volume, engine: Engine, progress: Progress) -> Located:
    """Outputs of the locate network on its grid, averaged over overlapping windows.

    Windows with fewer than 50 voxels above 120 HU hold no vertebra and are not run. Levels and offsets are kept
    where a window gives vertebra a probability of 0.01 or more, which is all that they are read for.

    Args:
        volume: RAS scan in HU.
        engine: runs the network.
        progress: told of every window.
    """
    image = locate_input(volume, engine.locate_spacing_mm)
    outputs = _over_windows(image.array, engine, progress)
    return Located(
        grid=image.grid,
        tissue=outputs["tissue"],
        level=outputs["level"],
        offset_mm=outputs["offset_mm"],
        source=volume.grid,
    )


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
    boxes = window_boxes(image.shape, window, _OVERLAP)
    weights = window_weights(window)
    total = total_weights(image.shape, boxes, weights)
    bone = float(normalise_hu(np.array([_BONE_HU]))[0])
    # Zeros cost no memory until they are written, and most of a scan is never written but in `tissue`.
    sums = {
        "tissue": np.zeros((len(LocateClass), *image.shape), dtype=np.float32),
        "level": np.zeros((N_LEVELS, *image.shape), dtype=np.float32),
        "offset_mm": np.zeros((3, *image.shape), dtype=np.float32),
    }
    for done, box in enumerate(boxes, start=1):
        part = image[box]
        share = weights / total[box]
        if int((part > bone).sum()) < _LEAST_BONE_VOXELS:
            sums["tissue"][(LocateClass.BACKGROUND, *box)] += share
        else:
            _add(sums, engine.locate(np.ascontiguousarray(part)[None, None]), box, share)
        progress("locate", done, len(boxes))
    return {name: total[(slice(None), *inner)] for name, total in sums.items()}


def _add(sums: Arrays, outputs: Arrays, box: Box, share: NDArray[np.float32]) -> None:
    """Add one window's outputs, weighted by `share` (x, y, z), to the sums."""
    tissue = outputs["tissue"][0]
    vertebra = tissue[LocateClass.BODY] + tissue[LocateClass.POSTERIOR]
    here = np.nonzero(vertebra >= _LEAST_VERTEBRA)
    there = tuple(index + side.start for index, side in zip(here, box, strict=True))
    for name in ("level", "offset_mm"):
        for total, output in zip(sums[name], outputs[name][0], strict=True):
            total[there] += output[here] * share[here]
    for total, output in zip(sums["tissue"], tissue, strict=True):
        total[box] += output * share
