"""Distances that a cannula keeps, as fields around one vertebra that are read along its way."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.keep_out import KeepOut, keep_out
from vertseg.planning.upright import UprightVertebra

LUNG_HU: Final = -400.0
"""Air below this is lung where it does not open to the back, the threshold of most lung segmentations."""

_LUNG_ML: Final = 3.0
_MARGIN_MM: Final = 12.0
_BEHIND_CANAL_MM: Final = 34.0
_FAR_MM: Final = 99.0


@dataclass(frozen=True, eq=False)
class CorridorFields:
    """One vertebra cropped to where a cannula can pass; positions are indices of this crop.

    Attributes:
        vertebra: in its own frame.
        canal: its canal, on the vertebra's whole grid.
        start_vox: (3,) the crop's first voxel on the vertebra's grid.
        body: (X, Y, Z) bool.
        bone: body and posterior elements; the crop's outermost layer holds none, so that it stands for all beyond.
        other_bone: vertebrae that are not this one.
        in_bone_mm: depth of each voxel's middle under the bone's surface; 0 outside.
        in_body_mm: the same for the body alone.
        canal_mm: distance to the canal's surface; -1 inside.
        lung_mm: distance to lung; None where there is none in the field.
    """

    vertebra: UprightVertebra
    canal: KeepOut
    start_vox: NDArray[np.int64]
    body: NDArray[np.bool_]
    bone: NDArray[np.bool_]
    other_bone: NDArray[np.bool_]
    in_bone_mm: NDArray[np.float32]
    in_body_mm: NDArray[np.float32]
    canal_mm: NDArray[np.float32]
    lung_mm: NDArray[np.float32] | None

    @property
    def spacing_mm(self) -> float:
        """Edge of a voxel."""
        return self.vertebra.spacing_mm

    @cached_property
    def box(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last index of the body along each axis."""
        spans = [np.flatnonzero(self.body.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        return np.array([s[0] for s in spans]), np.array([s[-1] for s in spans])

    @cached_property
    def middle_vox(self) -> NDArray[np.float64]:
        """(Z, 2) middle (x, y) of the canal in each slice of the crop."""
        first, count = int(self.start_vox[2]), self.bone.shape[2]
        return self.canal.middle_vox[first : first + count] - self.start_vox[:2]

    def world_mm(self, vox: NDArray[np.float64]) -> NDArray[np.float64]:
        """World RAS mm (..., 3) of positions (..., 3)."""
        return self.vertebra.grid.world(vox + self.start_vox)

    def linear(self, field: NDArray[Any], vox: NDArray[np.float64], outside: float) -> NDArray[np.float64]:
        """Values between voxels at positions (..., 3); `outside` beyond the crop."""
        at = np.moveaxis(vox, -1, 0)
        return np.asarray(
            ndimage.map_coordinates(field, at, np.float64, order=1, mode="constant", cval=outside)
        )


def corridor_fields(vertebra: UprightVertebra, with_lung: bool = True) -> CorridorFields | None:
    """The fields of a vertebra; None without a body.

    Args:
        vertebra: in its own frame.
        with_lung: look for lung in the HU.
    """
    canal = keep_out(vertebra)
    if canal is None:
        return None
    own = vertebra.body | vertebra.posterior
    start, stop = _crop(vertebra, canal)
    crop = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    bone, body, inside = own[crop], vertebra.body[crop], canal.mask[crop]
    levels = vertebra.levels[crop]
    # Lung is large: every other voxel is enough, in an eighth of the time.
    lung = lung_mask(vertebra.hu[::2, ::2, ::2], 8 * vertebra.voxel_ml) if with_lung else None
    return CorridorFields(
        vertebra, canal, start, np.ascontiguousarray(body), _without_border(bone),
        _without_border((levels > 0) & (levels != vertebra.level) & ~bone),
        _depth_mm(bone, vertebra.spacing_mm, 0.0), _depth_mm(body, vertebra.spacing_mm, 0.0),
        _depth_mm(~inside, vertebra.spacing_mm, -1.0),
        _to_lung(lung, crop, 2 * vertebra.spacing_mm) if lung is not None and lung.any() else None,
    )  # fmt: skip


def lung_mask(hu: NDArray[np.float32], voxel_ml: float) -> NDArray[np.bool_]:
    """Lung in a field (X, Y, Z): air within the patient, whose pieces do not open to the back.

    Air at the scan's own edge (`-1024` outside of it) counts where a piece is larger than a bubble of bowel gas of
    3 ml; gas in a large bowel cannot be told from lung by HU.
    """
    air = (hu < LUNG_HU) & (hu > -1020.0)
    if np.count_nonzero(air) * voxel_ml < _LUNG_ML:
        return np.zeros_like(air)
    labels, count = ndimage.label(air)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes * voxel_ml >= _LUNG_ML
    keep[0] = False
    keep[np.unique(labels[:, 0])] = False
    return np.asarray(keep[labels])


def _crop(vertebra: UprightVertebra, canal: KeepOut) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The box of body, pedicles and what is needed of the arch behind them."""
    spans = [np.flatnonzero(vertebra.body.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    margin = round(_MARGIN_MM / vertebra.spacing_mm)
    low = np.array([span[0] - margin for span in spans])
    high = np.array([span[-1] + margin + 1 for span in spans])
    low[1] = round(canal.wall_vox - _BEHIND_CANAL_MM / vertebra.spacing_mm)
    high[1] = spans[1][-1] + 3
    shape = np.array(vertebra.body.shape)
    return np.clip(low, 0, shape), np.clip(high, 0, shape)


def _without_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.zeros_like(mask, order="C")
    inner[1:-1, 1:-1, 1:-1] = mask[1:-1, 1:-1, 1:-1]
    return inner


def _depth_mm(mask: NDArray[np.bool_], spacing_mm: float, outside: float) -> NDArray[np.float32]:
    """Depth of the voxels' middles under a mask's surface, which lies half a voxel off its outer voxels' middles."""
    if mask.all():
        return np.full(mask.shape, _FAR_MM, np.float32)
    depth = (ndimage.distance_transform_edt(mask) - 0.5) * spacing_mm
    return np.where(mask, depth, outside).astype(np.float32)


def _to_lung(lung: NDArray[np.bool_], crop: tuple[slice, ...], step_mm: float) -> NDArray[np.float32]:
    """Distance to lung, a mask of every other voxel, from the voxels of the crop; lung within 16 mm of it is seen."""
    reach = round(16.0 / step_mm)
    wide = tuple(
        slice(max(0, s.start // 2 - reach), min(n, s.stop // 2 + 1 + reach))
        for s, n in zip(crop, lung.shape, strict=True)
    )
    part = lung[wide]
    size = tuple(s.stop - s.start for s in crop)
    if not part.any():
        return np.full(size, _FAR_MM, np.float32)
    distance = (ndimage.distance_transform_edt(~part) * step_mm).astype(np.float32)
    index = (
        np.clip(np.arange(s.start, s.stop) // 2 - w.start, 0, n - 1)
        for s, w, n in zip(crop, wide, part.shape, strict=True)
    )
    # A voxel that stands for its neighbour, and half a voxel to lung's surface.
    return np.asarray(np.maximum(distance[np.ix_(*index)] - step_mm, 0.0), np.float32)
