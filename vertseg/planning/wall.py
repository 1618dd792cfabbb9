"""The posterior wall: how large a defect in it is."""

import numpy as np
from numpy.typing import NDArray

from vertseg.volume import Volume, crop_grid

_CELL_MM = 0.5
_MARGIN_MM = 3.0
_MIN_CELLS_FOR_SLOPE = 30


def wall_defect_area_mm2(defect: Volume, axes: NDArray[np.float64]) -> float:
    """Area in mm2 of the posterior wall that a defect mask covers.

    The mask fills the wall's shell where cortex is missing; it is looked at along the vertebra's anterior
    axis in cells of 0.5 mm, and each cell counts with the slope of the wall there (a quadratic surface
    fitted through the mask), so that neither the shell's thickness nor the scan's spacing changes the area.

    Args:
        defect: mask on any grid.
        axes: (3, 3) with columns right, anterior, up in world RAS.
    """
    inside = np.argwhere(defect.array > 0)
    if inside.size == 0:
        return 0.0
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    box = defect.cropped(low, high)
    local = box.grid.corners_mm() @ axes
    start, stop = local.min(axis=0) - _MARGIN_MM, local.max(axis=0) + _MARGIN_MM
    x, y, z = (int(np.ceil(n)) for n in (stop - start) / _CELL_MM)
    frame = crop_grid(axes @ ((start + stop) / 2), axes, (x, y, z), _CELL_MM)
    mask = Volume(box.array.astype(np.float32), box.affine).resampled_to(frame, 1, 0.0).array >= 0.5
    seen = np.asarray(mask.any(axis=1))
    if not seen.any():
        return float(inside.shape[0]) * defect.grid.voxel_volume_mm3 / max(defect.grid.spacing_mm)
    return float(_slope_factors(mask, seen).sum()) * _CELL_MM**2


def _slope_factors(mask: NDArray[np.bool_], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Surface per projected area, sqrt(1 + |gradient|^2), of each seen cell (right, up)."""
    cells = np.argwhere(seen).astype(np.float64)
    if cells.shape[0] < _MIN_CELLS_FOR_SLOPE:
        return np.ones(cells.shape[0])
    depth_index = np.arange(mask.shape[1], dtype=np.float64)[None, :, None]
    depth = ((mask * depth_index).sum(axis=1)[seen]) / mask.sum(axis=1)[seen]
    r, u = (cells - cells.mean(axis=0)).T
    terms = np.stack([np.ones_like(r), r, u, r * r, r * u, u * u], axis=1)
    _, a, b, c, d, e = np.linalg.lstsq(terms, depth, rcond=None)[0]
    slope_r, slope_u = a + 2 * c * r + d * u, b + d * r + 2 * e * u
    return np.asarray(np.sqrt(1.0 + np.clip(slope_r**2 + slope_u**2, 0.0, 3.0)))
