"""Volumes and the grids they lie on: orient, resample, crop, and the exact way back.

In memory an array is indexed `[x, y, z]` and an affine takes voxel indices (centres of voxels, from 0) to
world coordinates in mm, RAS+ (x grows to patient Right, y to Anterior, z to Superior), as in NIfTI.
Rotated, sheared (gantry tilt), anisotropic and mirrored grids are all grids; nothing here assumes otherwise.
"""

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vertseg.errors import InputError
from vertseg.resampling import resample

_AXIS_OF_CODE: Final = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
_CODES: Final = (("L", "R"), ("P", "A"), ("I", "S"))
_LATTICE_TOLERANCE_VOX: Final = 1e-2


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels are: the shape (X, Y, Z) and the 4x4 affine from voxel index to world RAS mm.

    Raises:
        InputError: the shape is not of three positive lengths, or the affine is not finite or is singular.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(f"A grid needs three positive lengths, not the shape {shape}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance in mm between neighbours along each voxel axis."""
        norms = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(norms[0]), float(norms[1]), float(norms[2])

    @property
    def axcodes(self) -> tuple[str, str, str]:
        """Patient direction to which each voxel axis grows, such as ("R", "A", "S") or ("L", "P", "S")."""
        x, y, z = (_CODES[world][sign > 0] for world, sign in _orientation(self.affine))
        return x, y, z

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def world(self, vox: ArrayLike) -> NDArray[np.float64]:
        """World positions in mm, (..., 3), of voxel indices (..., 3)."""
        points = np.asarray(vox, dtype=np.float64)
        moved: NDArray[np.float64] = points @ self.affine[:3, :3].T + self.affine[:3, 3]
        return moved

    def voxel(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """Voxel indices, (..., 3), not rounded, of world positions (..., 3) in mm."""
        inverse = np.linalg.inv(self.affine)
        points = np.asarray(world_mm, dtype=np.float64)
        moved: NDArray[np.float64] = points @ inverse[:3, :3].T + inverse[:3, 3]
        return moved

    def corners_mm(self) -> NDArray[np.float64]:
        """World positions (8, 3) in mm of the outer corners, half a voxel beyond the outer voxel centres."""
        return self.world(list(product(*((-0.5, n - 0.5) for n in self.shape))))

    def covering(self, spacing_mm: float, margin_mm: float = 0.0) -> "Grid":
        """World-aligned RAS grid with cubic voxels that covers this grid's bounding box.

        The lower outer corners coincide (less the margin), so a RAS grid that already has this spacing is
        returned on its own lattice.

        Args:
            spacing_mm: edge of a voxel.
            margin_mm: how much to add on every side.
        """
        corners = self.corners_mm()
        low = corners.min(axis=0) - margin_mm
        extent = corners.max(axis=0) + margin_mm - low
        x, y, z = (max(1, int(np.ceil(e / spacing_mm - 1e-3))) for e in extent)
        affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
        affine[:3, 3] = low + spacing_mm / 2
        return Grid((x, y, z), affine)

    def matches(self, other: "Grid", tolerance_vox: float = _LATTICE_TOLERANCE_VOX) -> bool:
        """Whether both have one shape and every voxel lies at the same place, within a part of a voxel."""
        if self.shape != other.shape:
            return False
        corners = np.array(list(product(*((0, n - 1) for n in self.shape))), dtype=np.float64)
        return bool(np.abs(self.voxel(other.world(corners)) - corners).max() <= tolerance_vox)


@dataclass(frozen=True, eq=False)
class Volume:
    """An array (X, Y, Z) and its 4x4 affine to world RAS mm.

    CT is float32 in HU, labels are unsigned integers, masks are bool or uint8.

    Raises:
        InputError: the array is not three-dimensional, or the affine is not finite or is singular.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise InputError(
                f"A volume needs a three-dimensional array, not one of shape {self.array.shape}."
            )
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    @property
    def grid(self) -> Grid:
        """Where this volume's voxels are."""
        x, y, z = self.array.shape
        return Grid((x, y, z), self.affine)

    def oriented(self, axcodes: str = "RAS", copy: bool = True) -> "Volume":
        """The same voxels in the order nearest to `axcodes`, without interpolation.

        Every voxel keeps its value and its place in the world; `restore` is the way back. Without `copy` the
        result is a view.

        Raises:
            InputError: `axcodes` does not name three different patient axes.
        """
        wanted = [_AXIS_OF_CODE.get(code, (-1, 0)) for code in axcodes.upper()]
        if sorted(axis for axis, _ in wanted) != [0, 1, 2]:
            raise InputError(f"'{axcodes}' is no orientation; it needs one each of R/L, A/P and S/I.")
        have = _orientation(self.affine)
        order = [next(i for i, (world, _) in enumerate(have) if world == axis) for axis, _ in wanted]
        flips = [have[i][1] != sign for i, (_, sign) in zip(order, wanted, strict=True)]
        return _reordered(self, order, flips, copy)

    def resampled_to(self, grid: Grid, order: Literal[0, 1], fill: float) -> "Volume":
        """This volume's values on another grid.

        Args:
            grid: where the values are wanted.
            order: 0 takes the nearest voxel and keeps the type; 1 interpolates linearly to float32 and first
                smooths along axes on which the target is coarser.
            fill: value outside the voxels of this volume.
        """
        to_source = np.linalg.inv(self.affine) @ grid.affine
        values = resample(self.array, to_source, grid.shape, order, fill)
        return Volume(values, grid.affine)

    def cropped(self, start_vox: ArrayLike, stop_vox: ArrayLike) -> "Volume":
        """The box of voxels from `start_vox` up to, not including, `stop_vox`, at its place in the world.

        Raises:
            InputError: the box is empty or reaches outside.
        """
        start, stop = (np.asarray(v, dtype=np.int64) for v in (start_vox, stop_vox))
        if (start < 0).any() or (stop > self.array.shape).any() or (stop <= start).any():
            raise InputError(
                f"The box from {start.tolist()} to {stop.tolist()} is not inside the shape {self.array.shape}."
            )
        affine = self.affine.copy()
        affine[:3, 3] = self.grid.world(start)
        x, y, z = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return Volume(self.array[x, y, z], affine)

    def around(self, grid: Grid) -> "Volume":
        """The box of this volume that a grid lies in, two voxels more on each side; one voxel where they are apart."""
        shape = np.array(self.array.shape)
        corners = self.grid.voxel(grid.corners_mm())
        start = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, shape - 1)
        stop = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, start + 1, shape)
        return self.cropped(start, stop)

    def with_array(self, array: NDArray[Any]) -> "Volume":
        """Another array of the same shape on this volume's grid.

        Raises:
            InputError: the shape differs.
        """
        if array.shape != self.array.shape:
            raise InputError(f"An array of shape {array.shape} does not fit the grid {self.array.shape}.")
        return Volume(array, self.affine)


