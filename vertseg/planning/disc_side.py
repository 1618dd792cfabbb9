"""What lies beyond a body's endplates, toward the discs."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.treated_spine import TreatedSpine

RIM_MM: Final = 3.0
"""How far beside the body's outline, seen from above, a disc still is."""

_CELL_MM: Final = 2.0
_LABEL_MM: Final = 1.0
_LEAST_CELLS: Final = 6


def beyond_plates(
    spine: TreatedSpine, level: int, at: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which voxels lie above the upper and below the lower endplate, within the body's outline from above.

    In the outline's inner part an endplate is where the labels end; at its rim, where they may show one corner of
    the body only, it is the plane through the inner part.
    """
    body = spine.local(level, np.argwhere(spine.own_body(level)))
    points = spine.local(level, at)
    low = body[:, :2].min(axis=0) - RIM_MM - _CELL_MM
    cell = np.rint((body[:, :2] - low) / _CELL_MM).astype(int)
    size = tuple(cell.max(axis=0) + int(RIM_MM / _CELL_MM) + 2)
    count, top, bottom = np.zeros(size, int), np.full(size, -np.inf), np.full(size, np.inf)
    np.add.at(count, tuple(cell.T), 1)
    np.maximum.at(top, tuple(cell.T), body[:, 2])
    np.minimum.at(bottom, tuple(cell.T), body[:, 2])
    covered = count > 0
    deep = ndimage.distance_transform_edt(covered) * _CELL_MM > RIM_MM
    apart = ndimage.distance_transform_edt(~covered) * _CELL_MM
    place = np.rint((points[:, :2] - low) / _CELL_MM).astype(int)
    seen = ((place >= 0) & (place < np.array(size))).all(axis=1)
    x, y = np.clip(place, 0, np.array(size) - 1).T
    within = seen & (apart[x, y] <= RIM_MM)
    upper, lower = (_plate(plate, deep, size)[x, y] for plate in (top, bottom))
    return within & (points[:, 2] > upper - _LABEL_MM), within & (points[:, 2] < lower + _LABEL_MM)


def _plate(plate: NDArray[np.float64], deep: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.float64]:
    """Height of an endplate in each cell: its own where `deep`, else that of the plane through those."""
    if np.count_nonzero(deep) < _LEAST_CELLS:
        deep = np.isfinite(plate)
    x, y = np.indices(size)
    terms = np.stack([np.ones(size), x, y], axis=-1).astype(np.float64)
    plane: NDArray[np.float64] = terms @ np.linalg.lstsq(terms[deep], plate[deep], rcond=None)[0]
    return np.where(deep, plate, plane)
