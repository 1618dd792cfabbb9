"""The label maps of a rendering under construction."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vertseg.labels import FINDINGS, LocateClass
from vertseg.phantom.canvas import FAR_MM, Box, Canvas
from vertseg.phantom.types import Hidden


@dataclass
class LabelSheet:
    """Label maps on a canvas's grid; `depth` holds the distance (mm) of the bone that owns a voxel.

    Attributes:
        level: (X, Y, Z) uint8 VerSe numbers.
        tissue: (X, Y, Z) uint8 `labels.LocateClass`.
        findings: (F, X, Y, Z) uint8 in the order of `labels.FINDINGS`.
        hidden: (H, X, Y, Z) uint8 in the order of `types.Hidden`.
        cement_level: (X, Y, Z) uint8 VerSe number of the vertebra whose cement lies there, in it or leaked.
        margin_mm: how far outside of their surface bones are labelled.
        wall_mm2: by VerSe number, surface of the posterior wall without cortex; a missing level has none.
    """

    level: Tensor
    tissue: Tensor
    findings: Tensor
    hidden: Tensor
    cement_level: Tensor
    depth: Tensor
    wall_mm2: dict[int, Tensor] = field(default_factory=dict)
    margin_mm: float = 0.0

    @staticmethod
    def blank(canvas: Canvas, margin_mm: float = 0.0) -> "LabelSheet":
        """Nothing labelled yet; bones will be labelled as far as `margin_mm` outside of their surface."""
        shape, device = canvas.grid.shape, canvas.device

        def zeros(*size: int) -> Tensor:
            return torch.zeros(size, dtype=torch.uint8, device=device)

        depth = torch.full(shape, FAR_MM, device=device)
        return LabelSheet(
            zeros(*shape), zeros(*shape), zeros(len(FINDINGS), *shape), zeros(len(Hidden), *shape),
            zeros(*shape), depth, margin_mm=margin_mm,
        )  # fmt: skip

    def claim(self, box: Box, distance: Tensor, kind: Tensor | LocateClass, level: int) -> Tensor:
        """Give the voxels inside a bone to it where no other bone is deeper; the mask of those given.

        Args:
            box: where; the other arrays have its shape.
            distance: mm, negative inside.
            kind: `labels.LocateClass` numbers, uint8, or one for all.
            level: VerSe number; 0 leaves `level` at none.
        """
        owner = distance < self.depth[box]
        inside = (distance <= self.margin_mm) & owner
        self.depth[box] = torch.where(owner, distance, self.depth[box])
        value = kind if isinstance(kind, Tensor) else torch.full_like(self.tissue[box], int(kind))
        self.tissue[box] = torch.where(inside, value, self.tissue[box])
        self.level[box] = torch.where(inside, torch.full_like(self.level[box], level), self.level[box])
        return inside
