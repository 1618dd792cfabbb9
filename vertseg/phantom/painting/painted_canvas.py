"""A canvas on which a label map's structures are looked up: from voxel to patient to map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.painting.label_distance import LatticeField
from vertseg.phantom.painting.painted_body import PaintedBody
from vertseg.phantom.types import Array

_WARP_STEP_MM: Final = 7.0
"""Lattice on which the deformation is evaluated; its own lattice is twice as coarse."""

_BEND_MM: Final = 6.0
"""How far a bend carries points inside a lattice beyond its carried corners."""


@dataclass(frozen=True, eq=False)
class PaintedCanvas:
    """A canvas, the patient to be painted, and where each voxel lies in the label map.

    Attributes:
        positions: (X, Y, Z, 3) map mm.
    """

    canvas: Canvas
    body: PaintedBody
    positions: Tensor

    @staticmethod
    def of(canvas: Canvas, body: PaintedBody) -> "PaintedCanvas":
        """The canvas with its voxels' places in the map."""
        lattice = canvas.lattice(None, _WARP_STEP_MM)
        moved = body.deformation.map_points(lattice.points())
        return PaintedCanvas(canvas, body, torch.stack(lattice.interpolate(*moved.unbind(-1)), dim=-1))

    def fields(
        self, box: Box | None, function: Callable[[Tensor], tuple[Tensor, ...]], step_mm: float
    ) -> tuple[Tensor, ...]:
        """As `Canvas.field`, for a function of map positions."""
        if all(step_mm < 2 * s for s in self.canvas.grid.spacing_mm):
            return function(self.positions if box is None else self.positions[box])
        lattice = self.canvas.lattice(box, step_mm)
        return lattice.interpolate(*function(self.body.deformation.map_points(lattice.points())))

    def box(self, field: LatticeField, margin_mm: float) -> Box | None:
        """Voxels that may look into a field's lattice, with a margin; None if none does."""
        return self.box_of(field.lattice_from_world, field.values.shape[1:], margin_mm)

    def box_of(self, lattice_from_world: np.ndarray, shape: torch.Size, margin_mm: float) -> Box | None:
        """The same for a lattice of this shape (three lengths)."""
        coarse = self.positions[::4, ::4, ::4]
        matrix = torch.tensor(lattice_from_world, dtype=torch.float32, device=coarse.device)
        index = coarse @ matrix[:3, :3].T + matrix[:3, 3]
        # A fourth voxel's neighbours lie up to three voxels away.
        margin = margin_mm + 3 * max(self.canvas.grid.spacing_mm) * 1.3
        wide = torch.linalg.norm(matrix[:3, :3], dim=1) * margin
        far = torch.tensor(shape, dtype=torch.float32, device=coarse.device) - 1 + wide
        seen = torch.nonzero(((index >= -wide) & (index <= far)).all(-1))
        if not len(seen):
            return None
        low = (4 * seen.min(0).values - 3).clamp_min(0).tolist()
        high = (4 * seen.max(0).values + 4).tolist()
        x, y, z = (
            slice(int(a), min(int(b), n)) for a, b, n in zip(low, high, self.canvas.grid.shape, strict=True)
        )
        return x, y, z

    def distances(self, field: LatticeField, step_mm: float) -> tuple[Box, Tensor] | None:
        """Where a structure may lie on the canvas and its distances (mm) there; None if out of view."""
        box = self.box(field, 1.0)
        if box is None:
            return None
        (distance,) = self.fields(box, lambda world: tuple(field.sample(world).unbind(0)), step_mm)
        return box, distance * self.body.deformation.scale


@dataclass(frozen=True, eq=False)
class MappedPart:
    """A mapped structure as a part of bone (`bars.Part`).

    Attributes:
        field: its distances in the map.
        body: the patient.
        cortex: mm.
        corners_mm: (8, 3) patient positions of the field's corners.
    """

    field: LatticeField
    body: PaintedBody
    cortex: float
    corners_mm: Array

    @staticmethod
    def of(body: PaintedBody, field: LatticeField, cortex_mm: float) -> "MappedPart":
        """The part, placed in the patient."""
        return MappedPart(field, body, cortex_mm, body.deformation.patient_points(field.corners_mm()))

    def extent(self) -> tuple[Array, float]:
        """Corners of its lattice in the patient, and how far the bend may carry it beyond them."""
        return self.corners_mm, _BEND_MM if self.body.deformation.bend is not None else 0.0

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at patient points (..., 3)."""
        return self.field.sample(self.body.deformation.map_points(p))[0] * self.body.deformation.scale
