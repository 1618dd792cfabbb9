"""Vertebrae of a label map on a canvas, with their pathology, and the discs and canal between them."""

import itertools
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import COLUMN_ORDER
from vertseg.phantom.canvas import FAR_MM, Canvas
from vertseg.phantom.painting.mapped_vertebra import MappedVertebra
from vertseg.phantom.painting.painted_canvas import PaintedCanvas
from vertseg.phantom.shapes import capsule, smooth_max, waves
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.types import Anatomy, VertebraShape
from vertseg.phantom.vertebra.bones import BoneDistances, paint_bone
from vertseg.phantom.vertebra.deformation import bulged, warped
from vertseg.phantom.vertebra.distances import VertebraDistances

_LATTICE_MM: Final = 2.0
_CLOSED_MM: Final = 60.0
"""Bodies farther apart than this have no disc between them: a level is missing from the map."""


def paint_mapped_vertebra(
    scene: PaintedCanvas, sheet: LabelSheet, vertebra: MappedVertebra, grain: NoiseTile
) -> None:
    """Paint one of the map's vertebrae with its pathology and label it, where the canvas sees it."""
    canvas, body = scene.canvas, scene.body
    box = scene.box_of(vertebra.lattice_from_world, vertebra.field.values.shape[1:], 0.0)
    if box is None:
        return
    shape = next(s for s in body.anatomy.vertebrae if s.level == vertebra.level)
    scale = body.deformation.scale
    before = body.healthy[shape.level]
    # From the map's frame of the vertebra to the patient's, mirrored where the patient is.
    stretch = torch.tensor(body.stretches[shape.level], dtype=torch.float32, device=canvas.device)

    def distances(world: Tensor) -> tuple[Tensor, ...]:
        p = _local(world, vertebra) * stretch
        sound, shrink = _uncollapsed(p, before, shape)
        whole, cut, lateral = vertebra.field.sample(sound / stretch).unbind(0)
        whole, cut, lateral = whole * scale * shrink, cut * scale, lateral * scale
        # A map does not tell endplates from the rest of the surface, nor a joint's gap from bone.
        body_side, arch_side = torch.maximum(whole, cut), torch.maximum(whole, -cut)
        parts = VertebraDistances(body_side, arch_side, lateral, whole, torch.full_like(whole, FAR_MM))
        parts = bulged(parts, p, shape)
        whole = torch.minimum(whole, torch.minimum(parts.body, parts.posterior))
        return parts.body, parts.posterior, parts.lateral, whole

    bone = BoneDistances(box, *scene.fields(box, distances, _LATTICE_MM))
    paint_bone(canvas, sheet, (shape, bone), body.anatomy, grain)


def _uncollapsed(p: Tensor, before: VertebraShape, after: VertebraShape) -> tuple[Tensor, Tensor]:
    """Where points (mm, vertebra's frame) of a broken body lay in the sound one, and how distances shrank there.

    The body's heights fall from those of `before` to those of `after`, behind, in the middle and in front; the
    arch keeps its form.
    """
    moved = p if after.fracture is None else warped(p, after, after.fracture)
    behind, middle, front = (
        float(np.clip(after.sizes[k] / before.sizes[k], 0.1, 1.0))
        for k in ("height", "middle_height", "anterior_height")
    )
    rough = after.sizes.get("rough", 0.0)
    if min(behind, middle, front) > 0.99 and rough <= 0:
        return moved, torch.ones_like(p[..., 0])
    u, v, w = moved.unbind(-1)
    depth, width = after.sizes["depth"], after.sizes["width"]
    share = (v / depth + 0.5).clamp(0.0, 1.0)
    edge = behind + (front - behind) * share
    central = (1.0 - (2 * u / width) ** 2 - (2 * v / depth) ** 2).clamp(0.0, 1.0)
    dip = min(1.0, 2 * middle / (behind + front))
    inside = torch.sigmoid((v + 0.5 * depth + 3.0) / 1.5)
    squeeze = 1.0 + (edge * (1.0 + (dip - 1.0) * central) - 1.0) * inside
    phase = (float(after.seed % 7), float(after.seed % 5), 1.0)
    buckled = w - rough * inside * waves(moved, phase, 14.0) * (w / 4.0).clamp(-1.0, 1.0)
    half = 0.5 * before.sizes["height"] * squeeze
    near_plate = (buckled.abs() / half).clamp(0.0, 1.0) ** 3
    return torch.stack([u, v, buckled / squeeze], dim=-1), 1.0 + (squeeze - 1.0) * near_plate


