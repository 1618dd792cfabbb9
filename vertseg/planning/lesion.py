"""Where a lesion lies in its vertebra, how large it is and what it touches."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.body_surfaces import BodySurfaces
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.wall_map import WallMap

CONTACT_MM: Final = 2.0
"""A lesion touches a surface that it comes this close to: cortex and endplate are hardly thicker. Assumed."""

SMALLEST_ML: Final = 0.1
"""Below this volume there is no lesion: some voxels of noise. Assumed."""

_MIXED_SHARE: Final = 0.2
_SIDE_SHARE: Final = 0.15
_PEDICLE_LENGTH_MM: Final = 8.0
_PEDICLE_WIDTH_MM: Final = 16.0
_MIN_PEDICLE_ML: Final = 0.2

LesionKind = Literal["none", "lytic", "mixed", "sclerotic"]
Side = Literal["none", "right", "left", "both"]


@dataclass(frozen=True)
class LesionExtent:
    """Lesions of one vertebra. Shares are 0 to 1; None where the part itself is not seen.

    Attributes:
        kind: what there is of it.
        lytic_ml, sclerotic_ml: volumes in body and posterior elements.
        lytic_share, sclerotic_share: part of the body's volume.
        posterior_ml: lytic volume in the posterior elements.
        side: sides of the body's midline on which the lytic lesion lies.
        right_share: part of the body's lytic volume that lies right of the midline.
        upper_endplate_mm2, lower_endplate_mm2: endplate that the lytic lesion touches.
        upper_endplate_share, lower_endplate_share: that over the whole endplate.
        wall_mm2, wall_share: posterior wall that it touches.
        wall_distance_mm: from the lytic lesion to the posterior wall; 0 where it touches it.
        right_pedicle_share, left_pedicle_share: lytic part of each pedicle.
    """

    kind: LesionKind
    lytic_ml: float
    sclerotic_ml: float
    lytic_share: float | None = None
    sclerotic_share: float | None = None
    posterior_ml: float = 0.0
    side: Side = "none"
    right_share: float | None = None
    upper_endplate_mm2: float = 0.0
    lower_endplate_mm2: float = 0.0
    upper_endplate_share: float | None = None
    lower_endplate_share: float | None = None
    wall_mm2: float | None = None
    wall_share: float | None = None
    wall_distance_mm: float | None = None
    right_pedicle_share: float | None = None
    left_pedicle_share: float | None = None


def lesion_extent(
    vertebra: UprightVertebra,
    surfaces: BodySurfaces | None,
    wall: PosteriorWall | None,
    wall_map: WallMap | None,
) -> LesionExtent:
    """Where the lesions of a vertebra lie and what they touch.

    Args:
        vertebra: in its own frame.
        surfaces: of its body; None where it is not seen.
        wall: its posterior wall.
        wall_map: the map of that.
    """
    lytic, sclerotic = vertebra.masks["lytic_lesion"], vertebra.masks["sclerotic_lesion"]
    ml = vertebra.voxel_ml
    lytic_ml, sclerotic_ml = (float(np.count_nonzero(m)) * ml for m in (lytic, sclerotic))
    in_body = lytic & vertebra.body
    body_voxels, n_lytic = int(np.count_nonzero(vertebra.body)), int(np.count_nonzero(in_body))
    kind = lesion_kind(lytic_ml, sclerotic_ml)
    right_share = _right_share(in_body, vertebra, surfaces, wall) if n_lytic * ml >= SMALLEST_ML else None
    upper, lower, columns = (0, 0, 0) if surfaces is None else _endplate_contacts(in_body, vertebra, surfaces)
    area = vertebra.spacing_mm**2
    contact = None if wall_map is None else _wall_contact(lytic, vertebra, wall_map)
    pedicles = {side: _pedicle_share(lytic, vertebra, wall, side) for side in (1, -1)}
    return LesionExtent(
        kind=kind,
        lytic_ml=lytic_ml,
        sclerotic_ml=sclerotic_ml,
        lytic_share=n_lytic / body_voxels if body_voxels else None,
        sclerotic_share=int(np.count_nonzero(sclerotic & vertebra.body)) / body_voxels
        if body_voxels
        else None,
        posterior_ml=float(np.count_nonzero(lytic & vertebra.posterior)) * ml,
        side=lesion_side(right_share),
        right_share=right_share,
        upper_endplate_mm2=upper * area,
        lower_endplate_mm2=lower * area,
        upper_endplate_share=upper / columns if columns else None,
        lower_endplate_share=lower / columns if columns else None,
        wall_mm2=None if contact is None else contact[0],
        wall_share=None if contact is None else contact[1],
        wall_distance_mm=None if contact is None else contact[2],
        right_pedicle_share=pedicles[1],
        left_pedicle_share=pedicles[-1],
    )


def lesion_kind(lytic_ml: float, sclerotic_ml: float) -> LesionKind:
    """Kind of a vertebra's lesions by volume; mixed where the lesser part is a fifth of both or more."""
    total = lytic_ml + sclerotic_ml
    if total < SMALLEST_ML:
        return "none"
    if min(lytic_ml, sclerotic_ml) >= _MIXED_SHARE * total:
        return "mixed"
    return "lytic" if lytic_ml > sclerotic_ml else "sclerotic"


