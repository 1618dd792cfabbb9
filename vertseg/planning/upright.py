"""One vertebra of a prediction in its own frame: what every measure and plan is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.frames import LabelledVertebra
from vertseg.labels import FINDINGS, Tissue, level_name
from vertseg.volume import Grid, Volume, box_around, crop_grid

if TYPE_CHECKING:
    from vertseg.inference.findings import Findings

SHAPE: Final = (112, 128, 80)
"""Voxels (right, anterior, up): transverse processes, spinous process and half of both neighbours fit in."""

SPACING_MM: Final = 1.0

OUTSIDE_HU: Final = -1024.0
"""What stands where nothing was scanned."""

_BEHIND_MM: Final = 24.0
"""How far the crop's middle lies behind the body's, so that the spinous process is seen whole."""


_LEVEL_BITS: Final = 5


@dataclass(frozen=True, eq=False)
class ScanLabels:
    """What is known of each voxel of a scan, on the scan's grid.

    Attributes:
        levels: VerSe numbers.
        tissue: `labels.Tissue` numbers; others (`labels.LocateClass`) count as none.
        masks: for each of `labels.FINDINGS` where it is.
    """

    levels: Volume
    tissue: Volume
    masks: Mapping[str, Volume]


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
        body_share: (X, Y, Z) float32 of which `body` is the part from 0.5 up: where between the voxels the
            body's surface runs. None where only the mask is known.
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
    body_share: NDArray[np.float32] | None = None

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

    @property
    def places_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(X,), (Y,), (Z,) places of the voxels to the right, anterior and up of the body centre."""
        right, anterior, up = (
            (np.arange(n) - c) * self.spacing_mm
            for n, c in zip(self.grid.shape, self.centre_vox, strict=True)
        )
        return right, anterior, up

    @property
    def shares(self) -> NDArray[np.float32]:
        """(X, Y, Z) `body_share`, or the mask's ones and zeros where that is not known."""
        return self.body.astype(np.float32) if self.body_share is None else self.body_share


def upright_vertebra(findings: "Findings", scan: Volume, index: int) -> UprightVertebra:
    """The vertebra `findings.vertebrae[index]` in its own frame (see `stand_upright`).

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        index: position in `findings.vertebrae`.
    """
    vertebra = findings.vertebrae[index]
    place = LabelledVertebra(vertebra.level, np.asarray(vertebra.centroid_mm, np.float64), vertebra.axes)
    return stand_upright(ScanLabels(findings.levels, findings.tissue, findings.masks), scan, place)


def stand_upright(labels: ScanLabels, scan: Volume, vertebra: LabelledVertebra) -> UprightVertebra:
    """One labelled vertebra in its own frame.

    Edges of body and posterior elements are interpolated, levels and findings keep the nearest voxel.

    Args:
        labels: of a scan, any orientation.
        scan: HU of the same scan, any orientation.
        vertebra: its level, body centre and axes.
    """
    centre = np.asarray(vertebra.centre_mm, np.float64)
    grid = crop_grid(centre - _BEHIND_MM * vertebra.axes[:, 1], vertebra.axes, SHAPE, SPACING_MM)
    levels = labels.levels.around(grid)
    own = levels.array == vertebra.level
    tissue = labels.tissue.around(grid).array
    body, posterior = (
        _shares(Volume(own & (tissue == part), levels.affine), grid)
        for part in (Tissue.BODY, Tissue.POSTERIOR)
    )
    # One pass of the nearest voxels serves all labels.
    packed = levels.array.astype(np.uint16)
    for bit, name in enumerate(FINDINGS, _LEVEL_BITS):
        packed |= ((labels.masks[name].around(grid).array > 0) & own).astype(np.uint16) << bit
    nearest = Volume(packed, levels.affine).resampled_to(grid, 0, 0).array
    is_body = body >= 0.5
    return UprightVertebra(
        level=vertebra.level,
        centre_mm=centre,
        axes=vertebra.axes,
        grid=grid,
        hu=scan.around(grid).resampled_to(grid, 1, OUTSIDE_HU).array,
        body=is_body,
        posterior=(posterior >= 0.5) & ~is_body,
        levels=(nearest & ((1 << _LEVEL_BITS) - 1)).astype(np.uint8),
        masks={name: (nearest & (1 << bit)) != 0 for bit, name in enumerate(FINDINGS, _LEVEL_BITS)},
        body_share=body,
    )


def _shares(mask: Volume, grid: Grid) -> NDArray[np.float32]:
    """A mask interpolated on a grid, worked out only around the mask's voxels."""
    shares = np.zeros(grid.shape, np.float32)
    if not mask.array.any():
        return shares
    held = box_around(mask.array, 1)
    part = mask.cropped([s.start for s in held], [s.stop for s in held])
    corners = grid.voxel(part.grid.corners_mm())
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, np.array(grid.shape) - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low + 1, grid.shape)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(low)
    x, y, z = (int(n) for n in high - low)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    values = Volume(part.array.astype(np.float32), part.affine)
    shares[box] = values.resampled_to(Grid((x, y, z), affine), 1, 0.0).array
    return shares
