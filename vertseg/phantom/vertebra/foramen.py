"""The basivertebral foramen and its veins: a channel from the middle of the posterior wall into the body.

It is a healthy opening of the wall, so that nothing is marked; what it looks like must not be taken for a lesion.
Its opening is 2-9 mm wide, lower at the thoracic levels, and triangular or slit-like; behind it the vein splits into a Y.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR
from vertseg.phantom.pathology.patch import Patch, slab
from vertseg.phantom.shapes import capsule, coverage, smooth_min
from vertseg.phantom.types import Anatomy, Array, VertebraShape

OPENING_MM: Final = (2.0, 9.0)
"""Width of the opening for `sizes["foramen"]` at the ends of its range."""

SIZE_RANGE: Final = (1.2, 3.5)


@dataclass(frozen=True)
class Foramen:
    """Opening's half width and half height, trunk's length, branches' lengths (mm), branches' rise, HU, rim's HU."""

    half_width: float
    half_height: float
    up: float
    right: float
    trunk: float
    branches: tuple[float, float]
    spread: float
    hu: float
    rim_hu: float
    septum: bool


def draw_foramen(shape: VertebraShape, hu: dict[str, float]) -> Foramen:
    """The foramen of a vertebra, from its own seed; its width follows `sizes["foramen"]`."""
    s, rng = shape.sizes, np.random.default_rng([shape.seed, 77])
    share = float(np.clip((s["foramen"] - SIZE_RANGE[0]) / (SIZE_RANGE[1] - SIZE_RANGE[0]), 0.0, 1.0))
    width = OPENING_MM[0] + share * (OPENING_MM[1] - OPENING_MM[0])
    width *= 1.0 if shape.level in LUMBAR else 0.45 if shape.level in CERVICAL else 0.75
    body = 0.5 * (s["height"] + s["anterior_height"])
    half_height = float(min(0.5 * width * rng.uniform(0.5, 1.1), 0.2 * body))
    venous = float(np.clip(hu["vein"], 30.0, 220.0))
    fat = float(rng.uniform(0.0, 1.0))
    return Foramen(
        0.5 * width, half_height, float(rng.uniform(-0.08, 0.06) * body), float(rng.normal(0.0, 0.8)),
        float(rng.uniform(0.12, 0.32) * s["depth"]),
        (float(rng.uniform(0.0, 0.3) * s["depth"]), float(rng.uniform(0.0, 0.3) * s["depth"])),
        float(rng.uniform(0.5, 1.1)), fat * -20.0 + (1 - fat) * (0.35 * venous + 25.0),
        float(rng.uniform(0.0, 450.0)), bool(rng.random() < 0.3),
    )  # fmt: skip


def foramen_reach(shape: VertebraShape) -> tuple[Array, Array]:
    """Centre (3,) and half sizes (3,) in mm of a box around the foramen and its veins."""
    s = shape.sizes
    depth = 0.72 * s["depth"]
    centre = np.array([0.0, -0.5 * s["depth"] + 0.5 * depth - 3.0, 0.0])
    return centre, np.array([0.3 * s["width"], 0.5 * depth + 1.0, 8.0])


def channel_distance(p: Tensor, foramen: Foramen, back: float) -> Tensor:
    """Distance (mm) of the funnel and its two veins; `back` is the posterior wall's place (mm anterior)."""
    flat = foramen.half_height / foramen.half_width
    r, u, up = foramen.half_width, foramen.right, foramen.up
    end = (u, back + foramen.trunk, up)
    tip = max(0.45, 0.38 * r)
    funnel = capsule(p, (u, back - 3.0, up), end, (1.15 * r, tip), (1.0, 1.0, flat))
    for side, length in zip((-1.0, 1.0), foramen.branches, strict=True):
        if length > 2.0:
            far = (u + side * foramen.spread * length, end[1] + length, up + 0.1 * length)
            vein = capsule(p, end, far, (tip, 0.4), (1.0, 1.0, max(flat, 0.6)))
            funnel = smooth_min(funnel, vein, 1.5)
    return funnel


def paint_foramen(patch: Patch, anatomy: Anatomy) -> None:
    """Open the wall at the foramen and run the veins through the marrow, lined by thin cortex."""
    shape = patch.ground.site.shape
    foramen = draw_foramen(shape, anatomy.hu)
    back = -0.5 * shape.sizes["depth"]
    channel = patch.field(lambda p: channel_distance(p, foramen, back), 1.0)
    # Compact bone lines the funnel and not the veins beyond.
    fade = ((back + foramen.trunk + 2.0 - patch.p[..., 1]) / 4.0).clamp(0.0, 1.0)
    rim = slab(channel - 0.5, 0.8, patch.width) * fade * patch.inner
    patch.blend(rim, torch.maximum(patch.hu, torch.full_like(rim, foramen.rim_hu)))
    share = coverage(channel, patch.width) * patch.through * (patch.p[..., 1] > back - 4.0)
    if foramen.septum:
        share = share * (1 - 0.7 * slab(patch.p[..., 0] - foramen.right, 0.8, patch.width))
    patch.blend(0.9 * share * (patch.body < 1.5), foramen.hu + 8.0 * patch.grain)
