"""What the patient lies on and under: a curved carbon shell with a foam core, a mattress, sometimes a blanket."""

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import waves
from vertseg.phantom.tissue.layers import Layer, lay
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy

SHELL_MM = 2.2

BLANKET_RATE = 0.3
"""Share of patients under a blanket. Assumed."""


def paint_table(canvas: Canvas, torso: Torso, anatomy: Anatomy) -> None:
    """Paint table and mattress under the lowest part of the back."""
    rng = np.random.default_rng([anatomy.seed, 53])
    z = torso.z
    lying = (z > torso.level_z[20] - 260.0) & (z < torso.neck_z)
    low = float(torso.table["skin_back"][lying].min()) - 2.0
    pad, deep = float(rng.uniform(4, 22)), float(rng.uniform(32, 62))
    bend = float(rng.choice([0.0, rng.uniform(0.0003, 0.0009)], p=[0.12, 0.88]))
    half, foam = float(rng.uniform(205, 260)), float(rng.uniform(-975, -900))
    shell = float(rng.uniform(-450, 150))
    corners = np.array(
        [[-half - 10, low - deep - pad - 40, z[0]], [half + 10, low + 40 + bend * half**2, z[-1]]]
    )
    box = canvas.box(corners, 0.0)
    if box is None:
        return
    before = canvas.hu[box].clone()

    def layers(p: Tensor) -> list[Layer]:
        x, y = p[..., 0], p[..., 1]
        top = low - pad + bend * x * x
        bottom = low - pad - deep + 0.35 * bend * x * x
        edge = x.abs() - half
        slab = torch.maximum(torch.maximum(y - top, bottom - y), edge)
        mattress = torch.maximum(torch.maximum(y - (top + pad), top - y), edge + 25.0)
        return [Layer(mattress, -930.0), Layer(slab, shell), Layer(slab + SHELL_MM, foam)]

    lay(canvas, box, layers, 4.0)
    # The patient sinks into what lies under him: nothing of the table shows inside the body.
    canvas.hu[box] = torch.where(before > -700.0, before, canvas.hu[box])


def paint_blanket(canvas: Canvas, torso: Torso, anatomy: Anatomy) -> None:
    """Paint, over some patients, folded cloth that lies loosely on the front and the sides from the neck down."""
    rng = np.random.default_rng([anatomy.seed, 54])
    if rng.random() >= BLANKET_RATE:
        return
    gap, thick, hu = float(rng.uniform(3, 18)), float(rng.uniform(4, 9)), float(rng.uniform(-960, -850))
    phase = tuple(float(c) for c in rng.uniform(0, 6.28, 3))
    before = canvas.hu.clone()

    def layers(p: Tensor) -> list[Layer]:
        skin, _, v = torso.skin_distance(p, torso.at(p[..., 2]))
        folds = gap + 0.6 * gap * waves(p, (phase[0], phase[1], phase[2]), 70.0)
        cloth = (skin - folds).abs() - 0.5 * thick
        covered = torch.maximum(-120.0 * (v + 0.2), p[..., 2] - torso.neck_z + 40.0)
        return [Layer(torch.maximum(cloth, covered), hu)]

    lay(canvas, None, layers, 4.0)
    canvas.hu.copy_(torch.where(before > -700.0, before, canvas.hu))
