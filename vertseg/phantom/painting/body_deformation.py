"""A smooth change of a mapped body, so that one label map gives many patients."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from vertseg.phantom.painting.label_distance import LatticeField
from vertseg.phantom.shapes import rotate
from vertseg.phantom.types import Array
from vertseg.volume import Grid

_OCTAVES: Final = ((130.0, 3.5), (45.0, 1.4))
"""Distance of the knots (mm) and standard deviation (mm) of the displacement there, at full strength.

Both bend lengths by some 4 %, about the variation of vertebral sizes within a patient.
"""
_BEND_STEP_MM: Final = 14.0
_SPLINE_SD: Final = 0.692
"""Standard deviation of a cubic B-spline of unit white knots, on the average along one axis."""
_SIZE_SD: Final = 0.06
_ASPECT_SD: Final = 0.03
_TURN_DEG: Final = 4.0


@dataclass(frozen=True, eq=False)
class Deformation:
    """Where each point of the new patient lies in the label map: map = pivot + matrix (p - origin) + bend(p).

    Attributes:
        matrix: (3, 3) scale, rotation and, for a mirror patient, the mirror; patient mm to map mm.
        pivot_mm: (3,) map point that stays in place.
        origin_mm: (3,) patient point of the pivot.
        bend: displacements in map mm over (p - origin).
    """

    matrix: Array
    pivot_mm: Array
    origin_mm: Array
    bend: LatticeField | None = None

    @property
    def mirrored(self) -> bool:
        """Whether the patient is the map's mirror image, left and right exchanged."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def scale(self) -> float:
        """Patient mm of a map mm."""
        return float(abs(np.linalg.det(self.matrix)) ** (-1 / 3))

    def map_points(self, points: Tensor) -> Tensor:
        """Map positions (..., 3) in mm of patient points (..., 3) in mm."""
        moved = rotate(points, self.matrix.T, self.pivot_mm - self.matrix @ self.origin_mm)
        if self.bend is None:
            return moved
        bend = self.bend.sample(rotate(points, np.eye(3), -self.origin_mm))
        return moved + bend.movedim(0, -1)

    def patient_points(self, world_mm: Array) -> Array:
        """Patient positions (N, 3) of map points (N, 3): the inverse, by fixed-point steps."""
        inverse = np.linalg.inv(self.matrix)
        points = self.origin_mm + (world_mm - self.pivot_mm) @ inverse.T
        for _ in range(0 if self.bend is None else 6):
            at = self.map_points(torch.tensor(points, dtype=torch.float32)).numpy().astype(np.float64)
            points = points + (world_mm - at) @ inverse.T
        return np.asarray(points)

    def poses(self, centres_mm: Array, axes: Array) -> tuple[Array, Array, Array]:
        """Map frames in the patient: centres (N, 3), axes (N, 3, 3), and how their lengths are stretched (N, 3).

        The bend is taken as linear over 12 mm about a centre. In a mirror patient a frame's own right becomes
        its left, so that axes stay right-handed.
        """
        own = axes * np.array([-1.0, 1.0, 1.0]) if self.mirrored else axes
        arms = 12.0 * own.transpose(0, 2, 1)
        about = centres_mm[:, None]
        ends = np.concatenate([about + arms, about - arms, about], axis=1)
        moved = self.patient_points(ends.reshape(-1, 3)).reshape(ends.shape)
        columns = ((moved[:, :3] - moved[:, 3:6]) / 24.0).transpose(0, 2, 1)
        left, _, right = np.linalg.svd(columns)
        return moved[:, 6], np.asarray(left @ right), np.linalg.norm(columns, axis=1)

    def shifted(self, by_mm: Array) -> "Deformation":
        """The same patient moved by (3,) mm."""
        return replace(self, origin_mm=self.origin_mm + by_mm)


def drawn_deformation(grid: Grid, pivot_mm: Array, strength: float, seed: int) -> Deformation:
    """A patient's deformation for this seed: mirror, size, turn and bends; none at strength 0."""
    if strength <= 0:
        return Deformation(np.eye(3), pivot_mm, np.zeros(3))
    rng = np.random.default_rng([seed, 41])
    sizes = 1 + strength * (rng.normal(0, _SIZE_SD) + rng.normal(0, _ASPECT_SD, 3))
    turn = Rotation.from_euler("xyz", strength * rng.normal(0, _TURN_DEG, 3), degrees=True).as_matrix()
    mirror = np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0, 1.0])
    matrix = turn @ mirror @ np.diag(1 / np.clip(sizes, 0.75, 1.3))
    reach = np.abs(grid.corners_mm() - pivot_mm).max(0) * 1.4 + 20.0
    return Deformation(matrix, pivot_mm, np.zeros(3), _bend(reach, strength, rng))


def _bend(reach_mm: Array, strength: float, rng: np.random.Generator) -> LatticeField:
    """Random displacements over +-reach: cubic B-splines of random knots in two octaves, on one lattice."""
    half = np.ceil(reach_mm / _BEND_STEP_MM).astype(int)
    total = np.zeros((3, *(2 * half + 1)))
    for spacing, sd in _OCTAVES:
        weights = [_spline_weights(_BEND_STEP_MM * np.arange(-n, n + 1) / spacing) for n in half]
        knots = rng.normal(0.0, strength * sd / _SPLINE_SD**3, (3, *[w.shape[1] for w in weights]))
        total += np.einsum("cijk,xi,yj,zk->cxyz", knots, *weights, optimize=True)
    to_lattice = np.diag([1 / _BEND_STEP_MM] * 3 + [1.0])
    to_lattice[:3, 3] = half
    return LatticeField(torch.from_numpy(total.astype(np.float32)), to_lattice)


def _spline_weights(at: Array) -> Array:
    """(N, K) weights of the cubic B-splines that stand at whole numbers, K of which reach the positions (N,)."""
    knots = np.arange(np.floor(at.min()) - 1, np.ceil(at.max()) + 2)
    t = np.abs(at[:, None] - knots)
    return np.asarray(np.where(t < 1, (4 - 6 * t**2 + 3 * t**3) / 6, np.clip(2 - t, 0, None) ** 3 / 6))
