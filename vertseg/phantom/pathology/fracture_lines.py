"""What a fracture looks like inside the bone: impacted bands, lines, gaps around fragments, clefts."""

from typing import Final

import numpy as np
import torch

from vertseg.phantom.pathology.disease import Cleft, Crack, Fracture, Fragment
from vertseg.phantom.pathology.patch import Patch, slab
from vertseg.phantom.shapes import coverage, ellipsoid, waves
from vertseg.phantom.types import Array, Hidden, VertebraShape
from vertseg.phantom.vertebra.deformation import fragment_distance
from vertseg.phantom.vertebra.distances import vertebra_distances

BLOOD_HU: Final = 45.0
"""Clotted blood and marrow between fragments."""


def paint_fracture(patch: Patch, fracture: Fracture) -> None:
    """Band, lines and cleft of a broken body; the patch must hold the body."""
    if fracture.band_hu > 0:
        _paint_band(patch, fracture)
    for crack in fracture.cracks:
        _paint_crack(patch, crack)
    if fracture.cleft is not None:
        _paint_cleft(patch, fracture.cleft)


def _phase(patch: Patch) -> tuple[float, float, float]:
    seed = patch.ground.site.shape.seed
    return (float(seed % 61), float(seed % 43), float(seed % 37))


def _paint_band(patch: Patch, fracture: Fracture) -> None:
    """Trabeculae pressed into each other under the broken endplate."""
    p, ph = patch.p, _phase(patch)
    uneven = patch.field(lambda q: waves(q, ph, 13.0), 3.0)
    deep = -patch.body - 1.0 - 0.7 * fracture.band_mm - 1.2 * uneven
    band = torch.exp(-((deep / (0.55 * fracture.band_mm)) ** 2))
    facing = torch.sigmoid(fracture.band_side * p[..., 2] - 1.0) * coverage(patch.lateral + 2.5, 3.0)
    strength = (0.75 + 0.5 * uneven + 0.12 * patch.grain).clamp(0.15, 1.4)
    patch.hu.add_(fracture.band_hu * band * facing * strength * patch.inner)


def _paint_crack(patch: Patch, crack: Crack) -> None:
    p, ph = patch.p, _phase(patch)
    n, c = crack.normal, crack.point
    length = float(sum(x * x for x in n)) ** 0.5
    plane = sum(((p[..., i] - c[i]) * (n[i] / length) for i in range(3)), torch.zeros_like(p[..., 0]))
    plane = plane + 0.8 * patch.field(lambda q: waves(q, ph, 11.0), 3.0)
    reach = torch.ones_like(plane)
    if crack.where != "body":
        side = 1.0 if crack.where == "upper" else -1.0
        reach = coverage(-patch.body - 5.0, 3.0) * (side * p[..., 2] > 0)
    # The line runs through the body and its walls but not into the pedicles.
    reach = reach * (patch.body <= 0.75 * patch.width)
    patch.blend(slab(plane, crack.width_mm, patch.width) * reach * patch.through, crack.hu)
    open_ = (plane.abs() <= 0.5 * crack.width_mm) & (reach > 0.5) & patch.inside
    if crack.where == "body":
        patch.open_wall(open_, slab(plane, crack.width_mm, patch.voxel_mm) * reach)
    else:
        plate = (patch.body > -1.5) & (patch.lateral < -2.5)
        patch.hide(open_ & plate, Hidden.ENDPLATE_BREAK)
    patch.hide(open_ & patch.cortex, Hidden.OPEN_CORTEX)


def fragment_reach(fragment: Fragment, shape: VertebraShape) -> tuple[Array, Array]:
    """Centre (3,) and half sizes (3,) in mm of a box around a fragment where it lies now."""
    s = shape.sizes
    middle = -0.5 * s["depth"] + 0.5 * (fragment.length_mm - 2 * fragment.shift_mm)
    centre = np.array([fragment.right_mm, middle, 0.5 * s["height"] - 0.5 * fragment.height_mm])
    half = np.array([fragment.half_width_mm, 0.5 * fragment.length_mm, 0.5 * fragment.height_mm])
    return centre, half + 5.0 + fragment.gap_mm


def paint_fragment(patch: Patch, fragment: Fragment) -> None:
    """The gap around a retropulsed corner: between it and the rest of the wall the cortex is missing."""
    shape = patch.ground.site.shape
    edge = fragment_distance(patch.p, shape, fragment)
    # The gap lies just outside of the fragment, on the body's side of it.
    gap = edge - 0.5 * fragment.gap_mm
    within = patch.through * (patch.body < 0.75 * patch.width)
    patch.blend(slab(gap, fragment.gap_mm, patch.width) * within, BLOOD_HU + 8.0 * patch.grain)
    # In front of the fragment the gap is no part of a wall.
    beside = patch.p[..., 1] + fragment.shift_mm + 0.5 * shape.sizes["depth"] < fragment.length_mm - 1.0
    open_ = (gap.abs() <= 0.5 * fragment.gap_mm) & patch.inside & beside
    # The wall that the fragment left, before the step: across it the fields jump.
    wall = patch.field(lambda p: vertebra_distances(p, shape).lateral)
    patch.open_wall(open_, slab(gap, fragment.gap_mm, patch.voxel_mm) * beside, wall)
    patch.hide(open_ & patch.cortex, Hidden.OPEN_CORTEX)


def _paint_cleft(patch: Patch, cleft: Cleft) -> None:
    ph = _phase(patch)
    bent, uneven = (patch.field(lambda q, k=k: waves(q, ph, k), 2.0) for k in (26.0, 9.0))  # type: ignore[misc]
    u, v, w = patch.p.unbind(-1)
    hollow = ellipsoid(torch.stack([u, v, w + 1.6 * bent], -1), cleft.centre, cleft.radii)
    hollow = hollow + 0.3 * cleft.radii[2] * uneven
    rim = slab(hollow - 0.9, 1.8, patch.width) * patch.inner
    patch.blend(0.8 * rim, torch.maximum(patch.hu, torch.full_like(rim, cleft.rim_hu)))
    patch.blend(coverage(hollow, patch.width) * patch.inner, cleft.hu)
    patch.hide((hollow <= 0) & patch.inside, Hidden.CLEFT)
