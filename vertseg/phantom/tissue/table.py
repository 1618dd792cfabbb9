"""What the patient lies on: a curved carbon shell with a foam core, a mattress, sometimes a blanket."""

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.tissue.layers import Layer, lay
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy

SHELL_MM = 2.2


def paint_table(canvas: Canvas, torso: Torso, anatomy: Anatomy) -> None:
    """Paint table and mattress under the lowest part of the back, and a blanket over the skin."""
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
