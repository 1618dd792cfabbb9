"""Flat and curved cuts through a scan, as pictures: where their pixels are, and what colours they get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vertseg.labels import FINDING_COLOURS, SACRUM, level_colour, level_name
from vertseg.volume import Grid, Volume

PIXEL_MM: Final = 0.7
AXIAL_HALF_FIELD_MM: Final = 60.0
_HALF_FIELD_MM: Final = 75.0
_BEYOND_MM: Final = 55.0
_LEVEL_ALPHA: Final = 0.33
_FINDING_ALPHA: Final = 0.75


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
            volume.array, vox, output=np.float32, order=order, mode="constant", cval=fill
        )
        return np.asarray(values, dtype=np.float32)

    def pixel(self, point_mm: NDArray[np.float64]) -> tuple[float, float]:
        """Column and row of the pixel next to a world position."""
        distance = np.linalg.norm(self.points_mm - point_mm, axis=-1)
        row, column = np.unravel_index(int(distance.argmin()), distance.shape)
        return float(column), float(row)

    def grey(self, scan: Volume, window_hu: tuple[float, float]) -> NDArray[np.float32]:
        """Picture (rows, columns, 3) in [0, 1] of a scan in a window (low, high); air outside."""
        low, high = window_hu
        grey = np.clip((self.sampled(scan, 1, -1024.0) - low) / (high - low), 0, 1)
        return np.repeat(grey[..., None], 3, axis=2)

    def overlay(
        self, picture: NDArray[Any], levels: Volume, findings: Mapping[str, Volume]
    ) -> NDArray[np.int_]:
        """Blend the colours of levels and findings into a picture, in place; the levels (rows, columns)."""
        shown = self.sampled(levels, 0, 0.0).astype(int)
        for number in np.unique(shown[shown > 0]):
            _blend(picture, shown == number, level_colour(int(number)), _LEVEL_ALPHA)
        for name, colour in FINDING_COLOURS.items():
            if name in findings:
                _blend(picture, self.sampled(findings[name], 0, 0.0) > 0, colour, _FINDING_ALPHA)
        return shown


def name_levels(
    ax: Any, levels: NDArray[np.int_], size: float, gap: float = 3, weight: str = "bold", least: int = 25
) -> None:
    """Write names at the front edge of each level's area, so that they do not hide the body.

    Args:
        ax: matplotlib axes that show the cut.
        levels: (rows, columns) level numbers, as `Plane.overlay` gives them.
        size: of the letters, in points.
        gap: pixels before the area.
        weight: of the letters.
        least: pixels that a level needs to be named.
    """
    for number in np.unique(levels[levels > 0]):
        rows, columns = np.nonzero(levels == number)
        if rows.size < least:
            continue
        front = columns <= np.quantile(columns, 0.3)
        ax.text(
            float(columns.min()) - gap, float(np.median(rows[front])),
            "S" if number == SACRUM else level_name(int(number)), color=_bright(level_colour(int(number))),
            fontsize=size, fontweight=weight, ha="right", va="center",
        )  # fmt: skip


def _bright(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """The colour nearer to white, so that its letters can be read on dark ground."""
    r, g, b = (0.6 * c / 255.0 + 0.4 for c in rgb)
    return r, g, b


def curved_planes(centres_mm: ArrayLike, scan: Grid, pixel_mm: float = PIXEL_MM) -> tuple[Plane, Plane]:
    """Sagittal and coronal cut, bent so that both pass through the given body centres (K, 3) in world mm."""
    centres, where = np.asarray(centres_mm, dtype=np.float64), "through the bodies"
    if centres.size == 0:
        centres, where = scan.world((np.array(scan.shape) - 1) / 2)[None], "through the middle"
    order = np.argsort(centres[:, 2])
    x_at, y_at, z_at = centres[order].T
    corners = scan.corners_mm()
    low = max(float(z_at[0]) - _BEYOND_MM, float(corners[:, 2].min()))
    high = min(float(z_at[-1]) + _BEYOND_MM, float(corners[:, 2].max()))
    z = np.arange(high, low, -pixel_mm)
    across = np.arange(-_HALF_FIELD_MM, _HALF_FIELD_MM, pixel_mm)
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


def upright_axial(centre_mm: ArrayLike, axes: NDArray[np.float64], name: str) -> Plane:
    """Cut through a body's centre (3,), square to the vertebra's own up axis.

    Args:
        centre_mm: world position of the body's centre.
        axes: (3, 3), columns right, anterior and up in world RAS.
        name: of the level, for the title.
    """
    right, anterior = axes[:, 0], axes[:, 1]
    steps = np.arange(AXIAL_HALF_FIELD_MM, -AXIAL_HALF_FIELD_MM, -PIXEL_MM)
    centre = np.asarray(centre_mm) - 20.0 * anterior
    points = centre + steps[:, None, None] * anterior + steps[None, :, None] * right
    return Plane(f"{name}, across its own axis", points, ("R", "L", "A", "P"))


def _blend(picture: NDArray[Any], mask: NDArray[np.bool_], rgb: tuple[int, int, int], alpha: float) -> None:
    colour = np.array(rgb, dtype=np.float32) / 255.0
    picture[mask] = (1 - alpha) * picture[mask] + alpha * colour
