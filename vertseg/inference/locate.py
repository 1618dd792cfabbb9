"""The locate network over a whole scan."""

from typing import Any

import numpy as np

from vertseg.inference.engines import Engine
from vertseg.inference.located import Located
from vertseg.inference.options import Progress
from vertseg.labels import N_LEVELS, LocateClass
from vertseg.preprocess import AIR_HU, locate_input, normalise_hu
from vertseg.volume import Volume

WINDOW = (80, 80, 96)
"""Voxels of a sliding window; what training sees is of this order."""
_OVERLAP = 0.25
_BONE_HU = 120.0
_LEAST_BONE_VOXELS = 50


def locate_scan(volume: Volume, engine: Engine, progress: Progress) -> Located:
    """Outputs of the locate network on its grid, averaged over overlapping windows.

    Windows with fewer than 50 voxels above 120 HU hold no vertebra and are not run.

    Args:
        volume: RAS scan in HU.
        engine: runs the network.
        progress: told of every window.
    """
    import torch
    from monai.inferers.utils import sliding_window_inference

    image = locate_input(volume, engine.locate_spacing_mm)
    window = tuple(
        _window_size(n, w, engine.locate_multiple) for n, w in zip(image.array.shape, WINDOW, strict=True)
    )
    total = _number_of_windows(image.array.shape, window)
    bone = float(normalise_hu(np.array([_BONE_HU]))[0])
    done = 0

    def run(x: torch.Tensor) -> dict[str, torch.Tensor]:
        nonlocal done
        done += 1
        progress("locate", min(done, total), total)
        if int((x > bone).sum()) < _LEAST_BONE_VOXELS:
            return _background(x)
        return {name: torch.from_numpy(a).clone() for name, a in engine.locate(x.numpy()).items()}

    out: Any = sliding_window_inference(
        torch.from_numpy(image.array)[None, None],
        roi_size=window,
        sw_batch_size=1,
        predictor=run,
        overlap=_OVERLAP,
        mode="gaussian",
        cval=float(normalise_hu(np.array([AIR_HU]))[0]),
    )
    return Located(
        grid=image.grid,
        tissue=out["tissue"][0].numpy(),
        level=out["level"][0].numpy(),
        offset_mm=out["offset_mm"][0].numpy(),
        source=volume.grid,
    )


def _window_size(size: int, window: int, multiple: int) -> int:
    """The window, or the next multiple that holds the whole size where that is less."""
    return min(max(window // multiple, 1), -(-size // multiple)) * multiple


def _number_of_windows(shape: tuple[int, ...], window: tuple[int, ...]) -> int:
    total = 1
    for size, roi in zip(shape, window, strict=True):
        step = roi if roi >= size else int(roi * (1 - _OVERLAP))
        total *= max(1, -(-(max(size, roi) - roi) // step) + 1)
    return total


def _background(x: Any) -> dict[str, Any]:
    import torch

    tissue = torch.zeros((1, len(LocateClass), *x.shape[2:]))
    tissue[:, LocateClass.BACKGROUND] = 1.0
    level = torch.zeros((1, N_LEVELS, *x.shape[2:]))
    level[:, 0] = 1.0
    return {"tissue": tissue, "level": level, "offset_mm": torch.zeros((1, 3, *x.shape[2:]))}
