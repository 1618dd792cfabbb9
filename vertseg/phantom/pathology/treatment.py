"""After treatment: cement in bodies and where it leaked, screws and rods; painted over all bones."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.disease import CementFill, Screws, Strand
from vertseg.phantom.pathology.lesions import CEMENT, LYTIC, SCLEROTIC, lobed
from vertseg.phantom.pathology.patch import Patch, local_points
from vertseg.phantom.shapes import capsule, coverage, smooth_min, waves
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, Array, Hidden, VertebraShape

CEMENT_HU: Final = (400.0, 3071.0)
METAL_HU_CAP: Final = 10000.0
HEAD_MM: Final = (6.0, 9.0)
"""Radius and length of a screw's head."""


def deposit_reach(fill: CementFill) -> tuple[Array, Array]:
    """Centre (3,) and half sizes (3,) in mm of a box around a deposit."""
    lobes = np.asarray(fill.lobes)
    low, high = (lobes[:, :3] - lobes[:, 3:]).min(0), (lobes[:, :3] + lobes[:, 3:]).max(0)
    return 0.5 * (low + high), 0.5 * (high - low) + 3.0 + fill.rough_mm


def paint_deposit(patch: Patch, fill: CementFill) -> None:
    """Cement between the trabeculae of a body, dense and grainy with its opacifier."""
    smooth = patch.field(lambda p: lobed(p, fill.lobes, fill.phase))
    fine = patch.field(lambda p: waves(p, (fill.phase[2], fill.phase[0], fill.phase[1]), 6.3), 1.5)
    edge = smooth + fill.rough_mm * (0.6 * fine + 0.5 * patch.grain.clamp(-1.8, 1.8))
    share = coverage(edge, max(patch.width, 1.0)) * patch.inner
    value = (fill.hu * (1.0 + 0.13 * patch.grain)).clamp(*CEMENT_HU)
    patch.blend(share, torch.maximum(value, patch.hu))
    mask = (edge <= 0) & patch.inside & (patch.inner > 0.5)
    patch.mark(mask, CEMENT)
    patch.unmark(mask, LYTIC)
    patch.unmark(mask, SCLEROTIC)
    owner = patch.ground.sheet.cement_level[patch.box]
    owner[mask] = patch.ground.site.shape.level


def paint_treatment(canvas: Canvas, sheet: LabelSheet, anatomy: Anatomy) -> None:
    """Paint what leaves the bones, after all of them: leaked cement, screws and rods."""
    for shape in anatomy.vertebrae:
        if shape.cement is not None:
            for strand in shape.cement.strands:
                _paint_strand(canvas, sheet, shape, strand)
        if shape.screws is not None:
            _paint_screws(canvas, sheet, shape, anatomy)


def strand_distance(p: Tensor, strand: Strand) -> Tensor:
    """Distance (mm) of a cast: round bars from vertex to vertex, a little uneven in thickness."""
    distance: Tensor | None = None
    r = strand.radius_mm
    for a, b in zip(strand.points[:-1], strand.points[1:], strict=True):
        bar = capsule(p, a, b, (r, 0.9 * r), strand.stretch)
        distance = bar if distance is None else smooth_min(distance, bar, 0.8 * r)
    if distance is None:
        raise ValueError("A strand of cement needs two points.")
    return distance + 0.22 * r * waves(p, (r, 2 * r, 3 * r), 6.0)


def _paint_strand(canvas: Canvas, sheet: LabelSheet, shape: VertebraShape, strand: Strand) -> None:
    if shape.cement is None:
        return
    points = np.asarray(strand.points)
    margin = 1.6 * strand.radius_mm * max(strand.stretch) + canvas.width + 1.0
    box = canvas.box(shape.centre_mm + points @ shape.axes.T, margin)
    if box is None:
        return
    (distance,) = canvas.field(box, lambda p: (strand_distance(local_points(p, shape), strand),), 1.0)
    hu, share = canvas.hu[box], coverage(distance, canvas.width)
    hu += share * (torch.clamp_min(hu, shape.cement.hu) - hu)
    mask = distance <= 0
    for finding, value in ((CEMENT, 1), (LYTIC, 0), (SCLEROTIC, 0)):
        sheet.findings[(finding, *box)][mask] = value
    sheet.cement_level[box][mask] = shape.level


def screw_ends(shape: VertebraShape, screws: Screws, side: float) -> tuple[Array, Array]:
    """Head and tip (3,) in mm of the screw through one pedicle (+1 right), in the vertebra's frame."""
    s = shape.sizes
    angle = np.deg2rad(0.8 * s["pedicle_angle"] + 4.0)
    up = 0.16 * s.get("sound_height", s["height"])
    middle = np.array(
        [side * (0.5 * s["canal_width"] + 0.5 * s["pedicle_width"]), -0.5 * s["depth"] - 3.0, up]
    )
    forward = np.array([-side * np.sin(angle), np.cos(angle), -0.10])
    tip = middle + forward * (3.0 + screws.depth_share * s["depth"]) / forward[1]
    head = middle - forward * (s["canal_depth"] + 4.0) / forward[1]
    return head, tip


def _paint_screws(canvas: Canvas, sheet: LabelSheet, shape: VertebraShape, anatomy: Anatomy) -> None:
    screws = shape.screws
    if screws is None:
        return
    other = next((v for v in anatomy.vertebrae if v.level == screws.rod_to), None)
    for side in screws.sides:
        head, tip = screw_ends(shape, screws, side)
        backward = (head - tip) / np.linalg.norm(head - tip)
        end = head + backward * HEAD_MM[1]
        bars = [(head, tip, screws.radius_mm), (head, end, HEAD_MM[0])]
        if other is not None and other.screws is not None and side in other.screws.sides:
            far, far_tip = screw_ends(other, other.screws, side)
            far = far + (far - far_tip) / np.linalg.norm(far - far_tip) * 0.6 * HEAD_MM[1]
            world = other.centre_mm + other.axes @ far
            bars.append(
                (
                    head + 0.6 * backward * HEAD_MM[1],
                    (world - shape.centre_mm) @ shape.axes,
                    screws.rod_radius_mm,
                )
            )
        for start, stop, radius in bars:
            _paint_metal(canvas, sheet, shape, (start, stop, radius, screws.hu))


def _paint_metal(
    canvas: Canvas, sheet: LabelSheet, shape: VertebraShape, bar: tuple[Array, Array, float, float]
) -> None:
    start, stop, radius, level = bar
    box = canvas.box(shape.centre_mm + np.stack([start, stop]) @ shape.axes.T, radius + canvas.width + 1.0)
    if box is None:
        return
    ends = tuple(float(v) for v in start), tuple(float(v) for v in stop)

    def distances(p: Tensor) -> tuple[Tensor, ...]:
        return (capsule(local_points(p, shape), *ends, (radius, radius), (1.0, 1.0, 1.0)),)

    (distance,) = canvas.field(box, distances, 1.0)
    hu, share = canvas.hu[box], coverage(distance, canvas.width)
    hu += share * (min(level, METAL_HU_CAP) - hu)
    mask = distance <= 0
    sheet.hidden[(int(Hidden.METAL), *box)][mask] = 1
    for finding in range(sheet.findings.shape[0]):
        sheet.findings[(finding, *box)][mask] = 0
    sheet.cement_level[box][mask] = 0
