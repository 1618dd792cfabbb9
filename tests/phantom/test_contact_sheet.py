"""Tiles and pages: every case in its place, coloured where it is labelled."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from vertseg.labels import LUMBAR
from vertseg.phantom import PhantomScan, ScanConfig, render_scan
from vertseg.phantom.contact_sheet import TILE_SHAPE, draw_tile, mosaic, write_contact_sheet
from vertseg.phantom.show import describe, draw_phantom, sickest


@pytest.fixture(scope="module")
def demo() -> PhantomScan:
    return render_scan(5, ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0), case="demo"))


def coloured(path: Path) -> np.ndarray:
    picture = matplotlib.image.imread(path)[..., :3]
    return picture.max(axis=2) - picture.min(axis=2) > 0.15


def test_a_tile_has_its_size_and_colours_in_both_halves(demo: PhantomScan, tmp_path: Path) -> None:
    draw_tile(demo, "case", tmp_path / "tile.png")
    shown = coloured(tmp_path / "tile.png")
    assert shown.shape == TILE_SHAPE
    half = shown.shape[1] // 2
    assert shown[:, :half].mean() > 0.05 and shown[:, half:].mean() > 0.05


def test_pictures_stand_in_rows_from_the_top_left() -> None:
    tiles = [np.full((2, 3, 3), 20 + n, np.uint8) for n in range(5)]
    page = mosaic(tiles, most_columns=10)
    assert page.shape == (4, 9, 3)
    assert page[::2, ::3, 0].tolist() == [[20, 21, 22], [23, 24, 16]]


def test_many_cases_go_on_further_pages(tmp_path: Path) -> None:
    tile = tmp_path / "tile.png"
    matplotlib.image.imsave(tile, np.full((4, 6, 3), 200, np.uint8))
    pages = write_contact_sheet([tile] * 61, tmp_path / "sheet.png")
    assert [p.name for p in pages] == ["sheet.png", "sheet_2.png"]
    assert matplotlib.image.imread(pages[0]).shape[:2] == (8 * 4, 8 * 6)
    assert matplotlib.image.imread(pages[1]).shape[:2] == (4, 6)


def test_the_sickest_vertebra_is_shown_and_told(demo: PhantomScan, tmp_path: Path) -> None:
    chosen = sickest(demo)
    assert chosen.level == LUMBAR[2]
    words = describe(demo, chosen)
    assert words.startswith("L3: ") and "lytic lesion" in words and "wall defect" in words
    by_level = {v.level: describe(demo, v) for v in demo.vertebrae}
    assert by_level[LUMBAR[0]] == "L1: wedge fracture, 50% of height lost" and by_level[LUMBAR[1]] == ""
    draw_phantom(demo, tmp_path / "shown.png")
    shown = coloured(tmp_path / "shown.png")
    third = shown.shape[1] // 3
    assert shown[200:, 2 * third :].mean() > 0.05 > shown[200:, : 2 * third].mean()
