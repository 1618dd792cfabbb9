"""Signed distances of simple shapes, in mm, negative inside. Points are (..., 3) torch tensors."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Components = tuple[Tensor, Tensor, Tensor]
"""x, y and z of points, each (...), contiguous and so faster than slices of (..., 3)."""


def stack_points(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Points (..., 3) whose components lie contiguous in memory, which the shapes below read fastest."""
    return torch.stack([x, y, z]).movedim(0, -1)


def rotate(p: Tensor, matrix: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Tensor:
    """Points (..., 3) times a 3x3 matrix from the right, plus a shift (3,), laid out as `stack_points` does."""
    x, y, z = p.unbind(-1)
    m = matrix
    rows = [x * float(m[0, i]) + y * float(m[1, i]) + z * float(m[2, i]) + float(shift[i]) for i in range(3)]
    return stack_points(*rows)


def smooth_min(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Union of two shapes with a fillet of about `k` mm (Quilez' polynomial smooth minimum)."""
    h = (k - (a - b).abs()).clamp_min(0.0) / k
    return torch.minimum(a, b) - h * h * (k * 0.25)


def smooth_max(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Intersection of two shapes with an edge rounded over about `k` mm."""
    return -smooth_min(-a, -b, k)


def capsule(
    p: Tensor,
    a: tuple[float, ...],
    b: tuple[float, ...],
    radii: tuple[float, float],
    stretch: tuple[float, ...],
) -> Tensor:
    """Tapered capsule from `a` (radius radii[0]) to `b` (radii[1]).

    `stretch` (3,) makes the section elliptic: a value of 2 along an axis doubles the extent there.
    """
    return bar((p[..., 0], p[..., 1], p[..., 2]), a, b, radii, stretch)


def bar(
    points: Components,
    a: tuple[float, ...],
    b: tuple[float, ...],
    radii: tuple[float, float],
    stretch: tuple[float, ...],
) -> Tensor:
    """`capsule` on points given by their components."""
    x, y, z = ((points[i] - a[i]) * (1.0 / stretch[i]) for i in range(3))
    bx, by, bz = ((b[i] - a[i]) / stretch[i] for i in range(3))
    length = bx * bx + by * by + bz * bz
    if length < 1e-9:
        return torch.sqrt(x * x + y * y + z * z) - radii[0]
    t = ((x * bx + y * by + z * bz) * (1.0 / length)).clamp(0.0, 1.0)
    dx, dy, dz = x - t * bx, y - t * by, z - t * bz
    return torch.sqrt(dx * dx + dy * dy + dz * dz) - (t * (radii[1] - radii[0]) + radii[0])


def turned_ellipsoid(
    points: Components,
    centre: tuple[float, ...],
    axes: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]],
    radii: tuple[float, float, float],
) -> Tensor:
    """Ellipsoid whose semi-axes `radii` (mm) lie along three unit vectors (first-order distance)."""
    x, y, z = (points[i] - centre[i] for i in range(3))
    squares = [
        ((x * axis[0] + y * axis[1] + z * axis[2]) * (1.0 / radius)).square()
        for axis, radius in zip(axes, radii, strict=True)
    ]
    k0 = torch.sqrt(squares[0] + squares[1] + squares[2])
    k1 = torch.sqrt(sum((q * (1.0 / r**2) for q, r in zip(squares, radii, strict=True)), 1e-12 * squares[0]))
    return k0 * (k0 - 1.0) / k1.clamp_min(1e-6)


def ellipsoid(p: Tensor, centre: tuple[float, ...], radii: tuple[float, ...]) -> Tensor:
    """Ellipsoid (first-order distance)."""
    x, y, z = ((p[..., i] - centre[i]) * (1.0 / radii[i]) for i in range(3))
    k0 = torch.sqrt(x * x + y * y + z * z)
    k1 = torch.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2).clamp_min(1e-6)
    return k0 * (k0 - 1.0) / k1


def coverage(distance: Tensor, width_mm: float) -> Tensor:
    """Share of a voxel inside the surface, for a point spread of full width `width_mm`."""
    return (0.5 - distance / width_mm).clamp(0.0, 1.0)


def waves(p: Tensor, phase: tuple[float, float, float], wavelength_mm: float) -> Tensor:
    """Smooth pseudo-random field in about [-1, 1] made of three oblique waves."""
    k = 6.2832 / wavelength_mm
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    first = torch.sin(k * (x + 0.61 * y) + phase[0])
    second = torch.sin(k * (y - 0.47 * z) * 1.13 + phase[1])
    third = torch.sin(k * (z + 0.53 * x) * 0.89 + phase[2])
    return (first + second + third) / 3.0
