"""Facet joints: where they lie, which way they face, and the plates of bone on both sides of them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vertseg.phantom.shapes import smooth_max, turned_ellipsoid
from vertseg.phantom.types import VertebraShape


@dataclass(frozen=True)
class Facet:
    """A facet joint's surface of the right side, in a vertebra's frame.

    Attributes:
        centre: (right, anterior, up) mm from the body centre.
        normal: unit vector out of the lower vertebra's superior facet.
        half_width: mm along the joint in the axial plane.
        half_height: mm along the joint, square to that.
        radius: mm, of the joint's curve in the axial plane; 0 for a flat one.
    """

    centre: tuple[float, float, float]
    normal: tuple[float, float, float]
    half_width: float
    half_height: float
    radius: float


@dataclass(frozen=True)
class Side:
    """Points of both sides folded to the right one: |right|, anterior of the posterior wall, up (mm)."""

    u: Tensor
    v: Tensor
    w: Tensor


def facet_normal(angle_deg: float, tilt_deg: float) -> tuple[float, float, float]:
    """Unit normal of a right superior facet.

    Args:
        angle_deg: from the midsagittal plane, in the axial plane; 0 faces medial, 90 back, more lateral.
        tilt_deg: from the transverse plane; 90 is upright, less faces up.
    """
    angle, tilt = math.radians(angle_deg), math.radians(tilt_deg)
    return (-math.cos(angle) * math.sin(tilt), -math.sin(angle) * math.sin(tilt), math.cos(tilt))


def superior_facet(shape: VertebraShape) -> Facet:
    """The right superior facet: the joint with the vertebra above."""
    s = shape.sizes
    centre = (s["facet_right"], -0.5 * s["depth"] - s["facet_behind"], s["facet_up"])
    normal = facet_normal(s["facet_angle"], s["facet_tilt"])
    return Facet(centre, normal, 0.5 * s["facet_width"], 0.5 * s["facet_height"], s["facet_radius"])


def inferior_facet(shape: VertebraShape) -> Facet:
    """The right joint with the vertebra below, by the `below_*` sizes that `joints.match_facets` sets from the neighbour."""
    s = shape.sizes
    centre = (s["below_right"], -0.5 * s["depth"] - s["below_behind"], s["below_up"])
    normal = facet_normal(s["below_angle"], s["below_tilt"])
    return Facet(centre, normal, 0.5 * s["below_width"], 0.5 * s["below_height"], s["below_radius"])


def joint_distance(side: Side, facet: Facet, depth: float) -> Tensor:
    """Signed distance (mm) to a joint's surface: negative on the lower vertebra's side of it."""
    n = facet.normal
    x, y = side.u - facet.centre[0], side.v - (facet.centre[1] + 0.5 * depth)
    z = side.w - facet.centre[2]
    flat = x * n[0] + y * n[1] + z * n[2]
    if facet.radius <= 0:
        return flat
    # A lumbar superior facet is hollow: its two ends reach toward the upper vertebra.
    axial = math.hypot(n[0], n[1])
    across = (x * -n[1] + y * n[0]) / axial
    across = across.clamp(-facet.half_width - 2.0, facet.half_width + 2.0)
    return flat - across * across * (0.5 / facet.radius)


def joint_gap_distance(p: Tensor, shape: VertebraShape) -> Tensor:
    """Signed distance (mm) of both joints' gaps with the vertebra above, where cartilage lies."""
    depth, facet = shape.sizes["depth"], superior_facet(shape)
    side = Side(p[..., 0].abs(), p[..., 1] + 0.5 * depth, p[..., 2])
    sheet = joint_distance(side, facet, depth).abs() - 0.5 * shape.sizes["facet_gap"]
    return torch.maximum(sheet, process_distance(side, facet, depth, 0.0, 4.0))


def process_distance(side: Side, facet: Facet, depth: float, out: float, thick: float) -> Tensor:
    """A blunt plate along a facet, `thick` mm deep, on the side of the joint that `out` (-1 or 1) says."""
    n, c = facet.normal, facet.centre
    shift = out * 0.5 * thick
    centre = (c[0] + shift * n[0], c[1] + 0.5 * depth + shift * n[1], c[2] + shift * n[2])
    axial = math.hypot(n[0], n[1])
    across = (-n[1] / axial, n[0] / axial, 0.0)
    along = (-n[0] * n[2] / axial, -n[1] * n[2] / axial, axial)
    radii = (facet.half_width + 0.8, facet.half_height + 0.8, 0.75 * thick + 0.5)
    return turned_ellipsoid((side.u, side.v, side.w), centre, (across, along, n), radii)


def open_joints(distance: Tensor, p: Tensor, shape: VertebraShape) -> Tensor:
    """Posterior elements (mm) with what reaches over the middle of their four joints' gaps taken off.

    Done in the frame itself, not in the patient's warped one, so that both neighbours keep the gap between them.

    Args:
        distance: (...) posterior elements before.
        p: (..., 3) mm, (right, anterior, up) from the body centre.
        shape: the vertebra.
    """
    s, depth = shape.sizes, shape.sizes["depth"]
    side = Side(p[..., 0].abs(), p[..., 1] + 0.5 * depth, p[..., 2])
    for facet, own in ((superior_facet(shape), -1.0), (inferior_facet(shape), 1.0)):
        over = 0.5 * s["facet_gap"] - own * joint_distance(side, facet, depth)
        near = process_distance(side, facet, depth, -own, 5.5)
        distance = smooth_max(distance, torch.minimum(over, -near), 0.6)
    return distance
