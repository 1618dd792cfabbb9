"""Paint bones on a canvas and label them: vertebrae with their pathology, and unions of bars."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LocateClass
from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.pathology.findings import paint_findings
from vertseg.phantom.pathology.patch import local_points
from vertseg.phantom.shapes import coverage, smooth_min, waves
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.skeleton.bars import BoneUnion
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.types import Anatomy, VertebraShape
from vertseg.phantom.vertebra.deformation import deformed_distances
from vertseg.phantom.vertebra.marrow import marrow_hu

BONE_STEP_MM: Final = 2.0
"""Lattice on which the distances of bones are evaluated; they bend over several mm."""

FILLET_MM: Final = 2.0
"""Fillet between the body and the posterior elements."""


@dataclass(frozen=True)
class BoneSite:
    """One vertebra at the voxels of its box, as the painters of marrow and pathology see it.

    Attributes:
        box: where on the canvas; all tensors have its shape.
        p: (..., 3) mm in the vertebra's frame (right, anterior, up).
        body: distance (mm) of the body.
        posterior: distance (mm) of the posterior elements.
        lateral: distance (mm) of the body's side wall without its endplates.
        whole: distance (mm) of both with a fillet.
        outer: share of the voxel inside the bone.
        inner: share of the voxel inside the cortex.
        inside: voxels that are this vertebra's own.
        grain: trabecular texture of unit variance.
    """

    box: Box
    shape: VertebraShape
    p: Tensor
    body: Tensor
    posterior: Tensor
    lateral: Tensor
    whole: Tensor
    outer: Tensor
    inner: Tensor
    inside: Tensor
    grain: Tensor


def vertebra_corners(shape: VertebraShape) -> np.ndarray:
    """(8, 3) patient mm of a box that holds the vertebra."""
    s = shape.sizes
    back = s["depth"] / 2 + max(s["spinous_length"], s["canal_depth"] + 9.0) + 6
    low = s["height"] / 2 + max(0.5 * s["height"] + s["disc_below"], s["spinous_drop"] + 22) + 4
    high = 0.5 * s["height"] + (20.0 if shape.level in CERVICAL[:2] else 0.5 * s["disc_below"] + 10)
    half = max(s["transverse_span"] / 2 + 6, s["width"] / 2 + 6)
    ends = [(u, v, w) for u in (-half, half) for v in (-back, s["depth"] / 2 + 6) for w in (-low, high)]
    return np.asarray(shape.centre_mm + np.asarray(ends) @ shape.axes.T)


def paint_vertebra(
    canvas: Canvas, sheet: LabelSheet, shape: VertebraShape, anatomy: Anatomy, grain: NoiseTile
) -> None:
    """Paint one vertebra with its pathology and label it, where the canvas sees it."""
    box = canvas.box(vertebra_corners(shape), canvas.width)
    if box is None:
        return

    def distances(points: Tensor) -> tuple[Tensor, ...]:
        d = deformed_distances(local_points(points, shape), shape)
        return d.body, d.posterior, d.lateral, d.endplate, d.joint

    lattice = canvas.lattice(box, BONE_STEP_MM)
    coarse = distances(lattice.points())
    if _healthy(shape):
        # Nothing is painted or labelled farther out; what disease pushes out of the bone needs the whole box.
        reach = max(0.5 * canvas.width, sheet.margin_mm) + 0.25 * FILLET_MM + 0.1
        d_body, d_posterior, _, _, d_joint = coarse
        part = lattice.cut(torch.minimum(torch.minimum(d_body, d_posterior), d_joint) < reach)
        if part is None:
            return
        box, place, lattice = part
        coarse = tuple(d[place] for d in coarse)
    body, posterior, lateral, endplate, joint = lattice.interpolate(*coarse)
    bone = BoneDistances(box, body, posterior, lateral, smooth_min(body, posterior, FILLET_MM), endplate)
    loose = (sheet.tissue[box] == 0) * coverage(joint, canvas.width)
    canvas.hu[box] += loose * (anatomy.hu["cartilage"] - canvas.hu[box])
    paint_bone(canvas, sheet, (shape, bone), anatomy, grain)


def _healthy(shape: VertebraShape) -> bool:
    """Whether nothing but the foramen is painted into the bone."""
    sick = shape.lesions or shape.schmorl
    return not sick and shape.wall_hole is None and shape.fracture is None and shape.cement is None


@dataclass(frozen=True)
class BoneDistances:
    """Distances (mm) of a vertebra at the voxels of a box, drawn or from a label map; names as in `BoneSite`.

    `endplate`, where known, is above `lateral` wherever the nearest face of the body is an endplate.
    """

    box: Box
    body: Tensor
    posterior: Tensor
    lateral: Tensor
    whole: Tensor
    endplate: Tensor | None = None


def paint_bone(
    canvas: Canvas,
    sheet: LabelSheet,
    what: tuple[VertebraShape, BoneDistances],
    anatomy: Anatomy,
    grain: NoiseTile,
) -> None:
    """Paint a vertebra whose distances are known: cortex, marrow and pathology, with its labels."""
    shape, bone = what
    box, body, posterior, whole = bone.box, bone.body, bone.posterior, bone.whole
    p = canvas.local_points(box, np.asarray(shape.axes), np.asarray(shape.centre_mm))
    outer = coverage(whole, canvas.width)
    thickness = torch.where(body < posterior, shape.sizes["cortex"], shape.sizes["posterior_cortex"])
    if bone.endplate is not None:
        plate = (bone.endplate > bone.lateral) & (body < posterior)
        thickness = torch.where(plate, shape.sizes["endplate_cortex"], thickness)
    inner = torch.minimum(coverage(whole + thickness, canvas.width), outer)
    part = torch.where(body <= posterior, int(LocateClass.BODY), int(LocateClass.POSTERIOR)).to(torch.uint8)
    inside = sheet.claim(box, whole, part, shape.level)
    texture = grain.at(box, shape.seed)
    site = BoneSite(box, shape, p, body, posterior, bone.lateral, whole, outer, inner, inside, texture)
    hu = canvas.hu[box]
    hu = hu * (1 - outer) + anatomy.hu["cortical"] * (outer - inner) + marrow_hu(site, anatomy) * inner
    canvas.hu[box] = paint_findings(canvas, sheet, site, hu, anatomy)


def paint_union(
    canvas: Canvas,
    sheet: LabelSheet,
    union: BoneUnion,
    bone: tuple[LocateClass, int, float],
    anatomy: Anatomy,
) -> None:
    """Paint a union of parts as (class, level, HU of its marrow); only where it comes near."""
    if union.distance is None or union.cortex is None:
        return
    kind, level, marrow = bone
    part = union.space.lattice.cut(union.distance < canvas.width + 1.0)
    if part is None:
        return
    box, place, lattice = part
    distance, cortex = lattice.interpolate(union.distance[place], union.cortex[place])
    wobble, coarse = canvas.field(box, _irregular(float(kind), float(anatomy.seed % 13)), 4.0)
    distance = distance + 0.5 * wobble
    outer = coverage(distance, canvas.width)
    inner = torch.minimum(coverage(distance + cortex, canvas.width), outer)
    hu = canvas.hu[box]
    canvas.hu[box] = (
        hu * (1 - outer) + 0.92 * anatomy.hu["cortical"] * (outer - inner) + marrow * (1 + coarse) * inner
    )
    sheet.claim(box, distance, kind, level)


def _irregular(kind: float, shift: float) -> Callable[[Tensor], tuple[Tensor, ...]]:
    return lambda p: (
        waves(p, (kind, 1.0, 2.0), 21.0),
        0.22 * waves(p, (0.3, 1.7, shift), 13.0) + 0.12 * waves(p, (2.0, 0.1, 0.7), 8.0),
    )
