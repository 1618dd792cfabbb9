"""A part of one vertebra's box, where one finding is painted and marked in place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.shapes import coverage, rotate
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Array, VertebraShape
from vertseg.phantom.vertebra.distances import WALL_SHELL_MM, wall_shell

if TYPE_CHECKING:
    from vertseg.phantom.vertebra.bones import BoneSite

WALL = FINDINGS.index("posterior_wall_defect")
SLOPE_RANGE = (0.5, 1.3)
"""Slopes of the side wall's field that are taken for real when it is turned into mm; steeper ones are steps."""


def local_points(p: Tensor, shape: VertebraShape) -> Tensor:
    """Patient points (..., 3) in the vertebra's frame (right, anterior, up), mm from its body centre."""
    return rotate(p, shape.axes, -shape.centre_mm @ shape.axes)


@dataclass(frozen=True)
class Ground:
    """One vertebra while its findings are painted: canvas, labels, geometry and the HU so far of its box.

    Attributes:
        wall_share: share of each voxel that belongs to the posterior wall's shell and has no cortex; its sum is
            truer than the mask's on a grid as coarse as the shell is thick. None where nothing can break the wall.
    """

    canvas: Canvas
    sheet: LabelSheet
    site: "BoneSite"
    hu: Tensor
    wall_share: Tensor | None

    def patch(self, centre: Array, half_mm: Array | float) -> "Patch | None":
        """The voxels within `half_mm` (3,) of `centre` (3,), mm in the vertebra's frame; None where unseen."""
        half = np.broadcast_to(np.asarray(half_mm, dtype=np.float64), (3,))
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
        corners = np.asarray(centre) + signs * half
        shape = self.site.shape
        whole = self.canvas.box(shape.centre_mm + corners @ shape.axes.T, self.canvas.width)
        if whole is None:
            return None
        cut = [
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(whole, self.site.box, strict=True)
        ]
        if any(s.stop - s.start < 2 for s in cut):
            return None
        inner = tuple(
            slice(c.start - b.start, c.stop - b.start) for c, b in zip(cut, self.site.box, strict=True)
        )
        return Patch(self, (cut[0], cut[1], cut[2]), (inner[0], inner[1], inner[2]))