def lesion_side(right_share: float | None) -> Side:
    """Side of the midline; both where each holds 15 % or more."""
    if right_share is None:
        return "none"
    if _SIDE_SHARE <= right_share <= 1 - _SIDE_SHARE:
        return "both"
    return "right" if right_share > 0.5 else "left"


def pedicle_mask(vertebra: UprightVertebra, wall: PosteriorWall, side: int) -> NDArray[np.bool_]:
    """(X, Y, Z) posterior elements beside the canal, up to 8 mm behind the wall.

    Args:
        vertebra: in its own frame.
        wall: its posterior wall.
        side: 1 for the right, -1 for the left.
    """
    right, anterior, up = vertebra.places_mm
    beside = side * (right - wall.middle_mm) - wall.half_width_mm
    back = float(np.nanmedian(wall.wall_mm))
    heights = wall.up_mm[np.isfinite(wall.wall_mm).any(axis=0)]
    x = (beside > -1.0) & (beside < _PEDICLE_WIDTH_MM)
    y = (anterior > back - _PEDICLE_LENGTH_MM) & (anterior < back + 4.0)
    z = (up > heights.min() - 3.0) & (up < heights.max() + 5.0)
    return np.asarray(vertebra.posterior & (x[:, None, None] & y[None, :, None] & z[None, None, :]))


def _right_share(
    in_body: NDArray[np.bool_],
    vertebra: UprightVertebra,
    surfaces: BodySurfaces | None,
    wall: PosteriorWall | None,
) -> float:
    """Part of the voxels that lies right of the middle: the canal's, else the body's."""
    middle = 0.0
    if wall is not None and wall.sides_seen:
        middle = wall.middle_mm
    elif surfaces is not None:
        middle = float(np.median(surfaces.right_mm))
    right, _, _ = vertebra.places_mm
    counts = in_body.sum(axis=(1, 2))
    return float(counts[right > middle].sum() / counts.sum())


def _endplate_contacts(
    lytic: NDArray[np.bool_], vertebra: UprightVertebra, surfaces: BodySurfaces
) -> tuple[int, int, int]:
    """Columns in which the lesion touches the upper and the lower endplate, and all columns."""
    centre, step = vertebra.centre_vox, vertebra.spacing_mm
    i = np.rint(surfaces.right_mm / step + centre[0]).astype(int)
    j = np.rint(surfaces.anterior_mm / step + centre[1]).astype(int)
    touched = []
    for height_mm, inward in ((surfaces.upper_mm, -1.0), (surfaces.lower_mm, 1.0)):
        hit = np.zeros(len(i), bool)
        for depth in np.arange(0.5, CONTACT_MM + 0.1, step / 2):
            k = np.rint((height_mm + inward * depth) / step + centre[2]).astype(int)
            hit |= lytic[i, j, np.clip(k, 0, lytic.shape[2] - 1)]
        touched.append(int(hit.sum()))
    return touched[0], touched[1], len(i)


def _wall_contact(
    lytic: NDArray[np.bool_], vertebra: UprightVertebra, wall_map: WallMap
) -> tuple[float, float, float | None]:
    """Area (mm2) and share of the wall that a lesion touches, and how far (mm) it is from it."""
    if not lytic.any():
        return 0.0, 0.0, None
    centre, step = vertebra.centre_vox, vertebra.spacing_mm
    r, u = np.meshgrid(wall_map.right_mm / step + centre[0], wall_map.up_mm / step + centre[2], indexing="ij")
    at = [r, wall_map.wall_mm / step + centre[1], u]
    distance = ndimage.distance_transform_edt(~lytic, sampling=step).astype(np.float32)
    # From the face of the nearest voxel of the lesion, not from its middle.
    far = np.maximum(ndimage.map_coordinates(distance, at, order=1, mode="nearest") - step / 2, 0.0)
    touched = (far <= CONTACT_MM) & wall_map.outline
    area = float(wall_map.area_mm2[touched].sum())
    least = float(far[wall_map.outline].min())
    total = float(wall_map.area_mm2[wall_map.outline].sum())
    return area, area / total, 0.0 if area else least


def _pedicle_share(
    lytic: NDArray[np.bool_], vertebra: UprightVertebra, wall: PosteriorWall | None, side: int
) -> float | None:
    if wall is None:
        return None
    pedicle = pedicle_mask(vertebra, wall, side)
    n = int(np.count_nonzero(pedicle))
    if n * vertebra.voxel_ml < _MIN_PEDICLE_ML:
        return None
    return float(np.count_nonzero(lytic & pedicle)) / n
