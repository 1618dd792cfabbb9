"""Labels of bone freed from the casts of cement that lie against it.

A network that knows bone by its brightness takes a cast on a body's surface, or in the canal, for a part of the
bone. Cement is no bone there: where it makes the label stick out, and where it lies inside of the canal.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.canal_course import CanalSection, canal_place
from vertseg.planning.cement_voxels import CementVoxels
from vertseg.planning.treated_spine import SPACING_MM, TreatedSpine
from vertseg.volume import box_around

BUMP_MM: Final = 3.0
"""Radius of a ball that rolls inside of a body: what it cannot reach is a bump or an edge. Larger than casts in veins
are thick, smaller than half of the flattest fractured body is high."""

_MARGIN: Final = 6


def without_casts(
    spine: TreatedSpine, cement: CementVoxels, sections: dict[int, CanalSection]
) -> TreatedSpine:
    """The same spine, cement that sticks out of bodies or lies in the canal no longer labelled as bone."""
    solid = np.argwhere(cement.solid & (spine.level > 0))
    level, body = spine.level.copy(), spine.body.copy()
    inside = canal_place(sections, spine.grid.world(solid), 0.0).inside
    gone = tuple(solid[inside].T)
    level[gone], body[gone] = 0, False
    for number in cement.plateau_hu:
        own = body & (level == number)
        if not own.any():
            continue
        box = box_around(own, _MARGIN)
        bump = own[box] & ~_opened(own[box]) & cement.solid[box]
        level[box][bump], body[box][bump] = 0, False
    return replace(spine, level=level, body=body)


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What a ball of `BUMP_MM` covers that stays inside of a mask."""
    room = ndimage.distance_transform_edt(mask) * SPACING_MM
    middles = room > BUMP_MM
    return np.asarray(ndimage.distance_transform_edt(~middles) * SPACING_MM <= BUMP_MM + 0.5)
