"""Between the bones: discs, facet joints, the canal's contents, nerve roots in their foramina."""

import itertools
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import capsule, coverage, ellipsoid, rotate, smooth_max, stack_points, waves
from vertseg.phantom.skeleton.sacrum import sacrum_segments
from vertseg.phantom.tissue.layers import Layer, lay
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.types import Anatomy, Array, VertebraShape

CANAL_STEP_MM: Final = 3.0
ROOT_STEP_MM: Final = 2.0
VACUUM_RATE_AT_80: Final = 0.08
"""Share of lumbar discs with gas at 80 years, none before 45: about a third of the old have one or more. A drawn rate."""
CALCIFIED_RATE_AT_80: Final = 0.10


def paint_canal(canvas: Canvas, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Epidural fat, ligamenta flava, thecal sac with the cord down to L1-L2, roots with fat around them."""
    boxes = frame.boxes(canvas, (-3.2, -17.0, -42.0), (24.6, 17.0, -6.0))
    if boxes:
        rng = np.random.default_rng([anatomy.seed, 42])
        ends = float(rng.normal(4.6, 0.4))
        fat = float(rng.uniform(0.2, 1.0))
        # The sac fills the canal in the neck and chest and leaves fat around it toward the sacrum.
        room = np.interp(frame.place, [-2.6, -2.0, 0.0, 2.0, 6.0, 18.0], [0.02, 0.45, 0.68, 0.8, 0.84, 0.9])
        cord = np.interp(
            frame.place, [ends - 0.6, ends, 7.0, 17.0, 20.0, 24.0], [0.05, 3.0, 4.0, 4.0, 5.0, 5.2]
        )
        table = frame.channel(
            frame.half_depth + 0.5 * frame.canal_depth, 0.5 * frame.canal_width, 0.5 * frame.canal_depth,
            room - 0.12 * fat * np.clip((6.0 - frame.place) / 5.0, 0.0, 1.0), cord,
        )  # fmt: skip

        def layers(p: Tensor) -> list[Layer]:
            index, right, front = frame.locate(p)
            t = table[index]
            v = front + t[..., 0]
            radial = torch.hypot(right / t[..., 1], v / t[..., 2])
            size = torch.minimum(t[..., 1], t[..., 2])
            canal = (radial - 1.0) * size - 1.0
            # The ligaments line the back of the canal like a roof, thickest beside the midline.
            roof = right.abs() * 0.75 + (v + t[..., 2])
            flavum = smooth_max(canal - 1.5, roof - 4.2 + 0.16 * right.abs(), 1.0)
            sac = (torch.hypot(right / t[..., 1], (v - 0.05 * size) / t[..., 2]) - t[..., 3]) * size
            cord = torch.hypot(right * 0.78, v) - t[..., 4]
            return [
                Layer(canal, tissues.fat + 25.0),
                Layer(flavum, 62.0),
                Layer(sac, tissues.sac),
                Layer(cord, max(tissues.sac + 14.0, 32.0)),
            ]

        for box in boxes:
            lay(canvas, box, layers, CANAL_STEP_MM)
    for shape in anatomy.vertebrae:
        _paint_roots(canvas, shape, tissues)


def _local(shape: VertebraShape, right: float, front: float, up: float) -> Array:
    return np.asarray(shape.centre_mm + shape.axes @ np.array([right, front, up]))


def _paint_roots(canvas: Canvas, shape: VertebraShape, tissues: Tissues) -> None:
    """Roots with fat around them, and the capsules of the facet joints: both sides at once, mirrored."""
    s = shape.sizes
    if shape.level in CERVICAL[:2] or not canvas.sees(shape.centre_mm[None], 45.0):
        return
    back, low, reach = -0.5 * s["depth"], -0.32 * s["height"], 0.5 * s["canal_width"]
    lumbar = shape.level in LUMBAR
    joint = (reach + 3.5, back - 0.92 * s["canal_depth"], -0.5 * (s["height"] + s["disc_below"]))
    ends = (
        (reach - 3, back - 5, low + 3),
        (reach + 5, back - 4, low - 1),
        (reach + 16, back + (4 if lumbar else -1), low - (9 if lumbar else 4)),
    )
    corners = np.array(
        [[u, v, w] for u in (-reach - 18, reach + 18) for v in (back + 6, joint[1]) for w in (8, joint[2])]
    )
    box = canvas.box(shape.centre_mm + corners @ shape.axes.T, 5.0)
    if box is None:
        return
    wide, thick = 5.5 if lumbar else 4.2, 2.8 if lumbar else 2.0
    size = (7.5, 7.0, 8.5) if lumbar else (5.5, 5.0, 6.0)

    def layers(p: Tensor) -> list[Layer]:
        u, v, w = rotate(p, shape.axes, -shape.centre_mm @ shape.axes).unbind(-1)
        q = stack_points(u.abs(), v, w)
        even = (1.0, 1.0, 1.0)
        inner = capsule(q, ends[0], ends[1], (4.0, wide + 0.8), even)
        outer = capsule(q, ends[1], ends[2], (wide + 0.8, wide), even)
        root = capsule(q, ends[0], ends[1], (0.4 * thick, thick), even)
        nerve = capsule(q, ends[1], ends[2], (thick, 0.6 * thick), even)
        return [
            Layer(torch.minimum(inner, outer), tissues.fat + 12.0),
            Layer(torch.minimum(root, nerve), 38.0),
            Layer(ellipsoid(q, joint, size), 70.0),
        ]

    lay(canvas, box, layers, ROOT_STEP_MM)


def paint_discs(canvas: Canvas, anatomy: Anatomy, tissues: Tissues) -> None:
    """Discs from C2 to the sacrum: annulus and nucleus, bulge, gas or chalk in those of the old."""
    segments = sacrum_segments(anatomy)
    for upper, lower in itertools.pairwise([*anatomy.vertebrae, segments[0]]):
        if upper.level not in CERVICAL[:1]:
            _paint_disc(canvas, upper, lower, tissues)


def _paint_disc(canvas: Canvas, upper: VertebraShape, lower: VertebraShape, tissues: Tissues) -> None:
    a, b = upper.sizes, lower.sizes
    foot = _local(upper, 0, 0, -0.25 * (a["height"] + a["anterior_height"]))
    head = _local(lower, 0, 0, 0.25 * (b["height"] + b["anterior_height"]))
    centre, gap = 0.5 * (foot + head), float(np.linalg.norm(foot - head))
    half_w, half_d = 0.25 * (a["width"] + b["width"]), 0.25 * (a["depth"] + b["depth"])
    box = canvas.box(centre[None], half_w + 6.0)
    if box is None:
        return
    rng = np.random.default_rng([upper.seed, 5])
    bulge = float(rng.uniform(0.0, 1.5) + (rng.uniform(0.5, 3.0) if rng.random() < 0.25 else 0.0))
    up = upper.axes[:, 2] + lower.axes[:, 2]
    axes = np.stack([upper.axes[:, 0], np.cross(up / np.linalg.norm(up), upper.axes[:, 0]), up], axis=1)
    axes = axes / np.linalg.norm(axes, axis=0)
    wedge = float(np.dot(upper.axes[:, 1] - lower.axes[:, 1], axes[:, 2])) / 2
    wear = np.clip((tissues.age - 45.0) / 35.0, 0.0, 1.3) * (1.0 if upper.level in LUMBAR else 0.4)
    gas, chalk = rng.random() < VACUUM_RATE_AT_80 * wear, rng.random() < CALCIFIED_RATE_AT_80 * wear
    phase = tuple(float(c) for c in rng.uniform(0, 6.28, 3))

    def layers(p: Tensor) -> list[Layer]:
        u, v, w = rotate(p, axes, -centre @ axes).unbind(-1)
        r = torch.hypot(u / (half_w + bulge), v / (half_d + bulge))
        side = (r - 1.0) * torch.sqrt(u * u + v * v + 1.0) / r.clamp_min(0.3)
        room = 0.5 * gap + wedge * v + 1.2 + 3.2 * (1.0 - r * r).clamp_min(0.0)
        disc = smooth_max(side, w.abs() - room, 1.5)
        ring = tissues.disc + 14.0 - 22.0 * coverage(r - 0.62, 0.3)
        out = [Layer(disc, ring)]
        if gas:
            slit = w.abs() + 3.0 * waves(p, (phase[0], phase[1], phase[2]), 19.0).abs() - min(0.28 * gap, 2.6)
            out.append(Layer(torch.maximum(side + 0.28 * half_d, slit), -650.0))
        if chalk:
            spots = 3.0 - 9.0 * waves(p, (phase[2], phase[0], phase[1]), 13.0)
            out.append(Layer(torch.maximum(disc + 1.5, spots), 420.0))
        return out

    lay(canvas, box, layers, CANAL_STEP_MM)
