"""Soft tissue laid on a canvas: distances on a coarse lattice, edges at the voxels, nothing where it misses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.shapes import capsule, ellipsoid, waves
from vertseg.phantom.types import Array

SOFT_STEP_MM: Final = 4.0
"""Lattice on which soft tissue is evaluated; its edges bend over centimetres."""
THIN_MM: Final = 4.0
"""Tubes thinner than this need a fine lattice and are painted piece by piece, in small boxes."""

Point = tuple[float, ...]
Hu = float | Tensor | Callable[[Box, Tensor], Tensor]
"""HU of a layer: one value, values on the lattice, or a function of voxels' box and distances (mm)."""


@dataclass(frozen=True)
class Layer:
    """A tissue to lay: its distance (mm, negative inside) on a lattice and its HU."""

    distance: Tensor
    hu: Hu


def lay(
    canvas: Canvas,
    box: Box | None,
    layers: Callable[[Tensor], Sequence[Layer]],
    step_mm: float = SOFT_STEP_MM,
) -> None:
    """Blend layers over the canvas, one after the other, each only where it comes near.

    Args:
        canvas: what to paint on.
        box: where to look; None for the whole grid.
        layers: lattice points (x, y, z, 3) in patient mm -> layers in the order of painting.
        step_mm: lattice step.
    """
    lattice = canvas.lattice(box, step_mm)
    stack = list(layers(lattice.points()))
    half = 0.5 * canvas.width
    depths = torch.stack([layer.distance.amax() for layer in stack]).tolist()
    # What a later layer covers whole need not be painted.
    hidden = max((i for i, deepest in enumerate(depths) if deepest < -half), default=0)
    for layer in stack[hidden:]:
        part = lattice.cut(layer.distance < half)
        if part is None:
            continue
        voxels, place, sub = part
        hu = layer.hu
        if isinstance(hu, Tensor):
            distance, hu = sub.interpolate(layer.distance[place], hu[place])
        else:
            (distance,) = sub.interpolate(layer.distance[place])
            if callable(hu):
                hu = hu(voxels, distance)
        target = canvas.hu[voxels]
        share = distance.mul(-1.0 / canvas.width).add_(0.5).clamp_(0.0, 1.0)
        if isinstance(hu, Tensor):
            target.addcmul_(share, hu - target)
        else:
            target.lerp_(torch.full((), hu, device=target.device), share)


@dataclass(frozen=True)
class Tube:
    """A pipe through points (K, 3) in patient mm with a radius (mm) at each; `stretch` widens it along axes."""

    points: Array
    radii: Array
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at points (..., 3)."""
        out: Tensor | None = None
        for i in range(len(self.points) - 1):
            ends = (tuple(map(float, self.points[i])), tuple(map(float, self.points[i + 1])))
            piece = capsule(p, *ends, (float(self.radii[i]), float(self.radii[i + 1])), self.stretch)
            out = piece if out is None else torch.minimum(out, piece)
        if out is None:
            raise ValueError("a tube needs two points")
        return out

    def runs(self, pieces: int) -> list["Tube"]:
        """The tube in runs of a few pieces, so that each can be skipped where a canvas does not see it."""
        ends = range(0, len(self.points) - 1, pieces)
        return [
            Tube(self.points[i : i + pieces + 1], self.radii[i : i + pieces + 1], self.stretch) for i in ends
        ]


def lay_tube(canvas: Canvas, tube: Tube, hu: Hu, step_mm: float = SOFT_STEP_MM) -> None:
    """Paint a tube with one HU, where the canvas sees it."""
    widest = float(tube.radii.max())
    if not canvas.sees(tube.points, widest * max(tube.stretch) + canvas.width):
        return
    step_mm = min(step_mm, max(1.0, 0.7 * widest))
    for run in tube.runs(1 if widest < THIN_MM else 2):
        box = canvas.box(run.points, float(run.radii.max()) * max(run.stretch) + canvas.width)
        if box is not None:
            lay(canvas, box, _one(run, hu), step_mm)


def _one(tube: Tube, hu: Hu) -> Callable[[Tensor], list[Layer]]:
    return lambda p: [Layer(tube.distance(p), hu)]


def lay_blob(canvas: Canvas, centre: Point, radii: Point, hu: Hu, rough: float = 0.12) -> None:
    """Paint an ellipsoid with an outline pushed in and out by `rough` of its smallest radius."""
    middle, reach = np.array([centre], dtype=np.float64), max(radii) * (1 + rough) + canvas.width
    box = canvas.box(middle, reach) if canvas.sees(middle, 1.8 * reach) else None
    if box is None:
        return
    small = min(radii)

    def layers(p: Tensor) -> list[Layer]:
        wobble = rough * small * waves(p, (centre[0], centre[1], centre[2]), 1.6 * small + 6)
        return [Layer(ellipsoid(p, centre, radii) + wobble, hu)]

    lay(canvas, box, layers, min(SOFT_STEP_MM, max(1.5, 0.4 * small)))
