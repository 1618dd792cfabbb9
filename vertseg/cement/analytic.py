"""Vertebrae of which everything is known beforehand, to prove and time the injection: elliptic cylinders, blocks."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from vertseg.cement.site import InjectionSite

FORAMEN_RADIUS_MM: Final = 2.6


@dataclass(frozen=True)
class EllipticVertebra:
    """An elliptic cylinder of L1's size and what is wrong with it.

    Attributes:
        bone: share of bone in the marrow space.
        size_mm: width, depth and height.
        cortex_hole: direction (degrees, from the right to the front), height (share of the body's, from its
            middle) and radius (mm) of a ball in which the shell is open.
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
    body = ((2 * x / width) ** 2 + (2 * y / depth) ** 2 <= 1) & (2 * z.abs() <= height)
    canal = (x.abs() < 11) & (y < -depth / 2 + 3) & (y > -depth / 2 - 15) & ~body & (2 * z.abs() <= height)
    pedicle = ((x.abs() - 15).abs() < 4) & (y < -depth / 2 + 4) & (y > -depth / 2 - 8) & (z.abs() < 7) & ~body
    empty = torch.zeros_like(body)
    bone = torch.full(body.shape, vertebra.bone)
    hole, broken, cleft, lesion = empty, empty, empty, empty
    if vertebra.cortex_hole is not None:
        angle, up, radius = vertebra.cortex_hole
        a = np.deg2rad(angle)
        at = (width / 2 * np.cos(a), depth / 2 * np.sin(a), up * height)
        near = ((x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2).sqrt() < radius
        hole = near & body & ((2 * x / (width - 4)) ** 2 + (2 * y / (depth - 4)) ** 2 > 1)
    if vertebra.endplate_hole is not None:
        right, forward, radius = vertebra.endplate_hole
        broken = ((x - right).hypot(y - forward) < radius) & (z > height / 2 - 2) & body
    if vertebra.cleft is not None:
        cleft = _ellipsoid(x, y, z, vertebra.cleft) & body
    if vertebra.lesion is not None:
        lesion = _ellipsoid(x, y, z, vertebra.lesion) & body
        bone = torch.where(lesion, 0.01, bone)
    return InjectionSite(
        bone,
        body,
        pedicle,
        canal,
        hole,
        cleft,
        broken,
        FORAMEN_RADIUS_MM,
        spacing_mm,
        lesion if vertebra.lesion else None,
    )


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
