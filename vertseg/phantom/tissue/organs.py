"""Organs of the abdomen: liver, spleen, kidneys, stomach, pancreas, bladder. World RAS, mm."""

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import ellipsoid, rotate, smooth_max, waves
from vertseg.phantom.tissue.layers import Layer, Tube, lay, lay_blob, lay_tube
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.tissue.trunk import Chest, phase_of
from vertseg.phantom.types import Anatomy, Array


def paint_organs(canvas: Canvas, chest: Chest, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Paint the solid organs, stomach and bladder where the canvas sees them."""
    rng = np.random.default_rng([anatomy.seed, 46])
    _paint_under_domes(canvas, chest, anatomy, tissues, rng)
    for side in (-1.0, 1.0):
        _paint_kidney(canvas, frame, tissues, (side, anatomy.seed))
    _paint_pancreas(canvas, frame, tissues)
    full = float(rng.uniform(0.5, 1.15))
    lay_blob(canvas, (0.0, 34.0, -112.0), (46.0 * full, 36.0 * full, 34.0 * full), 16.0, 0.04)
    lay_blob(
        canvas, (0.0, 34.0, -112.0), (43.0 * full, 33.0 * full, 31.0 * full), min(tissues.urine, 500.0), 0.04
    )


def _paint_under_domes(
    canvas: Canvas, chest: Chest, anatomy: Anatomy, tissues: Tissues, rng: np.random.Generator
) -> None:
    torso = chest.torso
    length = float(rng.uniform(120, 165))
    bottom = chest.right_top - length
    box = canvas.box(np.array([[-170.0, -150.0, bottom - 10.0], [170.0, 220.0, chest.right_top + 15.0]]), 0.0)
    if box is None:
        return
    phase = phase_of(anatomy, 47)
    reach = float(rng.uniform(15, 75))
    spleen = (-0.62, -0.42, chest.left_top - float(rng.uniform(42, 62)))
    spleen_size = float(rng.uniform(0.85, 1.2))
    stomach_z = chest.left_top - float(rng.uniform(45, 70))
    food, gas = (
        float(rng.choice([8.0, 25.0, 60.0, 240.0], p=[0.4, 0.35, 0.15, 0.1])),
        float(rng.uniform(0.2, 1.0)),
    )

    def layers(p: Tensor) -> list[Layer]:
        rows = torso.at(p[..., 2])
        cage, u, v = torso.cage_distance(p, rows)
        dome = chest.dome(p, rows, u, v)
        under = torch.maximum(cage + 10.0, dome + 4.0)
        x, y, z = p[..., 0] - rows["spine_x"], p[..., 1] - rows["spine_y"], p[..., 2]
        ripple = 4.0 * waves(p, phase, 70.0)
        # The lower face climbs from the right flank to the left lobe; the hilum is a dent behind it.
        floor = bottom + 0.95 * (70.0 - x).clamp(-30.0, 140.0) - 0.25 * (y - 20.0) - z + ripple
        left = 0.8 * (-x - reach + 0.5 * (y - 60.0).clamp_min(-60.0))
        kidney_bed = 52.0 - torch.hypot(x - 62.0, y + 2.0) - (z - bottom - 80.0).clamp_min(0.0)
        column = 36.0 - torch.hypot(x + 8.0, y)
        liver = smooth_max(smooth_max(under, 0.72 * floor, 10.0), smooth_max(left, column, 8.0), 8.0)
        liver = smooth_max(liver, kidney_bed, 8.0)
        vessels = tissues.liver + (tissues.vein - tissues.liver) * 1.0 * (
            (waves(p, phase, 26.0) - 0.7).clamp_min(0.0) * 4.0
        ).clamp(max=1.0)
        gall = ellipsoid(
            p, (45.0, float(torso.value("spine_y", bottom + 40)) + 75.0, bottom + 42.0), (16.0, 22.0, 26.0)
        )
        sx = (u - spleen[0]) * rows["cage_w"] * 0.9
        sy = (v - spleen[1]) * 0.5 * (rows["cage_front"] - rows["cage_back"])
        sz = z - spleen[2] + 0.35 * sy
        spleen_d = (torch.sqrt((sx / 34.0) ** 2 + (sy / 44.0) ** 2 + (sz / 55.0) ** 2) - spleen_size) * 34.0
        spleen_d = smooth_max(smooth_max(under, spleen_d, 8.0), 30.0 - torch.hypot(sx - 48.0, sy - 8.0), 6.0)
        fx = x + 48.0 + 0.35 * (z - stomach_z)
        fy = y - 62.0 - 0.25 * (z - stomach_z)
        stomach = (
            torch.sqrt((fx / 42.0) ** 2 + (fy / 40.0) ** 2 + ((z - stomach_z) / 62.0) ** 2) - 1.0
        ) * 40.0 + 0.8 * ripple
        stomach = smooth_max(smooth_max(under, stomach, 6.0), -liver + 1.0, 4.0)
        inside = stomach + 5.0
        bubble = torch.maximum(inside, (78.0 - 34.0 * gas) - y)
        return [
            Layer(stomach, 45.0),
            Layer(inside, food),
            Layer(bubble, -950.0),
            Layer(liver, vessels),
            Layer(gall, 10.0),
            Layer(spleen_d, tissues.spleen),
        ]

    lay(canvas, box, layers, 6.0)


def _paint_kidney(canvas: Canvas, frame: SpineFrame, tissues: Tissues, which: tuple[float, int]) -> None:
    """A bean whose axis runs along the psoas; cortex, medulla in the corticomedullary phase, sinus fat, pelvis."""
    side, seed = which
    rng = np.random.default_rng([seed, 48 + int(side > 0)])
    place = float(rng.normal(3.9, 0.3)) - (0.35 if side > 0 else 0.0)
    out, front = float(rng.uniform(60, 72)), float(rng.uniform(-14, 4))
    centre = frame.world(place, side * out, front)
    size = float(rng.uniform(0.88, 1.14))
    long = frame.world(place + 1.2, side * (out - 12), front - 6) - frame.world(
        place - 1.2, side * (out + 12), front + 6
    )
    axes = _frame_along(long, np.array([-side * 0.85, 0.5, 0.0]))
    box = canvas.box(centre[None], 64.0 * size)
    if box is None:
        return
    cyst = float(rng.uniform(6, 20)) if rng.random() < 0.25 else 0.0
    spot = rng.normal(0, 1, 3) * np.array([10.0, 16.0, 30.0])

    def layers(p: Tensor) -> list[Layer]:
        q = rotate(p, axes, -centre @ axes)
        a, b, c = q.unbind(-1)
        body = ellipsoid(q, (0.0, 0.0, 0.0), (28.0 * size, 24.0 * size, 56.0 * size))
        hilum = torch.sqrt(((a - 26.0) / 22.0) ** 2 + (b / 9.0) ** 2 + (c / 20.0) ** 2) - 1.0
        bean = smooth_max(body, -hilum * 9.0, 5.0)
        pyramids = body + 7.0 + 2.5 * torch.cos(c * 0.32) * torch.cos(torch.atan2(b, a + 4.0) * 4.0)
        sinus = torch.sqrt(((a - 12.0) / 19.0) ** 2 + (b / 8.0) ** 2 + (c / 24.0) ** 2) - 1.0
        pelvis = torch.sqrt(((a - 16.0) / 15.0) ** 2 + (b / 4.5) ** 2 + (c / 11.0) ** 2) - 1.0
        out = [
            Layer(bean, tissues.cortex),
            Layer(torch.maximum(pyramids, bean + 5.0), tissues.medulla),
            Layer(sinus * 8.0, tissues.fat + 15.0),
            Layer(pelvis * 5.0, tissues.urine),
        ]
        if cyst > 0:
            out.append(Layer(ellipsoid(q, tuple(spot), (cyst, cyst, cyst)), 8.0))
        return out

    lay(canvas, box, layers, 3.0)
    pelvis = centre + axes @ np.array([22.0, 0.0, -6.0])
    ureter = [
        pelvis,
        *(frame.world(n, side * w, f) for n, w, f in ((3.0, 42, 14), (2.0, 38, 18), (1.0, 36, 22))),
    ]
    path = np.stack([*ureter, frame.world(-1.0, side * 48, 12.0)])
    lay_tube(canvas, Tube(path, np.full(len(path), 2.4)), 0.5 * min(tissues.urine, 600.0) + 20.0, 2.0)
    vessel = np.stack(
        [frame.world(place + 0.2, side * 14.0, 26.0), frame.world(place, side * 34.0, 12.0), pelvis]
    )
    lay_tube(canvas, Tube(vessel, np.array([4.0, 4.5, 3.5])), tissues.vein, 2.0)


def _frame_along(axis: Array, hint: Array) -> Array:
    """Columns: toward the hilum (`hint`), across, along `axis`."""
    up = axis / np.linalg.norm(axis)
    first = hint - (hint @ up) * up
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(up, first), up], axis=1)


def _paint_pancreas(canvas: Canvas, frame: SpineFrame, tissues: Tissues) -> None:
    spots = ((3.9, 44, 46), (4.3, 26, 54), (4.7, 4, 58), (5.0, -24, 48), (5.4, -58, 30))
    path = np.stack([frame.world(n, u, v) for n, u, v in spots])
    grey = 0.55 * tissues.liver + 14.0
    lay_tube(canvas, Tube(path, np.array([13.0, 11.0, 8.5, 8.5, 8.0]), (1.0, 1.0, 1.25)), grey)
    duodenum = ((4.3, 52, 44), (3.2, 52, 34), (2.7, 28, 38), (2.7, -6, 44), (3.3, -34, 46))
    path = np.stack([frame.world(n, u, v) for n, u, v in duodenum])
    lay_tube(canvas, Tube(path, np.full(5, 11.5)), 42.0)
    lay_tube(canvas, Tube(path, np.full(5, 8.5)), 18.0)
