"""A cohort at a glance: per case a tile with a sagittal and a coronal cut, levels coloured, on pages."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.io.atomic import atomic_path
from vertseg.labels import level_name
from vertseg.phantom.types import PhantomScan
from vertseg.planes import Plane, curved_planes, name_levels

TILE_SHAPE: Final = (280, 330)
"""Rows and columns of a tile."""

TILES_PER_PAGE: Final = 60
_COLUMNS: Final = 10
_TITLE_ROWS: Final = 18
_WINDOW_HU: Final = (-250.0, 750.0)
_MIN_PIXEL_MM: Final = 1.0
_DPI: Final = 100
_BACKGROUND: Final = "#101014"


def draw_tile(scan: PhantomScan, title: str, path: Path) -> None:
    """Draw a case's tile: sagittal and coronal cut through the bodies, levels and findings coloured.

    Raises:
        OutputError: the file system refused.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = TILE_SHAPE
    figure = Figure(figsize=(columns / _DPI, rows / _DPI), dpi=_DPI, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    for side, plane in enumerate(_planes(scan)):
        picture = plane.grey(scan.hu, _WINDOW_HU)
        levels = plane.overlay(picture, scan.level, scan.findings)
        ax = figure.add_axes((0.5 * side, 0.0, 0.5, 1 - _TITLE_ROWS / rows))
        ax.imshow(picture, interpolation="bilinear", aspect="equal")
        ax.set_axis_off()
        if side == 0:
            name_levels(ax, levels, 5.5, gap=2, weight="normal", least=1)
    names = [level_name(v.level) for v in scan.vertebrae]
    span = f"{names[0]}-{names[-1]}" if names else "no vertebra"
    figure.text(0.02, 0.985, f"{title}  {span}", color="white", fontsize=7.5, va="top")
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", facecolor=_BACKGROUND)


def _planes(scan: PhantomScan) -> tuple[Plane, Plane]:
    """Cuts whose pixels are just large enough for the tile to hold them."""
    rows = TILE_SHAPE[0] - _TITLE_ROWS
    centres = np.array([v.centroid_mm for v in scan.vertebrae])
    planes = curved_planes(centres, scan.hu.grid, _MIN_PIXEL_MM)
    height_mm = planes[0].points_mm.shape[0] * _MIN_PIXEL_MM
    if height_mm <= rows:
        return planes
    return curved_planes(centres, scan.hu.grid, height_mm / rows)


def write_contact_sheet(tiles: Sequence[Path], path: Path) -> list[Path]:
    """Put tiles on pages of up to `TILES_PER_PAGE`; the pages' paths, the first being `path`.

    Raises:
        OutputError: the file system refused.
    """
    from matplotlib.image import imread, imsave

    pages = []
    for start in range(0, len(tiles), TILES_PER_PAGE):
        chosen = tiles[start : start + TILES_PER_PAGE]
        page = mosaic([np.rint(imread(t)[..., :3] * 255).astype(np.uint8) for t in chosen], _COLUMNS)
        number = start // TILES_PER_PAGE + 1
        pages.append(path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}"))
        buffer = io.BytesIO()
        imsave(buffer, page, format="png")
        with atomic_path(pages[-1]) as partial:
            partial.write_bytes(buffer.getvalue())
    return pages


def mosaic(tiles: Sequence[NDArray[np.uint8]], most_columns: int) -> NDArray[np.uint8]:
    """Pictures (rows, columns, 3) of one shape beside and below each other; empty places are dark."""
    columns = min(most_columns, max(1, int(np.ceil(np.sqrt(len(tiles))))))
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    page = np.full((rows * height, columns * width, 3), 16, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * height, i % columns * width
        page[top : top + height, left : left + width] = tile
    return page
