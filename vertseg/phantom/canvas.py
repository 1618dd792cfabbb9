"""A grid of voxels on which implicit surfaces are painted, box by box, on CPU or GPU."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.shapes import coverage, stack_points
from vertseg.phantom.types import Array
from vertseg.volume import Grid

Box = tuple[slice, slice, slice]
FAR_MM = 1.0e3


class Canvas:
    """HU on a grid, with the points of any box of it in patient coordinates.

    Args:
        grid: where the voxels are.
        patient_from_world: (4, 4) the patient's pose on the table.
        psf_mm: full width of the scanner's point spread, at least a voxel.
        device: torch device.
    """

    def __init__(self, grid: Grid, patient_from_world: Array, psf_mm: float, device: str) -> None:
        self.grid = grid
        self.device = torch.device(device)
        self.width = psf_mm
        self.matrix = patient_from_world @ grid.affine
        self.inverse = np.linalg.inv(self.matrix)
        self.hu = torch.full(grid.shape, -1000.0, device=self.device)
        half = 0.5 * (np.asarray(grid.shape, dtype=np.float64) - 1.0)
        self.centre_mm = self.matrix[:3, :3] @ half + self.matrix[:3, 3]
        self.radius_mm = float(np.linalg.norm(self.matrix[:3, :3] * (half + 1.0)[None]))

    def sees(self, points_mm: Array, margin_mm: float) -> bool:
        """Whether a ball around patient points (K, 3), widened by a margin, comes near the grid: quick, not exact."""
        low, high = points_mm.min(0), points_mm.max(0)
        gap = 0.5 * (low + high) - self.centre_mm
        across = high - low
        reach = self.radius_mm + margin_mm + 0.5 * math.sqrt(float(across @ across))
        return float(gap @ gap) < reach * reach

    def box(self, corners_mm: Array, margin_mm: float) -> Box | None:
        """Slices that hold the given patient points (K, 3) with a margin; None if outside the grid."""
        low, high = corners_mm.min(0), corners_mm.max(0)
        middle = self.inverse[:3, :3] @ (0.5 * (low + high)) + self.inverse[:3, 3]
        reach = np.abs(self.inverse[:3, :3]) @ (0.5 * (high - low) + margin_mm)
        slices = []
        for at, half, voxels in zip(middle.tolist(), reach.tolist(), self.grid.shape, strict=True):
            start, stop = max(0, math.floor(at - half)), min(voxels, math.ceil(at + half) + 1)
            if stop <= start:
                return None
            slices.append(slice(start, stop))
        return (slices[0], slices[1], slices[2])

    def points(self, box: Box | None = None) -> Tensor:
        """Patient coordinates (x, y, z, 3) in mm of the voxels of a box."""
        ranges = [slice(0, n) for n in self.grid.shape] if box is None else list(box)
        i, j, k = (torch.arange(r.start, r.stop, dtype=torch.float32, device=self.device) for r in ranges)
        return self.place(i, j, k)

    def local_points(self, box: Box, axes: Array, origin_mm: Array) -> Tensor:
        """Coordinates (x, y, z, 3) in mm of the voxels of a box in a frame: its axes (columns) and its origin."""
        i, j, k = (torch.arange(r.start, r.stop, dtype=torch.float32, device=self.device) for r in box)
        into = np.eye(4)
        into[:3, :3], into[:3, 3] = axes.T, -axes.T @ origin_mm
        return _placed(into @ self.matrix, i, j, k)

    def place(self, i: Tensor, j: Tensor, k: Tensor) -> Tensor:
        """Patient coordinates (x, y, z, 3) in mm of a lattice of voxel indices along the three axes."""
        return _placed(self.matrix, i, j, k)

    def lattice(self, box: Box | None, step_mm: float) -> "Lattice":
        """A coarser lattice over a box, on which smooth geometry is evaluated."""
        ranges = [slice(0, n) for n in self.grid.shape] if box is None else list(box)
        axes = [
            _lattice_axis(r, max(1, int(step_mm / s + 1e-6)))
            for r, s in zip(ranges, self.grid.spacing_mm, strict=True)
        ]
        return Lattice(self, axes, ranges)

    def field(
        self, box: Box | None, function: Callable[[Tensor], tuple[Tensor, ...]], step_mm: float
    ) -> tuple[Tensor, ...]:
        """Smooth fields at a box's voxels, evaluated on a lattice of about `step_mm` and interpolated.

        Args:
            box: where; None for the whole grid.
            function: points (x, y, z, 3) in patient mm -> fields (x, y, z).
            step_mm: largest distance of lattice points; below two voxels the voxels themselves are taken.
        """
        lattice = self.lattice(box, step_mm)
        return lattice.interpolate(*function(lattice.points()))

    def blend(self, distance: Tensor, hu: float | Tensor, box: Box | None = None) -> None:
        """Paint the inside of a surface with `hu`, weighed by how much of each voxel it fills."""
        target = self.hu if box is None else self.hu[box]
        share = coverage(distance, self.width)
        target.copy_(target + share * (hu - target))


def _placed(matrix: Array, i: Tensor, j: Tensor, k: Tensor) -> Tensor:
    """Points (x, y, z, 3) of a lattice of indices along the three axes, through a 4x4 matrix."""
    i, j, k = i[:, None, None], j[None, :, None], k[None, None, :]
    rows = (i * float(m[0]) + j * float(m[1]) + (k * float(m[2]) + float(m[3])) for m in matrix[:3])
    return stack_points(*rows)


def _lattice_axis(voxels: slice, stride: int) -> np.ndarray:
    """Indices from the first voxel to the last or just past it, `stride` apart."""
    steps = -(-(voxels.stop - voxels.start - 1) // stride)
    return np.asarray(voxels.start + stride * np.arange(steps + 1, dtype=np.float64))


class Lattice:
    """Points of a box at a stride of whole voxels, and the way from values there to the voxels."""

    def __init__(self, canvas: Canvas, axes: list[np.ndarray], ranges: list[slice]) -> None:
        self._canvas = canvas
        self._axes = axes
        self._ranges = ranges

    def points(self) -> Tensor:
        """Patient coordinates (x, y, z, 3) in mm of the lattice."""
        device = self._canvas.device
        i, j, k = (torch.tensor(a, dtype=torch.float32, device=device) for a in self._axes)
        return self._canvas.place(i, j, k)

    def interpolate(self, *fields: Tensor) -> tuple[Tensor, ...]:
        """Trilinear values at the box's voxels, one axis after the other as products with small matrices."""
        x, y, z = (self._weights(axis) for axis in range(3))
        out = []
        for value in fields:
            if x is not None:
                value = torch.tensordot(x, value, dims=([1], [0]))
            if y is not None:
                value = torch.matmul(y, value)
            if z is not None:
                value = torch.matmul(value, z.T)
            out.append(value)
        return tuple(out)

    def place_of(self, box: Box) -> Box:
        """Slices of arrays on this lattice that hold a box of voxels and a point around it."""
        slices = []
        for voxels, knots in zip(box, self._axes, strict=True):
            first = max(0, int(np.searchsorted(knots, voxels.start, "right")) - 1)
            slices.append(slice(first, min(len(knots), int(np.searchsorted(knots, voxels.stop - 1)) + 1)))
        return (slices[0], slices[1], slices[2])

    def cut(self, near: Tensor) -> tuple[Box, Box, "Lattice"] | None:
        """The part of the lattice whose cells touch a marked point, None if nothing is marked.

        Args:
            near: (x, y, z) bool at the lattice's points.

        Returns:
            The part's voxels on the canvas, its place in arrays on this lattice, and its own lattice.
        """
        voxels, places, axes = [], [], []
        flags = near.cpu().numpy()
        for axis, (knots, within) in enumerate(zip(self._axes, self._ranges, strict=True)):
            marked = np.flatnonzero(flags.any(axis=tuple(a for a in range(3) if a != axis)))
            if len(marked) == 0:
                return None
            first, last = max(int(marked[0]) - 1, 0), min(int(marked[-1]) + 1, len(knots) - 1)
            start, stop = int(knots[first]), min(int(knots[last]) + 1, within.stop)
            if stop <= start:
                return None
            voxels.append(slice(start, stop))
            places.append(slice(first, last + 1))
            axes.append(knots[first : last + 1])
        box, place = (voxels[0], voxels[1], voxels[2]), (places[0], places[1], places[2])
        return box, place, Lattice(self._canvas, axes, voxels)

    def _weights(self, axis: int) -> Tensor | None:
        """(voxels, lattice) hat functions, None where the lattice is the voxels."""
        knots, voxels = self._axes[axis], self._ranges[axis]
        stride = knots[1] - knots[0] if len(knots) > 1 else 1.0
        if stride == 1.0:
            return None
        at = np.arange(voxels.start, voxels.stop)[:, None]
        hats = np.clip(1.0 - np.abs(at - knots[None]) / stride, 0.0, 1.0)
        return torch.tensor(hats, dtype=torch.float32, device=self._canvas.device)
