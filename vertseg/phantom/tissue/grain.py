"""Fine texture of soft tissue: one tile of filtered noise per grain and grid, laid differently for each patient."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.texture import TILE, filtered_tile


@lru_cache(maxsize=16)
def _tile(grain_mm: tuple[float, ...], spacing_mm: tuple[float, ...], device: str) -> Tensor:
    return filtered_tile(grain_mm, spacing_mm, 40).to(device)


class Grain:
    """Gaussian texture of unit variance; offset and mirrored by patient, so that no two show the same.

    Args:
        canvas: whose grid it lies on.
        grain_mm: (3,) correlation lengths (standard deviation of the smoothing kernel) along x, y, z.
        key: seed and stream of the patient.
    """

    def __init__(self, canvas: Canvas, grain_mm: tuple[float, float, float], key: tuple[int, int]) -> None:
        spacing = tuple(round(float(s), 2) for s in canvas.grid.spacing_mm)
        self._tile = _tile(grain_mm, spacing, str(canvas.device))
        rng = np.random.default_rng(list(key))
        self._start = rng.integers(0, TILE, 3)
        self._way = rng.choice([-1, 1], 3)

    def at(self, box: Box) -> Tensor:
        """The texture at a box's voxels."""
        tile = self._tile
        for axis in (2, 1, 0):
            voxels = box[axis]
            steps = torch.arange(voxels.start, voxels.stop, device=tile.device)
            index = (steps * int(self._way[axis]) + int(self._start[axis])) % TILE
            tile = tile.index_select(axis, index)
        return tile
