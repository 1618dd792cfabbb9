"""The surfaces of one vertebral body: endplates and their planes, between the voxels."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.trimmed_fit import trimmed_fit
from vertseg.planning.upright import OUTSIDE_HU, UprightVertebra

_CUT_SHARE: Final = 0.01
_MIN_BODY_ML: Final = 1.0
_MIN_DEPTH_MM: Final = 6.0
_TRIM_ROUNDS: Final = 4
_TRIM_MM: Final = 1.0
_RIM_MM: Final = 2.5


@dataclass(frozen=True, eq=False)
class Endplate:
    """The plane of an endplate: height in mm at (right, anterior) is `height_mm + right_slope * right + anterior_slope * anterior`.

    All in the vertebra's frame, from the body centre.
    """

    height_mm: float
    right_slope: float
    anterior_slope: float

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) unit vector (right, anterior, up) pointing up."""
        vector = np.array([-self.right_slope, -self.anterior_slope, 1.0])
        return np.asarray(vector / np.linalg.norm(vector))


@dataclass(frozen=True, eq=False)
class BodySurfaces:
    """Where the columns (right, anterior) of a body begin and end, in mm from the body centre.

    Attributes:
        right_mm, anterior_mm: (n,) places of the columns.
        upper_mm, lower_mm: (n,) heights of the endplates there.
        upper, lower: planes of the endplates, their hollows and spurs left out.
    """

    right_mm: NDArray[np.float64]
    anterior_mm: NDArray[np.float64]
    upper_mm: NDArray[np.float64]
    lower_mm: NDArray[np.float64]
    upper: Endplate
    lower: Endplate

    @property
    def own_axes(self) -> NDArray[np.float64]:
        """(3, 3) whose columns are the body's own right, anterior and up: up is the mean of the endplates' normals."""
        up = self.upper.normal + self.lower.normal
        up = up / np.linalg.norm(up)
        anterior = np.array([0.0, 1.0, 0.0]) - up[1] * up
        anterior = anterior / np.linalg.norm(anterior)
        return np.stack([np.cross(anterior, up), anterior, up], axis=1)


def body_surfaces(vertebra: UprightVertebra) -> BodySurfaces | None:
    """Surfaces of the body of a vertebra; None where there is too little body."""
    return surfaces_of(vertebra.shares, vertebra.spacing_mm, vertebra.centre_vox)


def cut_by_field(vertebra: UprightVertebra) -> bool:
    """Whether the scan ends at the body, so that its height is not known: nothing was scanned right beside it.

    One hundredth of the body's surface is let off.
    """
    outside = vertebra.hu == OUTSIDE_HU
    if not outside.any() or not vertebra.body.any():
        return False
    around = ndimage.binary_dilation(vertebra.body, iterations=2) & ~vertebra.body
    return bool(np.count_nonzero(around & outside) > _CUT_SHARE * np.count_nonzero(around))


def surfaces_of(
    share: NDArray[np.float32], spacing_mm: float, centre_vox: NDArray[np.float64]
) -> BodySurfaces | None:
    """Surfaces where the share (right, anterior, up) of the body passes one half; None where there is too little.

    Args:
        share: 0 to 1, of cubic voxels.
        spacing_mm: edge of a voxel.
        centre_vox: (3,) index that mm are counted from.
    """
    inside = share >= 0.5
    if np.count_nonzero(inside) * spacing_mm**3 < _MIN_BODY_ML * 1000:
        return None
    columns = np.argwhere(inside.any(axis=2))
    i, j = columns.T
    if np.ptp(j) * spacing_mm < _MIN_DEPTH_MM or np.ptp(i) * spacing_mm < _MIN_DEPTH_MM:
        return None
    values, filled = share[i, j], inside[i, j]
    first = filled.argmax(axis=1)
    last = values.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
    lower = first - _beyond(values, first, -1)
    upper = last + _beyond(values, last, 1)
    right, anterior = ((columns - centre_vox[:2]) * spacing_mm).T
    upper_mm, lower_mm = ((z - centre_vox[2]) * spacing_mm for z in (upper, lower))
    inner = _away_from_rim(inside, i, j, spacing_mm)
    planes = [_plane(right[inner], anterior[inner], z[inner]) for z in (upper_mm, lower_mm)]
    return BodySurfaces(right, anterior, upper_mm, lower_mm, *planes)


def _beyond(values: NDArray[np.float32], at: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """How far (voxels) the half lies beyond the last voxel that is inside."""
    rows = np.arange(len(values))
    here = values[rows, at].astype(np.float64)
    next_at = np.clip(at + step, 0, values.shape[1] - 1)
    there = np.where(next_at == at, 0.0, values[rows, next_at])
    return np.clip((here - 0.5) / np.maximum(here - there, 1e-6), 0.0, 1.0)


def _away_from_rim(
    inside: NDArray[np.bool_], i: NDArray[np.int64], j: NDArray[np.int64], spacing_mm: float
) -> NDArray[np.bool_]:
    """Columns (n,) that lie at least `_RIM_MM` from the outline as seen from above; all of a tiny body."""
    distance = ndimage.distance_transform_edt(np.pad(inside.any(axis=2), 1))[1:-1, 1:-1]
    inner = distance[i, j] * spacing_mm > _RIM_MM
    return np.asarray(inner if np.count_nonzero(inner) >= 20 else np.ones_like(inner))


def _plane(
    right: NDArray[np.float64], anterior: NDArray[np.float64], height: NDArray[np.float64]
) -> Endplate:
    """Least-squares plane with the columns left out that lie far from it."""
    terms = np.stack([np.ones_like(right), right, anterior], axis=1)
    c, r, a = (float(v) for v in trimmed_fit(terms, height, _TRIM_MM, _TRIM_ROUNDS))
    return Endplate(c, r, a)
