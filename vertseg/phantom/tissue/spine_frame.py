"""The column as a bent coordinate system: how far along it, how far right of it and how far in front."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR, T13, THORACIC
from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.skeleton.sacrum import sacrum_segments
from vertseg.phantom.types import Anatomy, Array, VertebraShape

KNOT_MM: Final = 1.5
"""Stations of the table along the column."""
SLAB_MM: Final = 48.0
"""Length of the boxes in which tissue along the column is evaluated."""


def place_of(shape: VertebraShape, anatomy: Anatomy) -> float:
    """Place along the column in levels: 1 for the lowest lumbar vertebra to 5 for L1, T12 6, T1 17, C7 18."""
    if shape.level in CERVICAL:
        return 18.0 + CERVICAL[-1] - shape.level
    if shape.level in THORACIC:
        return 6.0 + THORACIC[-1] - shape.level
    if shape.level == T13:
        return 5.5
    lumbar = [s.level for s in anatomy.vertebrae if s.level in LUMBAR]
    return 1.0 + 4.0 * (max(lumbar) - shape.level) / max(1, max(lumbar) - LUMBAR[0])


@dataclass(frozen=True)
class Station:
    """A vertebra or sacral segment as the frame sees it; sizes in mm."""

    centre_mm: Array
    axes: Array
    place: float
    half_width: float
    half_depth: float
    canal_depth: float
    canal_width: float
    spinous: float
    span: float


def stations(anatomy: Anatomy) -> list[Station]:
    """Sacral segments and vertebrae from foot to head."""
    out = []
    for i, s in reversed(list(enumerate(sacrum_segments(anatomy)))):
        out.append(
            Station(
                s.centre_mm, s.axes, -float(i), s.sizes["width"] / 2, s.sizes["depth"] / 2,
                (15.0, 12.0, 9.0, 6.0, 4.0)[i], (28.0, 22.0, 16.0, 10.0, 6.0)[i], 26.0 - 3.0 * i, 50.0 - 8.0 * i,
            )
        )  # fmt: skip
    for v in reversed(anatomy.vertebrae):
        z = v.sizes
        out.append(
            Station(
                v.centre_mm, v.axes, place_of(v, anatomy), z["width"] / 2, z["depth"] / 2, z["canal_depth"],
                z["canal_width"], max(z["spinous_length"], z["canal_depth"] + 9.0), z["transverse_span"] / 2,
            )
        )  # fmt: skip
    return out


class SpineFrame:
    """Points in the column's own coordinates, by a table along it.

    Args:
        anatomy: the patient.
        device: torch device of the points.
    """

    def __init__(self, anatomy: Anatomy, device: torch.device) -> None:
        found = stations(anatomy)
        centres = np.array([s.centre_mm for s in found])
        low, high = centres[0] - np.array([0.0, 0.0, 60.0]), centres[-1] + np.array([0.0, 0.0, 120.0])
        centres = np.concatenate([low[None], centres, high[None]])
        axes = np.array([found[0].axes, *(s.axes for s in found), np.eye(3)])
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])
        self.arc = np.arange(0.0, arc[-1], KNOT_MM)
        sizes = np.array(
            [
                [s.place, s.half_width, s.half_depth, s.canal_depth, s.canal_width, s.spinous, s.span]
                for s in found
            ]
        )
        sizes = np.concatenate([sizes[:1] - [1, 0, 0, 0, 0, 0, 0], sizes, sizes[-1:] + [1, 0, 0, 0, 0, 0, 0]])
        self.centres = _along(arc, centres, self.arc)
        up = _unit(_along(arc, axes[:, :, 2], self.arc))
        right = _along(arc, axes[:, :, 0], self.arc)
        right = _unit(right - (right * up).sum(1, keepdims=True) * up)
        self.axes = np.stack([right, np.cross(up, right), up], axis=2)
        table = _along(arc, sizes, self.arc)
        self.place, self.half_width, self.half_depth = table[:, 0], table[:, 1], table[:, 2]
        self.canal_depth, self.canal_width = table[:, 3], table[:, 4]
        self.spinous, self.span = table[:, 5], table[:, 6]
        self.device = device
        self._pose = torch.tensor(
            np.concatenate([self.centres, right, self.axes[:, :, 1], up], axis=1),
            dtype=torch.float32,
            device=device,
        )
        order = np.argsort(self.centres[:, 2], kind="stable")
        heights = np.arange(self.centres[:, 2].min(), self.centres[:, 2].max(), KNOT_MM)
        first = np.interp(heights, self.centres[order, 2], self.arc[order]) / KNOT_MM
        self._low = float(heights[0])
        self._first = torch.tensor(first, dtype=torch.float32, device=device)

    def channel(self, *values: Array) -> Tensor:
        """Values (K,) along the column as a table (K, C) for `read`."""
        return torch.tensor(np.stack(values, axis=1), dtype=torch.float32, device=self.device)

    def locate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Index along the column (int64), mm to its right and mm in front of it, of points (..., 3).

        Good within about 100 mm of the column, where its planes do not cross.
        """
        start = ((p[..., 2] - self._low) / KNOT_MM).clamp(0, len(self._first) - 1).long()
        index = self._first[start]
        last = len(self.arc) - 1
        x, y, z = p.unbind(-1)
        for _ in range(3):
            pose = self._pose[index.round().long().clamp(0, last)]
            dx, dy, dz = x - pose[..., 0], y - pose[..., 1], z - pose[..., 2]
            ahead = dx * pose[..., 9] + dy * pose[..., 10] + dz * pose[..., 11]
            index = (index.round() + (ahead / KNOT_MM).clamp(-40, 40)).clamp(0, last)
        nearest = index.round().long()
        pose = self._pose[nearest]
        dx, dy, dz = x - pose[..., 0], y - pose[..., 1], z - pose[..., 2]
        right = dx * pose[..., 3] + dy * pose[..., 4] + dz * pose[..., 5]
        front = dx * pose[..., 6] + dy * pose[..., 7] + dz * pose[..., 8]
        return nearest, right, front

    def at_place(self, place: float) -> int:
        """Index along the column of a place in levels."""
        return int(np.argmin(np.abs(self.place - place)))

    def world(self, place: float, right: float, front: float, up: float = 0.0) -> Array:
        """(3,) patient mm of a spot beside the column at a place in levels."""
        i = self.at_place(place)
        return np.asarray(self.centres[i] + self.axes[i] @ np.array([right, front, up]))

    def boxes(
        self, canvas: Canvas, low: tuple[float, float, float], high: tuple[float, float, float]
    ) -> list[Box]:
        """Disjoint boxes along the column that hold (place, right, front) between `low` and `high`."""
        vox = self.corners(low, high) @ canvas.inverse[:3, :3].T + canvas.inverse[:3, 3]
        count = canvas.grid.shape[2]
        slab = max(1, round(SLAB_MM / canvas.grid.spacing_mm[2]))
        out = []
        for first in range(0, count, slab):
            last = min(first + slab, count)
            near = vox[(vox[:, 2] > first - 3.0) & (vox[:, 2] < last + 3.0), :2]
            if len(near) == 0:
                continue
            start = np.clip(np.floor(near.min(0)) - 2, 0, canvas.grid.shape[:2]).astype(int)
            stop = np.clip(np.ceil(near.max(0)) + 3, 0, canvas.grid.shape[:2]).astype(int)
            if (stop > start).all():
                out.append((slice(start[0], stop[0]), slice(start[1], stop[1]), slice(first, last)))
        return out

    def corners(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> Array:
        """(K, 3) patient mm that bound (place, right, front) between `low` and `high`."""
        seen = (self.place >= low[0]) & (self.place <= high[0])
        spots = []
        for u in (low[1], high[1]):
            for v in (low[2], high[2]):
                spots.append(self.centres[seen] + self.axes[seen] @ np.array([u, v, 0.0]))
        return np.concatenate(spots)


def _along(arc: Array, values: Array, at: Array) -> Array:
    return np.stack([np.interp(at, arc, values[:, i]) for i in range(values.shape[1])], axis=1)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
