"""One vertebra of a prediction in its own frame: what every measure and plan is made from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import Findings
from vertseg.labels import FINDINGS, Tissue, level_name
from vertseg.volume import Grid, Volume, crop_grid

SHAPE: Final = (112, 128, 80)
"""Voxels (right, anterior, up): transverse processes, spinous process and half of both neighbours fit in."""

SPACING_MM: Final = 1.0

_BEHIND_MM: Final = 24.0
"""How far the crop's middle lies behind the body's, so that the spinous process is seen whole."""


@dataclass(frozen=True, eq=False)
class UprightVertebra:
    """One vertebra's CT and masks, resampled so that index axes are its right, anterior and up.

    Attributes:
        level: VerSe level number.
        centre_mm: (3,) body centre in world RAS mm.
        axes: (3, 3) whose columns are right, anterior, up in world RAS.
        grid: where the voxels of all arrays are; isotropic, `SPACING_MM`.
        hu: (X, Y, Z) float32 HU; -1024 outside of the scan.
        body: (X, Y, Z) bool, this vertebra's body.
        posterior: (X, Y, Z) bool, its posterior elements.
        levels: (X, Y, Z) uint8 VerSe numbers of all vertebrae, 0 elsewhere.
        masks: name in `labels.FINDINGS` -> (X, Y, Z) bool, this vertebra's.
    """

    level: int
    centre_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    grid: Grid
    hu: NDArray[np.float32]
    body: NDArray[np.bool_]
    posterior: NDArray[np.bool_]
    levels: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]

    @property
    def name(self) -> str:
        """Name of the level, such as "L1"."""
        return level_name(self.level)

    @property
    def spacing_mm(self) -> float:
        """Edge of a voxel."""
        return self.grid.spacing_mm[0]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml."""
        return self.grid.voxel_volume_mm3 / 1000.0

    @property
    def centre_vox(self) -> NDArray[np.float64]:
        """(3,) index of the body centre, not rounded."""
        return self.grid.voxel(self.centre_mm)


def upright_vertebra(findings: Findings, scan: Volume, index: int) -> UprightVertebra:
    """The vertebra `findings.vertebrae[index]` in its own frame.

    Edges of body and posterior elements are interpolated, findings keep the nearest voxel.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        index: position in `findings.vertebrae`.
    """
    vertebra = findings.vertebrae[index]
    centre = np.asarray(vertebra.centroid_mm, np.float64)
    grid = crop_grid(centre - _BEHIND_MM * vertebra.axes[:, 1], vertebra.axes, SHAPE, SPACING_MM)
    levels = _boxed(findings.levels, grid)
    own = levels.array == vertebra.level
    tissue = _boxed(findings.tissue, grid).array

    def smooth(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        shares = Volume(mask.astype(np.float32), levels.affine).resampled_to(grid, 1, 0.0)
        return np.asarray(shares.array >= 0.5)

    body, posterior = (smooth(own & (tissue == part)) for part in (Tissue.BODY, Tissue.POSTERIOR))
    packed = np.zeros(levels.array.shape, np.uint8)
    for bit, name in enumerate(FINDINGS):
        packed |= ((_boxed(findings.masks[name], grid).array > 0) & own).astype(np.uint8) << bit
    found = Volume(packed, levels.affine).resampled_to(grid, 0, 0).array
    return UprightVertebra(
        level=vertebra.level,
        centre_mm=centre,
        axes=vertebra.axes,
        grid=grid,
        hu=_boxed(scan, grid).resampled_to(grid, 1, -1024.0).array,
        body=body,
        posterior=posterior & ~body,
        levels=levels.resampled_to(grid, 0, 0).array,
        masks={name: (found >> bit & 1).astype(bool) for bit, name in enumerate(FINDINGS)},
    )


def _boxed(volume: Volume, grid: Grid) -> Volume:
    """The box of a volume that a grid lies in, with two voxels more on each side; one voxel where they are apart."""
    shape = np.array(volume.array.shape)
    corners = volume.grid.voxel(grid.corners_mm())
    start = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, shape - 1)
    stop = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, start + 1, shape)
    return volume.cropped(start, stop)
