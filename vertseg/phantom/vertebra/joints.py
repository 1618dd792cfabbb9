"""Match every vertebra's inferior facets with the superior ones of its neighbour below."""

import math
from dataclasses import replace

import numpy as np

from vertseg.phantom.patient.arch_morphometry import SACRAL_FACET
from vertseg.phantom.types import Array, VertebraShape
from vertseg.phantom.vertebra.facets import Facet, facet_normal, superior_facet

_MIRROR = np.array([-1.0, 1.0, 1.0])


def match_facets(column: tuple[VertebraShape, ...], sacrum_axes: Array) -> tuple[VertebraShape, ...]:
    """The column (head to foot) with the `below_*` sizes of each vertebra taken from the one below it.

    The two sides' places in the upper vertebra's frame are averaged, since its arch is symmetric.

    Args:
        column: vertebrae from head to foot.
        sacrum_axes: (3, 3) axes of the sacrum, whose endplate is centred at the patient's origin.
    """
    matched: list[VertebraShape] = []
    for rank, shape in enumerate(column):
        if rank + 1 < len(column):
            lower = column[rank + 1]
            facet, pose = superior_facet(lower), (lower.centre_mm, lower.axes)
        else:
            facet, pose = _sacral_facet(shape), (np.zeros(3), sacrum_axes)
        matched.append(replace(shape, sizes=shape.sizes | _seen_from(shape, facet, pose)))
    return tuple(matched)


def _sacral_facet(lowest: VertebraShape) -> Facet:
    s = SACRAL_FACET
    centre = (s["facet_right"], -0.5 * lowest.sizes["depth"] - s["facet_behind"], s["facet_up"])
    normal = facet_normal(s["facet_angle"], s["facet_tilt"])
    return Facet(centre, normal, 0.5 * s["facet_width"], 0.5 * s["facet_height"], s["facet_radius"])


def _seen_from(shape: VertebraShape, facet: Facet, pose: tuple[Array, Array]) -> dict[str, float]:
    """A right facet of the neighbour at `pose` (origin, axes) as sizes in the frame of `shape`."""
    origin, axes = pose
    to_frame = shape.axes.T @ axes
    shift = shape.axes.T @ (origin - shape.centre_mm)
    sides = [np.ones(3), _MIRROR]
    centre = np.mean([m * (to_frame @ (m * np.asarray(facet.centre)) + shift) for m in sides], axis=0)
    normal = np.mean([m * (to_frame @ (m * np.asarray(facet.normal))) for m in sides], axis=0)
    normal /= np.linalg.norm(normal)
    return {
        "below_right": float(centre[0]), "below_behind": float(-centre[1] - 0.5 * shape.sizes["depth"]),
        "below_up": float(centre[2]), "below_width": 2 * facet.half_width, "below_height": 2 * facet.half_height,
        "below_angle": math.degrees(math.atan2(-normal[1], -normal[0])),
        "below_tilt": math.degrees(math.acos(float(np.clip(normal[2], -1.0, 1.0)))), "below_radius": facet.radius,
    }  # fmt: skip
