"""Smooth signed distances of labelled structures, without the stair-steps of thick slices."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from vertseg.phantom.types import Array

_SPLINE: Final = np.array([1.0, 4.0, 1.0], np.float32) / 6.0
"""A cubic B-spline's weights at its knots."""
_HOLD: Final = 0.12
"""How far on its own side the level set is kept at every voxel centre, of 1 deep inside or outside."""
_ROUNDS: Final = 5


def spline_levelset(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Cubic B-spline coefficients of a smooth level set (positive inside) of a mask.

    The mask is smoothed by about a voxel, then pulled back wherever a voxel's centre had changed sides, so that
    the surface runs smoothly between the voxel centres and the mask is kept at each of them, thin laminae
    included (after the constrained elastic surface nets of Gibson, MICCAI 1998:888-98).

    Args:
        mask: (X, Y, Z), any spacing.
        spacing_mm: of its voxels.

    Returns:
        (X, Y, Z) coefficients, to be sampled with `scipy.ndimage.map_coordinates(..., order=3, prefilter=False)`.
    """
    wanted = np.where(mask, np.float32(1), np.float32(-1))
    sigma = np.clip(1.1 / np.asarray(spacing_mm), 0.45, 1.6)
    knots = ndimage.gaussian_filter(wanted, tuple(sigma), mode="nearest")
    for _ in range(_ROUNDS):
        value = knots
        for axis in range(3):
            value = ndimage.correlate1d(value, _SPLINE, axis=axis, mode="nearest")
        short = np.maximum(_HOLD - wanted * value, 0)
        if not short.any():
            break
        knots = knots + 1.6 * wanted * short
    return np.asarray(knots, np.float32)


def signed_distance(levelset: NDArray[np.float32], step_mm: float) -> NDArray[np.float32]:
    """Distance (mm, negative inside) to the zero level of a level set (positive inside) on a cubic lattice.

    Near the surface it follows the level set's own slope, so that it is exact below a voxel; farther away it
    is the Euclidean distance between voxels. Works in two and three dimensions.
    """
    inside = levelset > 0
    if inside.all() or not inside.any():
        return np.full(levelset.shape, -1e3 if inside.all() else 1e3, np.float32)
    far = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    far = np.asarray(far - 0.5 * np.sign(far), np.float32)
    slope = np.sqrt(sum(g * g for g in np.gradient(levelset)))
    near = -levelset / np.maximum(slope, 1e-6)
    return np.asarray(np.where(np.abs(far) < 1.0, np.clip(near, -1.3, 1.3), far) * step_mm, np.float32)


@dataclass(frozen=True)
class LatticeField:
    """Lengths in mm (distances, displacements) on a lattice, looked up anywhere.

    Attributes:
        values: (C, X, Y, Z) tensor, mm divided by `unit_mm`; any type.
        lattice_from_world: (4, 4) lattice index of a point in mm.
        unit_mm: mm of one unit of `values`.
    """

    values: Tensor
    lattice_from_world: NDArray[np.floating]
    unit_mm: float = 1.0

    def corners_mm(self) -> Array:
        """(8, 3) world positions of the lattice's corners."""
        world = np.linalg.inv(self.lattice_from_world)
        ends = np.array(
            [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
            * (np.array(self.values.shape[1:]) - 1)
        )
        return np.asarray(ends @ world[:3, :3].T + world[:3, 3])

    def sample(self, points: Tensor) -> Tensor:
        """(C, ...) mm at points (..., 3) in world mm; outside the lattice its border continues."""
        # Rows in the order z, y, x, which is how grid_sample wants its coordinates.
        m = torch.tensor(self.lattice_from_world[2::-1].copy(), dtype=torch.float32, device=points.device)
        index = torch.addmm(m[:, 3], points.reshape(-1, 3), m[:, :3].T)
        low, high = (v.tolist() for v in torch.aminmax(index, dim=0))
        last = np.array(self.values.shape[:0:-1]) - 1
        start = np.clip(np.floor(low), 0, last - 1).astype(int)
        stop = np.clip(np.ceil(high), start + 1, last).astype(int)
        z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(start, stop, strict=True))
        part = self.values[:, x, y, z].to(points.device, torch.float32)
        unit = torch.tensor(2.0 / (stop - start), dtype=torch.float32, device=points.device)
        shift = torch.tensor(-1.0 - 2.0 * start / (stop - start), dtype=torch.float32, device=points.device)
        grid = index.mul_(unit).add_(shift).reshape(1, 1, 1, -1, 3)
        found = F.grid_sample(part[None], grid, padding_mode="border", align_corners=True)
        return found.reshape(len(part), *points.shape[:-1]).mul_(self.unit_mm)

    def to(self, device: torch.device) -> "LatticeField":
        """The same field on a device."""
        return LatticeField(self.values.to(device), self.lattice_from_world, self.unit_mm)


def lattice_points(affine: Array, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """World positions (X, Y, Z, 3) in mm of a lattice's points."""
    index = np.moveaxis(np.indices(shape, np.float64), 0, -1)
    return np.asarray(index @ affine[:3, :3].T + affine[:3, 3])
