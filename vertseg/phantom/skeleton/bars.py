"""Parts of bone and their unions: bars, plates, cups, of which bones apart from the vertebrae are built. RAS, mm."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import FAR_MM, Box, Canvas
from vertseg.phantom.shapes import capsule, smooth_min
from vertseg.phantom.types import Array

UNION_STEP_MM: Final = 2.0
"""Lattice on which unions of parts are evaluated; plates thinner than this keep their faces, not their edges."""

Spot = tuple[float, ...]


class Part(Protocol):
    """A piece of bone: where it is, how thick its cortex is (mm), and its distance."""

    @property
    def cortex(self) -> float:
        """Thickness of the cortex, mm."""

    def extent(self) -> tuple[Array, float]:
        """Points (K, 3) in patient mm and how far the part reaches beyond them."""

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm, negative inside) at points (..., 3)."""


@dataclass(frozen=True)
class Bar:
    """A tapered elliptic capsule: ends in world mm, radii at both, stretch along world axes, cortex in mm."""

    start: Spot
    end: Spot
    radii: tuple[float, float]
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    cortex: float = 1.2

    def extent(self) -> tuple[Array, float]:
        """Its ends and widest radius."""
        return np.array([self.start, self.end]), max(self.radii) * max(self.stretch)

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at points (..., 3)."""
        return capsule(p, self.start, self.end, self.radii, self.stretch)


@dataclass(frozen=True)
class Plate:
    """A triangle of bone with a half thickness at each corner; corners (3, 3) in world mm."""

    corners: Array
    half: tuple[float, float, float]
    cortex: float = 1.2

    def extent(self) -> tuple[Array, float]:
        """Its corners and largest half thickness."""
        return self.corners, max(self.half)

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at points (..., 3): to the slab within the triangle, to its rounded edges outside."""
        a, b, c = self.corners
        normal = np.cross(b - a, c - a)
        area = float(normal @ normal)
        unit = normal / np.sqrt(area)
        toward_b, toward_c = np.cross(c - a, normal) / area, np.cross(normal, b - a) / area
        x, y, z = (p[..., i] - float(a[i]) for i in range(3))
        share_b = x * float(toward_b[0]) + y * float(toward_b[1]) + z * float(toward_b[2])
        share_c = x * float(toward_c[0]) + y * float(toward_c[1]) + z * float(toward_c[2])
        height = x * float(unit[0]) + y * float(unit[1]) + z * float(unit[2])
        first, second, third = self.half
        slab = height.abs() - (first + share_b * (second - first) + share_c * (third - first))
        inside = (share_b >= 0) & (share_c >= 0) & (share_b + share_c <= 1)
        ends = [tuple(float(v) for v in corner) for corner in self.corners]
        even = (1.0, 1.0, 1.0)
        edges = torch.minimum(
            torch.minimum(
                capsule(p, ends[0], ends[1], (first, second), even),
                capsule(p, ends[1], ends[2], (second, third), even),
            ),
            capsule(p, ends[2], ends[0], (third, first), even),
        )
        return torch.where(inside, slab, edges)


@dataclass(frozen=True)
class Cup:
    """A shell of a ball, open toward `opening` (unit vector); centre in world mm, radii in mm."""

    centre: Array
    inner: float
    outer: float
    opening: Array
    depth: float
    cortex: float = 1.2

    def extent(self) -> tuple[Array, float]:
        """Its centre and outer radius."""
        return self.centre[None], self.outer

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at points (..., 3)."""
        x, y, z = (p[..., i] - float(self.centre[i]) for i in range(3))
        r = torch.sqrt(x * x + y * y + z * z)
        beyond = (
            x * float(self.opening[0]) + y * float(self.opening[1]) + z * float(self.opening[2]) - self.depth
        )
        return torch.maximum(torch.maximum(r - self.outer, self.inner - r), beyond)


@dataclass(frozen=True)
class Half:
    """Everything on one side of a plane, within `zone` of a second one; carves a joint's gap.

    Attributes:
        normal: (3,) unit; points with `normal @ p > offset` are inside.
        offset: mm.
        zone_normal: (3,) unit of the second plane.
        zone_offset: mm.
    """

    normal: Array
    offset: float
    zone_normal: Array
    zone_offset: float

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at points (..., 3)."""
        n, m = self.normal, self.zone_normal
        x, y, z = p.unbind(-1)
        first = self.offset - (x * float(n[0]) + y * float(n[1]) + z * float(n[2]))
        second = self.zone_offset - (x * float(m[0]) + y * float(m[1]) + z * float(m[2]))
        return torch.maximum(first, second)


class UnionSpace:
    """The lattice on which a canvas's bones are joined, and its points, shared by all unions."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.lattice = canvas.lattice(None, UNION_STEP_MM)
        self._points: Tensor | None = None

    @property
    def points(self) -> Tensor:
        """Patient coordinates (x, y, z, 3) in mm."""
        if self._points is None:
            self._points = self.lattice.points()
        return self._points


class BoneUnion:
    """Union of parts on a lattice over the whole canvas, with the cortex that goes with the nearest part."""

    def __init__(self, space: UnionSpace) -> None:
        self.space = space
        self.distance: Tensor | None = None
        self.cortex: Tensor | None = None
        self._touched: Box | None = None

    def _place(self, part: Part) -> Box | None:
        points, reach = part.extent()
        canvas = self.space.canvas
        margin = reach + canvas.width + 4.0
        if not canvas.sees(points, 1.8 * margin):
            return None
        box = canvas.box(points, margin)
        return None if box is None else self.space.lattice.place_of(box)

    def add(self, part: Part, fillet_mm: float = 1.5) -> None:
        """Join a part, where the canvas sees it."""
        place = self._place(part)
        if place is None:
            return
        points = self.space.points
        if self.distance is None or self.cortex is None or self._touched is None:
            self.distance = torch.full(points.shape[:3], FAR_MM, device=points.device)
            self.cortex = torch.ones_like(self.distance)
            self._touched = place
        a, b, c = (
            slice(min(old.start, new.start), max(old.stop, new.stop))
            for old, new in zip(self._touched, place, strict=True)
        )
        self._touched = (a, b, c)
        new, old = part.distance(points[place]), self.distance[place]
        self.cortex[place] = torch.where(new < old, part.cortex, self.cortex[place])
        self.distance[place] = smooth_min(old, new, fillet_mm)

    def carve(self, part: Bar | Half) -> None:
        """Take a part away."""
        if self.distance is None:
            return
        place = self._touched if isinstance(part, Half) else self._place(part)
        if place is not None:
            self.distance[place] = torch.maximum(
                self.distance[place], -part.distance(self.space.points[place])
            )


def to_world(frame: Array, origin: Array, point: tuple[float, float, float]) -> Spot:
    """Patient mm of a point given in a frame (columns of `frame`) at `origin`."""
    return tuple(float(c) for c in origin + frame @ np.asarray(point))
