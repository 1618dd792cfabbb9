"""Flat and curved cuts through a scan, as pictures."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.inference.findings import Findings, VertebraFindings
from vertseg.volume import Grid, Volume

_PIXEL_MM = 0.7
_HALF_FIELD_MM = 75.0
_BEYOND_MM = 55.0
_AXIAL_HALF_FIELD_MM = 60.0


@dataclass(frozen=True, eq=False)
class Plane:
    """A cut: where its pixels are in the world, rows from the top of the picture down.

    Attributes:
        title: what it shows.
        points_mm: (rows, columns, 3) world positions.
        edges: names of the left, right, top and bottom edge ("R", "L", "A", "P", "S", "I").
    """

    title: str
    points_mm: NDArray[np.float64]
    edges: tuple[str, str, str, str]

    def sampled(self, volume: Volume, order: Literal[0, 1], fill: float) -> NDArray[np.float32]:
        """Values (rows, columns) of a volume on this cut; order 0 takes the nearest voxel."""
        vox = np.moveaxis(volume.grid.voxel(self.points_mm), -1, 0)
        values = ndimage.map_coordinates(
            volume.array.astype(np.float32, copy=False), vox, order=order, mode="constant", cval=fill
        )
        return np.asarray(values, dtype=np.float32)

    def pixel(self, point_mm: NDArray[np.float64]) -> tuple[float, float]:
        """Column and row of the pixel next to a world position."""
        distance = np.linalg.norm(self.points_mm - point_mm, axis=-1)
        row, column = np.unravel_index(int(distance.argmin()), distance.shape)
        return float(column), float(row)


def column_planes(findings: Findings, scan: Grid) -> tuple[Plane, Plane]:
    """Sagittal and coronal cut, bent so that both pass through every body's centre."""
    centres = np.array([v.centroid_mm for v in findings.vertebrae])
    where = "through the bodies"
    if centres.size == 0:
        centres, where = scan.world((np.array(scan.shape) - 1) / 2)[None], "through the middle"
    order = np.argsort(centres[:, 2])
    x_at, y_at, z_at = centres[order].T
    corners = scan.corners_mm()
    low = max(float(z_at[0]) - _BEYOND_MM, float(corners[:, 2].min()))
    high = min(float(z_at[-1]) + _BEYOND_MM, float(corners[:, 2].max()))
    z = np.arange(high, low, -_PIXEL_MM)
    across = np.arange(-_HALF_FIELD_MM, _HALF_FIELD_MM, _PIXEL_MM)
    x, y = np.interp(z, z_at, x_at), np.interp(z, z_at, y_at)
    shape = (z.size, across.size)
    depth = np.broadcast_to(across[::-1], shape) + float(y.mean()) - 20.0
    sagittal = np.stack([np.broadcast_to(x[:, None], shape), depth, np.broadcast_to(z[:, None], shape)], -1)
    wide = np.broadcast_to(across[::-1], shape) + float(x.mean())
    coronal = np.stack([wide, np.broadcast_to(y[:, None], shape), np.broadcast_to(z[:, None], shape)], -1)
    return (
        Plane(f"sagittal, {where}", sagittal, ("A", "P", "S", "I")),
        Plane(f"coronal, {where}", coronal, ("R", "L", "S", "I")),
    )


def axial_plane(vertebra: VertebraFindings) -> Plane:
    """Cut through a body's centre, square to the vertebra's own up axis."""
    right, anterior = vertebra.axes[:, 0], vertebra.axes[:, 1]
    steps = np.arange(_AXIAL_HALF_FIELD_MM, -_AXIAL_HALF_FIELD_MM, -_PIXEL_MM)
    centre = np.asarray(vertebra.centroid_mm) - 20.0 * anterior
    points = centre + steps[:, None, None] * anterior + steps[None, :, None] * right
    return Plane(f"{vertebra.name}, across its own axis", points, ("R", "L", "A", "P"))


def worst(findings: Findings) -> VertebraFindings | None:
    """The vertebra that most wants a look: wall defect, then lesion share and loss of height; None if empty."""
    if not findings.vertebrae:
        return None
    return max(findings.vertebrae, key=_concern)


def _concern(v: VertebraFindings) -> float:
    ratio = v.measures.height_ratio
    loss = 0.0 if ratio is None or v.cut_by_field else 1.0 - ratio
    return v.measures.wall_defect_mm2 / 40.0 + (v.measures.lesion_share or 0.0) / 0.2 + loss / 0.4
