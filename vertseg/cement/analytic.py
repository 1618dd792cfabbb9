"""Vertebrae of which everything is known beforehand, to prove and time the injection: elliptic cylinders, blocks."""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import torch

from vertseg.cement.site import InjectionSite

FORAMEN_RADIUS_MM: Final = 2.6

_SAMPLES: Final = 3
"""Samples along a voxel's edge of what is drawn finer than the voxels."""


@dataclass(frozen=True)
class EllipticVertebra:
    """An elliptic cylinder of L1's size and what is wrong with it.

    Attributes:
        bone: share of bone in the marrow space.
        size_mm: width, depth and height.
        cortex_hole: direction (degrees, from the right to the front), height (share of the body's, from its
            middle) and radius (mm) of a patch in which the shell is open.
        endplate_hole: place (mm right and forward of the axis) and radius (mm) of a break of the upper endplate.
        cleft: place (mm forward and up of the middle) and semi-axes (mm right, forward, up) of an ellipsoid.
        lesion: the same of a lytic lesion.
    """

    bone: float = 0.08
    size_mm: tuple[float, float, float] = (42.0, 33.0, 24.0)
    cortex_hole: tuple[float, float, float] | None = None
    endplate_hole: tuple[float, float, float] | None = None
    cleft: tuple[float, ...] | None = None
    lesion: tuple[float, ...] | None = None


def elliptic_site(vertebra: EllipticVertebra | None = None, spacing_mm: float = 1.5) -> InjectionSite:
    """The site (X, Y, Z) of an elliptic vertebra with pedicles and a canal; None for a sound one of L1's size.

    Openings and clefts are drawn finer than the voxels, so that a grid changes their area and volume little.

    Args:
        vertebra: what to draw.
        spacing_mm: voxel edge.
    """
    vertebra = vertebra or EllipticVertebra()
    width, depth, height = vertebra.size_mm
    shape = [int(np.ceil(n / spacing_mm / 2)) * 2 + 3 for n in (width, depth + 40, height)]
    centre = [(shape[0] - 1) / 2, shape[1] - 1 - (depth / 2 + 2) / spacing_mm, (shape[2] - 1) / 2]
    axes = [(torch.arange(n) - c) * spacing_mm for n, c in zip(shape, centre, strict=True)]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    depth_mm = _depth(x, y, z, vertebra)
    body = depth_mm >= 0
    canal = (x.abs() < 11) & (y < -depth / 2 + 3) & (y > -depth / 2 - 15) & ~body & (2 * z.abs() <= height)
    pedicle = ((x.abs() - 15).abs() < 4) & (y < -depth / 2 + 4) & (y > -depth / 2 - 8) & (z.abs() < 7) & ~body
    bone = torch.full(body.shape, vertebra.bone)
    hole, broken, cleft = (share * body for share in _shares(x, y, z, vertebra, spacing_mm))
    lesion = None
    if vertebra.lesion is not None:
        lesion = _ellipsoid(x, y, z, vertebra.lesion) & body
        bone = torch.where(lesion, 0.01, bone)
    return InjectionSite(
        bone, body, pedicle, canal, hole >= 0.5, cleft >= 0.5, broken >= 0.5, FORAMEN_RADIUS_MM, spacing_mm, lesion,
        depth_mm, torch.maximum(hole, broken), cleft,
    )  # fmt: skip


def _depth(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, vertebra: EllipticVertebra) -> torch.Tensor:
    """Depth (mm) under the surface of the cylinder, to first order, negative outside."""
    width, depth, height = vertebra.size_mm
    k = ((2 * x / width) ** 2 + (2 * y / depth) ** 2).sqrt()
    slope = ((4 * x / width**2) ** 2 + (4 * y / depth**2) ** 2).sqrt() / k.clamp_min(1e-6)
    return torch.minimum((1 - k) / slope.clamp_min(1e-6), height / 2 - z.abs())


def _shares(
    x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, vertebra: EllipticVertebra, spacing_mm: float
) -> list[torch.Tensor]:
    """Shares of each voxel's part of the body in a cortical hole, an endplate break and a cleft."""
    counts = [torch.zeros_like(x) for _ in range(3)]
    within = torch.full_like(x, 1e-6)
    steps = [(i - (_SAMPLES - 1) / 2) / _SAMPLES * spacing_mm for i in range(_SAMPLES)]
    for dx, dy, dz in product(steps, steps, steps):
        u, v, w = x + dx, y + dy, z + dz
        inside = _depth(u, v, w, vertebra) >= 0
        within += inside
        for count, drawn in zip(counts, _defects(u, v, w, vertebra), strict=True):
            if drawn is not None:
                count += drawn & inside
    return [count / within for count in counts]


def _defects(
    x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, vertebra: EllipticVertebra
) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
    """Whether points lie in the cortical hole, the endplate break and the cleft; None for what the vertebra lacks."""
    width, depth, height = vertebra.size_mm
    hole, broken, cleft = None, None, None
    if vertebra.cortex_hole is not None:
        angle, up, radius = vertebra.cortex_hole
        a = np.deg2rad(angle)
        at = (width / 2 * np.cos(a), depth / 2 * np.sin(a), up * height)
        # Seen from the axis, so that the hole is as wide under the surface as in it.
        k = ((2 * x / width) ** 2 + (2 * y / depth) ** 2).sqrt().clamp_min(1e-6)
        near = ((x / k - at[0]) ** 2 + (y / k - at[1]) ** 2 + (z - at[2]) ** 2).sqrt() < radius
        hole = near & ((2 * x / (width - 4)) ** 2 + (2 * y / (depth - 4)) ** 2 > 1)
    if vertebra.endplate_hole is not None:
        right, forward, radius = vertebra.endplate_hole
        broken = ((x - right).hypot(y - forward) < radius) & (z > height / 2 - 2)
    if vertebra.cleft is not None:
        cleft = _ellipsoid(x, y, z, vertebra.cleft)
    return hole, broken, cleft


def _ellipsoid(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, shape: tuple[float, ...]) -> torch.Tensor:
    forward, up, a, b, c = shape
    return (x / a) ** 2 + ((y - forward) / b) ** 2 + ((z - up) / c) ** 2 <= 1


def block_site(edge_mm: float, bone: float, spacing_mm: float) -> InjectionSite:
    """A homogeneous cube without holes, odd in voxels, with the middle voxel in its middle.

    Args:
        edge_mm: length of an edge, made odd in voxels.
        bone: share of bone everywhere.
        spacing_mm: voxel edge.
    """
    n = 2 * int(edge_mm / spacing_mm / 2) + 1
    body = torch.nn.functional.pad(torch.ones(n, n, n, dtype=torch.bool), [2] * 6)
    empty = torch.zeros_like(body)
    return InjectionSite(
        torch.full(body.shape, bone), body, empty, empty, empty, empty, empty, FORAMEN_RADIUS_MM, spacing_mm
    )
