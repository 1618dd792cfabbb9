"""Where a way out of the body meets the skin."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.volume import Volume

_STEP_MM: Final = 0.5
_FARTHEST_MM: Final = 300.0
_AIR_HU: Final = -300.0
"""Half-way between skin or fat and air, lower than lung's edge would be: partial volume moves it little."""
_AIR_MM: Final = 8.0
"""So much air in a row is outside; a fold or a bubble is less."""
_PADDING_HU: Final = -1500.0
"""Scanners fill what they did not reconstruct with values below this."""


def skin_entry(
    scan: Volume, start_mm: NDArray[np.float64], outward: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """World position (3,) where a ray from inside the body comes out of the skin; None where the scan cuts it off.

    The first 8 mm of air on the ray are the outside. A mattress that touches the skin is air as well (foam, below
    -800 HU).

    Args:
        scan: HU, any orientation.
        start_mm: (3,) world position inside.
        outward: (3,) unit vector in the world.
    """
    t = np.arange(0.0, _FARTHEST_MM, _STEP_MM)
    points = start_mm + t[:, None] * outward
    vox = scan.grid.voxel(points).T
    shape = np.array(scan.array.shape)[:, None]
    inside = ((vox >= -0.5) & (vox <= shape - 0.5)).all(axis=0)
    count = int(inside.argmin()) if not inside.all() else inside.size
    hu = ndimage.map_coordinates(scan.array, vox[:, :count], np.float32, order=1, mode="nearest")
    air = hu < _AIR_HU
    run = round(_AIR_MM / _STEP_MM)
    if count < run:
        return None
    whole = np.convolve(air, np.ones(run, np.int64), "valid") == run
    if not whole.any():
        return None
    first = int(whole.argmax())
    if first == 0 or (hu[first : first + run] < _PADDING_HU).all():
        return None
    return np.asarray(points[first], np.float64)
