"""Simple vertebrae for the injection's tests: elliptic cylinders with a shell, and homogeneous blocks."""

from dataclasses import dataclass

import numpy as np
import torch

from vertseg.cement.site import InjectionSite


@dataclass(frozen=True)
class Make:
    """An elliptic vertebra of L1's size (mm) and what is wrong with it.

    `cortex_hole`, `endplate_hole` are (direction deg from right, height share, radius mm) and (right, forward,
    radius mm); a `cleft` or `lesion` is an ellipsoid's (forward mm, up mm, half width, half depth, half height).
    """

    bone: float = 0.08
    size_mm: tuple[float, float, float] = (42.0, 33.0, 24.0)
    cortex_hole: tuple[float, float, float] | None = None
    endplate_hole: tuple[float, float, float] | None = None
    cleft: tuple[float, ...] | None = None
    lesion: tuple[float, ...] | None = None


def elliptic_site(make: Make = Make(), spacing_mm: float = 1.5) -> InjectionSite:
    width, depth, height = make.size_mm
    shape = [int(np.ceil(n / spacing_mm / 2)) * 2 + 3 for n in (width, depth + 40, height)]
    centre = [(shape[0] - 1) / 2, shape[1] - 1 - (depth / 2 + 2) / spacing_mm, (shape[2] - 1) / 2]
    axes = [(torch.arange(n) - c) * spacing_mm for n, c in zip(shape, centre, strict=True)]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    body = ((2 * x / width) ** 2 + (2 * y / depth) ** 2 <= 1) & (2 * z.abs() <= height)
    canal = (x.abs() < 11) & (y < -depth / 2 + 3) & (y > -depth / 2 - 15) & ~body & (2 * z.abs() <= height)
    pedicle = ((x.abs() - 15).abs() < 4) & (y < -depth / 2 + 4) & (y > -depth / 2 - 8) & (z.abs() < 7) & ~body
    empty = torch.zeros_like(body)
    bone = torch.full(body.shape, make.bone)
    hole, broken, cleft, lesion = empty, empty, empty, empty
    if make.cortex_hole is not None:
        angle, up, radius = make.cortex_hole
        a = np.deg2rad(angle)
        at = (width / 2 * np.cos(a), depth / 2 * np.sin(a), up * height)
        near = ((x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2).sqrt() < radius
        hole = near & body & ((2 * x / (width - 4)) ** 2 + (2 * y / (depth - 4)) ** 2 > 1)
    if make.endplate_hole is not None:
        right, forward, radius = make.endplate_hole
        broken = ((x - right).hypot(y - forward) < radius) & (z > height / 2 - 2) & body
    if make.cleft is not None:
        cleft = _ellipsoid(x, y, z, make.cleft) & body
    if make.lesion is not None:
        lesion = _ellipsoid(x, y, z, make.lesion) & body
        bone = torch.where(lesion, 0.01, bone)
    return InjectionSite(
        bone, body, pedicle, canal, hole, cleft, broken, 2.6, spacing_mm, lesion if make.lesion else None
    )


def _ellipsoid(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, shape: tuple[float, ...]) -> torch.Tensor:
    forward, up, a, b, c = shape
    return (x / a) ** 2 + ((y - forward) / b) ** 2 + ((z - up) / c) ** 2 <= 1


def block_site(edge_mm: float, bone: float, spacing_mm: float) -> InjectionSite:
    """A homogeneous cube without holes, odd in voxels, with the middle voxel in its middle."""
    n = 2 * int(edge_mm / spacing_mm / 2) + 1
    body = torch.nn.functional.pad(torch.ones(n, n, n, dtype=torch.bool), [2] * 6)
    empty = torch.zeros_like(body)
    return InjectionSite(
        torch.full(body.shape, bone), body, empty, empty, empty, empty, empty, 2.6, spacing_mm
    )
