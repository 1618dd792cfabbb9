"""Weighted means of the locate network's outputs over windows, which need not be known beforehand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.engines import Arrays
from vertseg.inference.windows import Box, window_weights
from vertseg.labels import N_LEVELS, LocateClass

_LEAST_VERTEBRA = 0.01
_SPARSE = ("level", "offset_mm")


class WindowMean:
    """Sums over windows, each weighted by a Gaussian about its middle as in `monai.inferers`.

    Args:
        shape: of the image (X, Y, Z).
        window: of every window.
    """

    def __init__(self, shape: Sequence[int], window: Sequence[int]) -> None:
        self.window = tuple(window)
        self._weights = window_weights(window)
        self._shape = tuple(shape)
        self._total = np.zeros(self._shape, dtype=np.float32)
        # Zeros cost no memory until they are written, and most of a scan never is.
        self._sums = {
            "tissue": np.zeros((len(LocateClass), *shape), dtype=np.float32),
            "level": np.zeros((N_LEVELS, *shape), dtype=np.float32),
            "offset_mm": np.zeros((3, *shape), dtype=np.float32),
        }

    def add(self, outputs: Arrays, box: Box) -> NDArray[np.float32]:
        """Add one window's `Engine.locate` outputs; the probability (x, y, z) that they give vertebra."""
        tissue = outputs["tissue"][0]
        vertebra: NDArray[np.float32] = tissue[LocateClass.BODY] + tissue[LocateClass.POSTERIOR]
        here = np.flatnonzero(vertebra >= _LEAST_VERTEBRA)
        x, y, z = np.unravel_index(here, vertebra.shape)
        places = (x + box[0].start, y + box[1].start, z + box[2].start)
        there = np.ravel_multi_index(places, self._shape)
        weights = self._weights.ravel()[here]
        for name in _SPARSE:
            for total, output in zip(self._sums[name], outputs[name][0], strict=True):
                flat = total.reshape(-1)
                flat[there] += output.reshape(-1)[here] * weights
        for total, output in zip(self._sums["tissue"], tissue, strict=True):
            total[box] += output * self._weights
        self._total[box] += self._weights
        return vertebra

    def outputs(self) -> Arrays:
        """The means; where there was no window, background."""
        unseen = self._total == 0
        self._total[unseen] = 1.0
        tissue = self._sums["tissue"]
        tissue /= self._total
        tissue[LocateClass.BACKGROUND][unseen] = 1.0
        filled = np.flatnonzero(self._sums["level"].any(axis=0))
        share = 1.0 / self._total.ravel()[filled]
        for name in _SPARSE:
            for total in self._sums[name]:
                total.reshape(-1)[filled] *= share
        return dict(self._sums)