@dataclass(frozen=True)
class Patch:
    """Views of one vertebra's fields in a part of its box; writes go through to the canvas's labels and HU.

    Attributes:
        ground: the vertebra.
        box: where on the canvas.
        cut: where in the vertebra's box.
    """

    ground: Ground
    box: Box
    cut: Box

    @cached_property
    def p(self) -> Tensor:
        """(..., 3) mm in the vertebra's frame."""
        return self.ground.site.p[self.cut]

    @cached_property
    def body(self) -> Tensor:
        """Distance (mm) of the body."""
        return self.ground.site.body[self.cut]

    @cached_property
    def lateral(self) -> Tensor:
        """Distance (mm) of the body's side wall."""
        return self.ground.site.lateral[self.cut]

    @cached_property
    def whole(self) -> Tensor:
        """Distance (mm) of the whole vertebra."""
        return self.ground.site.whole[self.cut]

    @cached_property
    def outer(self) -> Tensor:
        """Share of the voxel inside the bone."""
        return self.ground.site.outer[self.cut]

    @cached_property
    def inner(self) -> Tensor:
        """Share of the voxel inside the cortex."""
        return self.ground.site.inner[self.cut]

    @cached_property
    def inside(self) -> Tensor:
        """Voxels that are this vertebra's own."""
        return self.ground.site.inside[self.cut]

    @cached_property
    def grain(self) -> Tensor:
        """Trabecular texture of unit variance."""
        return self.ground.site.grain[self.cut]

    @cached_property
    def width(self) -> float:
        """Full width (mm) of the point spread."""
        return self.ground.canvas.width

    @property
    def voxel_mm(self) -> float:
        """Edge (mm) of a cube of a voxel's volume."""
        return float(self.ground.canvas.grid.voxel_volume_mm3 ** (1 / 3))

    @cached_property
    def hu(self) -> Tensor:
        """HU so far; a view."""
        return self.ground.hu[self.cut]

    @cached_property
    def free(self) -> Tensor:
        """Voxels that belong to no bone."""
        return self.ground.sheet.tissue[self.box] == 0

    @cached_property
    def through(self) -> Tensor:
        """Share of the voxel that goes when cortex is gone: the bone and its partial volume just outside."""
        return coverage(self.whole - 0.5 * self.width, self.width)

    @cached_property
    def cortex(self) -> Tensor:
        """Voxels of the shell on any side."""
        return self.inside & (self.whole > -max(1.0, self.width))

    @cached_property
    def side_wall(self) -> Tensor:
        """Distance (mm) of the side wall, by its own slope, so that a shell of it has its true thickness."""
        lateral = self.lateral
        spacing = [float(s) for s in self.ground.canvas.grid.spacing_mm]
        slopes = torch.gradient(lateral, spacing=spacing)
        slope = torch.sqrt(sum((s * s for s in slopes), torch.zeros_like(lateral)))
        return lateral / slope.clamp(*SLOPE_RANGE)

    @cached_property
    def shell(self) -> Tensor:
        """Voxels of the posterior wall's expected shell (`vertebra.distances.WALL_SHELL_MM`), the pedicles left out."""
        shell = wall_shell(self.p, self.body, self.side_wall, self.ground.site.shape) & self.inside
        return shell & (self.body <= self.ground.site.posterior[self.cut])

    @cached_property
    def shell_share(self) -> Tensor:
        """Share of each voxel inside the posterior wall's expected shell."""
        return self._share_of_shell(self.body, self.side_wall)

    def _share_of_shell(self, body: Tensor, wall: Tensor) -> Tensor:
        voxel = self.voxel_mm
        share = coverage(body, voxel) - coverage(wall + WALL_SHELL_MM, voxel)
        region = wall_shell(
            self.p, torch.full_like(wall, -1.0), torch.zeros_like(wall), self.ground.site.shape
        )
        return share.clamp_min(0.0) * region * (self.body <= self.ground.site.posterior[self.cut])

    def field(self, function: Callable[[Tensor], Tensor], step_mm: float = 2.0) -> Tensor:
        """A smooth field of points in the vertebra's frame at the patch's voxels (see `Canvas.field`)."""
        shape = self.ground.site.shape
        return self.ground.canvas.field(self.box, lambda p: (function(local_points(p, shape)),), step_mm)[0]

    def blend(self, share: Tensor, value: Tensor | float) -> None:
        """Replace a share of each voxel by `value` (HU)."""
        hu = self.hu
        hu += share * (value - hu)

    def mark(self, mask: Tensor, finding: int) -> None:
        """Set a finding (index of `labels.FINDINGS`)."""
        self.ground.sheet.findings[(finding, *self.box)] |= mask.to(torch.uint8)

    def open_wall(self, mask: Tensor, share: Tensor, lateral: Tensor | None = None) -> None:
        """Mark where an opening runs through the posterior wall's shell, and add to its area.

        Args:
            mask: voxels of the opening, in the vertebra.
            share: how much of each voxel it takes.
            lateral: distance (mm) of the wall; the present side wall if not given.
        """
        if lateral is None:
            shell, part = self.shell, self.shell_share
        else:
            shell, part = (
                (lateral <= 0.3) & (lateral > -WALL_SHELL_MM),
                self._share_of_shell(lateral, lateral),
            )
            shell = shell & (self.p[..., 1] < 0)
        self.mark(mask & shell, WALL)
        if self.ground.wall_share is not None:
            so_far = self.ground.wall_share[self.cut]
            torch.maximum(so_far, share * part, out=so_far)

    def unmark(self, mask: Tensor, finding: int) -> None:
        """Clear a finding (index of `labels.FINDINGS`)."""
        self.ground.sheet.findings[(finding, *self.box)] &= (~mask).to(torch.uint8)

    def hide(self, mask: Tensor, kind: int) -> None:
        """Set a mask of `types.Hidden`."""
        self.ground.sheet.hidden[(kind, *self.box)] |= mask.to(torch.uint8)


def slab(distance: Tensor, thickness_mm: float, width_mm: float) -> Tensor:
    """Share of a voxel inside a sheet of a thickness around a surface, for a point spread of full width."""
    return coverage(distance - 0.5 * thickness_mm, width_mm) - coverage(
        distance + 0.5 * thickness_mm, width_mm
    )
