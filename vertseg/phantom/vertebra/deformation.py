"""Shapes that disease gave a vertebra: broken endplates, buckled walls, retropulsed fragments, bulging bone."""

from dataclasses import replace

import torch
from torch import Tensor

from vertseg.phantom.pathology.disease import Dent, Fracture, Fragment
from vertseg.phantom.pathology.lesions import outline
from vertseg.phantom.shapes import smooth_max, smooth_min, stack_points
from vertseg.phantom.types import VertebraShape
from vertseg.phantom.vertebra.distances import VertebraDistances, vertebra_distances

BUCKLE_HALF_MM = 2.5
"""Half height of the bulge where the anterior wall folded."""


def deformed_distances(p: Tensor, shape: VertebraShape) -> VertebraDistances:
    """Distances (mm) of a vertebra as its disease left it; those of a healthy one cost nothing more.

    Args:
        p: (..., 3) mm, (right, anterior, up) from the body centre.
        shape: the vertebra. Its posterior elements keep the size that `sizes["sound_height"]` gives them, where
            the body has collapsed.
    """
    points = p if shape.fracture is None else warped(p, shape, shape.fracture)
    distances = vertebra_distances(points, shape)
    sound = shape.sizes.get("sound_height", shape.sizes["height"])
    if sound > 1.15 * shape.sizes["height"]:
        spared = replace(shape, sizes={**shape.sizes, "height": sound})
        distances = replace(distances, posterior=vertebra_distances(p, spared).posterior)
    return bulged(distances, p, shape)


def bulged(distances: VertebraDistances, p: Tensor, shape: VertebraShape) -> VertebraDistances:
    """Distances (mm) with the bone that expanding lesions push outward.

    Args:
        distances: without it, at the points.
        p: (..., 3) mm, (right, anterior, up) from the body centre.
        shape: the vertebra.
    """
    for lesion in shape.lesions:
        if lesion.expands_mm > 0:
            whole = torch.minimum(distances.body, distances.posterior)
            bulge = smooth_max(outline(p, lesion) - 0.8, whole - lesion.expands_mm, 2.0)
            if lesion.centre[1] < -0.5 * shape.sizes["depth"] - 2.0:
                distances = replace(distances, posterior=smooth_min(distances.posterior, bulge, 2.0))
            else:
                body = smooth_min(distances.body, bulge, 2.0)
                distances = replace(distances, body=body, lateral=torch.minimum(distances.lateral, bulge))
    return distances


def warped(p: Tensor, shape: VertebraShape, fracture: Fracture) -> Tensor:
    """Where each point of the broken vertebra lay in the unbroken one; (..., 3) mm."""
    s = shape.sizes
    u, v, w = p.unbind(-1)
    back = -0.5 * s["depth"]
    in_body = ((v - back + 3.0) / 3.0).clamp(0.0, 1.0)
    half = 0.25 * (s["height"] + s["anterior_height"])
    lift = torch.zeros_like(w)
    for dent in fracture.dents:
        lift = lift + _dent_lift(u, v, w / half, dent)
    forward = v
    if fracture.buckle_mm > 0 or fracture.step_mm > 0:
        front = (v / (0.45 * s["depth"])).clamp(0.0, 1.0)
        z = w - fracture.buckle_up_mm
        fold = fracture.buckle_mm * torch.exp(-((z / BUCKLE_HALF_MM) ** 2))
        forward = v - front * (fold + fracture.step_mm * torch.sigmoid(z / 0.5))
    if fracture.fragment is not None:
        moved = fragment_distance(p, shape, fracture.fragment) < 0
        forward = torch.where(moved, v + fracture.fragment.shift_mm, forward)
    return stack_points(u, forward, w + in_body * lift)


def _dent_lift(u: Tensor, v: Tensor, relative: Tensor, dent: Dent) -> Tensor:
    across = ((u - dent.right_mm) / dent.radii_mm[0]) ** 2 + ((v - dent.anterior_mm) / dent.radii_mm[1]) ** 2
    ramp = (1.6 * dent.side * relative).clamp(0.0, 1.0)
    return dent.side * dent.depth_mm * torch.exp(-(across**2)) * ramp


def fragment_distance(p: Tensor, shape: VertebraShape, fragment: Fragment) -> Tensor:
    """Distance (mm) of the block that holds a retropulsed fragment, where it lies now."""
    u, v, w = p.unbind(-1)
    s = shape.sizes
    start = v + fragment.shift_mm + 0.5 * s["depth"]
    low = 0.5 * s["height"] - fragment.height_mm
    # Its floor slopes: the corner breaks off obliquely.
    floor = low + 0.35 * start + 1.1 * torch.sin(0.55 * u + fragment.shift_mm) - w
    ragged = torch.sin(0.45 * w + fragment.gap_mm) + torch.sin(0.7 * v + 3.0 * fragment.gap_mm)
    # Narrower in front and below, as such corners are.
    taper = 0.22 * start + 0.25 * (0.5 * s["height"] - w)
    side = (u - fragment.right_mm).abs() - fragment.half_width_mm + taper + 0.8 * ragged
    depth = torch.maximum(start - fragment.length_mm, -3.0 - start)
    return smooth_max(smooth_max(side, floor, 1.5), depth, 1.5)
