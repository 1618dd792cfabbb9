"""What the locate network says of every voxel of a scan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import LocateClass
from vertseg.volume import Grid


@dataclass(frozen=True)
class Located:
    """Outputs of the locate network on its own world-aligned grid.

    Attributes:
        grid: where the voxels are, shape (X, Y, Z).
        tissue: (5, X, Y, Z) probabilities in `LocateClass` order.
        level: (29, X, Y, Z) probabilities by level number.
        offset_mm: (3, X, Y, Z) world vector from a voxel to the body centre of its vertebra.
        source: the scan's grid, whose border tells where a vertebra is cut.
    """

    grid: Grid
    tissue: NDArray[np.float32]
    level: NDArray[np.float32]
    offset_mm: NDArray[np.float32]
    source: Grid

    @property
    def vertebra(self) -> NDArray[np.float32]:
        """(X, Y, Z) probability of vertebra: body and posterior elements together."""
        return np.asarray(self.tissue[LocateClass.BODY] + self.tissue[LocateClass.POSTERIOR])

    def vertebra_at(self, index: tuple[NDArray[np.int64], ...]) -> NDArray[np.float64]:
        """(n,) probability of vertebra at voxel indices (three arrays of n)."""
        body, posterior = self.tissue[LocateClass.BODY][index], self.tissue[LocateClass.POSTERIOR][index]
        return np.asarray(body + posterior, dtype=np.float64)