def paint_canal_and_discs(scene: PaintedCanvas) -> None:
    """What lies between and behind the bodies, which label maps leave out; painted before the bones."""
    body = scene.body
    shapes = {s.level: s for s in body.anatomy.vertebrae}
    pairs = itertools.pairwise(body.labelled.vertebrae)
    for upper, lower in pairs:
        near = np.linalg.norm(upper.centre_mm - lower.centre_mm) < _CLOSED_MM
        if near and COLUMN_ORDER.index(lower.level) - COLUMN_ORDER.index(upper.level) <= 2:
            _paint_canal(scene.canvas, body.anatomy, shapes[upper.level], shapes[lower.level])
            _paint_disc(scene, (upper, lower))


def _paint_canal(canvas: Canvas, anatomy: Anatomy, upper: VertebraShape, lower: VertebraShape) -> None:
    ends = []
    for shape in (upper, lower):
        back = 0.5 * (shape.sizes["depth"] + shape.sizes["canal_depth"])
        ends.append(shape.centre_mm - back * shape.axes[:, 1])
    a, b = (tuple(float(c) for c in end) for end in ends)
    radius = 0.5 * upper.sizes["canal_depth"]
    wide = max(1.0, upper.sizes["canal_width"] / upper.sizes["canal_depth"])
    box = canvas.box(np.array(ends), radius * wide + canvas.width + 2)
    if box is None:
        return

    def tubes(p: Tensor) -> tuple[Tensor, ...]:
        return (
            capsule(p, a, b, (radius + 0.6, radius + 0.6), (wide, 1.0, 1.0)),
            capsule(p, a, b, (0.8 * radius, 0.8 * radius), (wide, 1.0, 1.0)),
        )

    fat, sac = canvas.field(box, tubes, _LATTICE_MM)
    canvas.blend(fat, anatomy.hu["fat"] + 40.0, box)
    canvas.blend(sac, anatomy.hu["canal"], box)


def _paint_disc(scene: PaintedCanvas, pair: tuple[MappedVertebra, MappedVertebra]) -> None:
    """A disc fills what two bodies' side walls, carried on, enclose between them."""
    canvas, body = scene.canvas, scene.body
    centres = np.stack([body.healthy[v.level].centre_mm for v in pair])
    box = canvas.box(centres, 0.6 * max(v.sizes["width"] for v in pair) + 4.0)
    if box is None:
        return

    def enclosed(world: Tensor) -> tuple[Tensor, ...]:
        local = [_local(world, v) for v in pair]
        upper, lower = (v.field.sample(p)[2] for v, p in zip(pair, local, strict=True))
        above, below = local[0][..., 2], -local[1][..., 2]
        return (smooth_max(0.5 * (upper + lower) - 0.5, torch.maximum(above, below), 1.0),)

    (distance,) = scene.fields(box, enclosed, _LATTICE_MM)
    canvas.blend(distance * body.deformation.scale, body.anatomy.hu["disc"], box)
    if np.random.default_rng([body.anatomy.seed, 46, pair[0].level]).random() < 0.06:
        canvas.blend(distance + 9.0, -300.0, box)


def _local(world: Tensor, vertebra: MappedVertebra) -> Tensor:
    shift = world - torch.tensor(vertebra.centre_mm, dtype=torch.float32, device=world.device)
    return shift @ torch.tensor(vertebra.axes, dtype=torch.float32, device=world.device)
