"""The part of a scan that holds cement, on one fine grid: what cement is measured on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.frames import LabelledVertebra
from vertseg.inference.findings import Findings
from vertseg.labels import SACRUM, Tissue
from vertseg.volume import Grid, Volume

SPACING_MM: Final = 1.0
"""Edge of a voxel. Coarser scans are interpolated, finer ones smoothed, so that sums over HU stay."""

_MARGIN_MM: Final = 32.0
"""How far around the marked cement is looked: leaks are drawn out, and frames need the vertebrae's own voxels."""


@dataclass(frozen=True, eq=False)
class TreatedSpine:
    """Everything around the cement of a scan on one grid of `SPACING_MM`, axes along RAS.

    Attributes:
        grid: where the voxels of all arrays are.
        hu: (X, Y, Z) float32; -1024 outside of the scan.
        level: (X, Y, Z) uint8 VerSe numbers, 0 elsewhere; the sacrum is left out.
        body: (X, Y, Z) bool, vertebral bodies.
        marked: (X, Y, Z) bool, cement as the network marks it.
        wall_defect: (X, Y, Z) bool, holes in posterior walls.
        frames: of every vertebra of the scan, by level number, from head to foot.
    """

    grid: Grid
    hu: NDArray[np.float32]
    level: NDArray[np.uint8]
    body: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    wall_defect: NDArray[np.bool_]
    frames: dict[int, LabelledVertebra]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml."""
        return self.grid.voxel_volume_mm3 / 1000.0

    def own_body(self, level: int) -> NDArray[np.bool_]:
        """(X, Y, Z) body of one vertebra."""
        own: NDArray[np.bool_] = self.body & (self.level == level)
        return own

    def cropped(self, box: tuple[slice, ...]) -> "TreatedSpine":
        """The same in a box of voxels."""
        affine = self.grid.affine.copy()
        affine[:3, 3] = self.grid.world(np.array([s.start for s in box]))
        hu = self.hu[box]
        x, y, z = hu.shape
        return TreatedSpine(
            Grid((x, y, z), affine), hu, self.level[box], self.body[box], self.marked[box], self.wall_defect[box],
            self.frames,
        )  # fmt: skip

    def local(self, level: int, voxels: NDArray[np.intp]) -> NDArray[np.float64]:
        """(N, 3) voxel indices as mm to the right, anterior and up of a body's centre."""
        return self.frames[level].local(self.grid.world(voxels))


def treated_spine(findings: Findings, scan: Volume) -> TreatedSpine | None:
    """The surroundings of all cement that was marked; None where none was.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
    """
    marked = findings.masks["cement"]
    at = np.argwhere(marked.array > 0)
    if at.size == 0:
        return None
    points = marked.grid.world(at)
    low, high = points.min(axis=0) - _MARGIN_MM, points.max(axis=0) + _MARGIN_MM
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = low
    x, y, z = (int(np.ceil(n / SPACING_MM)) + 1 for n in high - low)
    grid = Grid((x, y, z), affine)
    levels = findings.levels.around(grid)
    tissue = findings.tissue.around(grid)
    level = levels.resampled_to(grid, 0, 0).array
    level = np.where(level == SACRUM, 0, level).astype(np.uint8)
    return TreatedSpine(
        grid=grid,
        hu=scan.around(grid).resampled_to(grid, 1, -1024.0).array,
        level=level,
        body=(tissue.resampled_to(grid, 0, 0).array == Tissue.BODY) & (level > 0),
        marked=_smooth(marked.around(grid), grid),
        wall_defect=_smooth(findings.masks["posterior_wall_defect"].around(grid), grid),
        frames={
            v.level: LabelledVertebra(
                v.level, np.asarray(v.centroid_mm, np.float64), np.asarray(v.axes, np.float64)
            )
            for v in findings.vertebrae
        },
    )


def _smooth(mask: Volume, grid: Grid) -> NDArray[np.bool_]:
    shares = Volume((mask.array > 0).astype(np.float32), mask.affine).resampled_to(grid, 1, 0.0)
    return np.asarray(shares.array >= 0.5)