def restore(labels: Volume, source: Grid, copy: bool = True) -> Volume:
    """Voxels put back in the order of the grid they were oriented from: the exact inverse of `oriented`.

    Args:
        labels: a volume on the same lattice as `source`, its axes permuted or flipped.
        source: the grid as it was stored.
        copy: False gives a view.

    Raises:
        InputError: the two lattices differ, so that going back would need interpolation.
    """
    to_labels = np.linalg.inv(labels.affine) @ source.affine
    signed = np.rint(to_labels[:3, :3]).astype(int)
    if not (np.abs(signed).sum(axis=0) == 1).all() or not (np.abs(signed).sum(axis=1) == 1).all():
        raise InputError("These labels do not lie on the voxels of the source; resample them to its grid.")
    order = [int(np.flatnonzero(signed[:, j])[0]) for j in range(3)]
    flips = [int(signed[order[j], j]) < 0 for j in range(3)]
    result = _reordered(labels, order, flips, copy)
    if not result.grid.matches(source):
        raise InputError(
            "These labels do not cover the same voxels as the source; resample them to its grid."
        )
    return Volume(result.array, source.affine)


def box_around(mask: NDArray[np.bool_], margin: int) -> tuple[slice, ...]:
    """The box of voxels that holds a mask (X, Y, Z), wider by a margin where the array goes on; the mask has a voxel at least."""
    ranges = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(
        slice(max(int(r[0]) - margin, 0), min(int(r[-1]) + margin + 1, n))
        for r, n in zip(ranges, mask.shape, strict=True)
    )


def crop_grid(centre_mm: ArrayLike, axes: ArrayLike, shape: tuple[int, int, int], spacing_mm: float) -> Grid:
    """Grid of a crop that stands upright by its own axes.

    Args:
        centre_mm: world position of the crop's middle, index (shape - 1) / 2.
        axes: (3, 3), whose columns are the crop's right, anterior and up in world RAS.
        shape: voxels along (right, anterior, up).
        spacing_mm: edge of a voxel.
    """
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(axes, dtype=np.float64) * spacing_mm
    middle_vox = (np.asarray(shape, dtype=np.float64) - 1) / 2
    affine[:3, 3] = np.asarray(centre_mm, dtype=np.float64) - affine[:3, :3] @ middle_vox
    return Grid(shape, affine)


def _checked_affine(affine: ArrayLike) -> NDArray[np.float64]:
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InputError("An affine must be a 4x4 matrix of finite numbers.")
    scale = np.prod(np.linalg.norm(matrix[:3, :3], axis=0))
    if scale < 1e-12 or abs(np.linalg.det(matrix[:3, :3])) < 1e-4 * scale:
        raise InputError("The affine is singular: it does not say where the voxels are.")
    return matrix


def _orientation(affine: NDArray[np.float64]) -> list[tuple[int, int]]:
    """World axis and sign nearest to each voxel axis, each world axis taken once.

    The shear is taken off first by the polar decomposition; of the six assignments the one with the largest
    sum of cosines wins.
    """
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(unit)
    cosines = left @ right
    best = max(permutations(range(3)), key=lambda p: round(sum(abs(cosines[p[i], i]) for i in range(3)), 9))
    return [(world, 1 if cosines[world, i] > 0 else -1) for i, world in enumerate(best)]


def _reordered(volume: Volume, order: list[int], flips: list[bool], copy: bool) -> Volume:
    """New axis j is old axis order[j], reversed where flips[j]."""
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1.0
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        to_old[old, new] = -1.0 if flip else 1.0
        to_old[old, 3] = volume.array.shape[old] - 1 if flip else 0.0
    array = volume.array.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    return Volume(np.ascontiguousarray(array) if copy else array, volume.affine @ to_old)
