"""Holes drawn in the posterior wall of a scan."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.planning.drawn_spine import (
    CANAL_HALF_MM,
    CORTEX_HU,
    HALF_DEPTH_MM,
    HEIGHT_MM,
    SHELL_MM,
    Drawn,
    Where,
    stood,
)
from vertseg.labels import level_number
from vertseg.planning.vertebra_measures import measure_vertebrae
from vertseg.planning.wall_integrity import WallIntegrity
from vertseg.planning.wall_map import WallMap, wall_map_values

L2 = level_number("L2")


def round_hole(area_mm2: float, right: float, up: float, deep_mm: float = SHELL_MM) -> Where:
    radius = np.sqrt(area_mm2 / np.pi)

    def where(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (np.hypot(x - right, z - up) < radius) & (y < -HALF_DEPTH_MM + deep_mm)

    return where


def wall_of(drawn: Drawn, spacing_mm: float = 1.0, stored: str = "RAS") -> tuple[WallIntegrity, WallMap]:
    (vertebra,) = stood([drawn], spacing_mm, stored)
    (found,) = measure_vertebrae([vertebra])
    assert found.wall_map is not None
    return found.wall, found.wall_map


def with_hole(area: float, right: float, up: float, axes: np.ndarray | None = None) -> Drawn:
    return Drawn(
        L2, axes=axes, findings={"posterior_wall_defect": round_hole(area, right, up)},
        hole=round_hole(area, right, up, 8.0),
    )  # fmt: skip


def test_a_sound_wall() -> None:
    wall, cells = wall_of(Drawn(L2))
    assert wall.width_mm == pytest.approx(2 * CANAL_HALF_MM, abs=1.5)
    assert wall.height_mm == pytest.approx(HEIGHT_MM, abs=2)
    assert wall.wall_mm2 == pytest.approx(2 * CANAL_HALF_MM * HEIGHT_MM, rel=0.1)
    assert wall.cortex_hu == pytest.approx(CORTEX_HU, rel=0.1)
    assert wall.cortex_mm == pytest.approx(SHELL_MM, abs=0.6)
    assert wall.defect_mm2 == wall.foramen_defect_mm2 == wall.thin_mm2 == wall.foramen_gap_mm2 == 0
    assert wall.defects == ()
    assert np.nanmedian(cells.wall_mm[cells.outline]) == pytest.approx(-HALF_DEPTH_MM, abs=0.4)


@pytest.mark.parametrize("spacing_mm", [0.8, 1.0, 1.5])
@pytest.mark.parametrize("area", [40.0, 120.0])
def test_area_of_a_hole(area: float, spacing_mm: float) -> None:
    wall, _ = wall_of(with_hole(area, 2.0, 6.0), spacing_mm)
    assert wall.defect_mm2 + wall.foramen_defect_mm2 == pytest.approx(area, rel=0.2)


@pytest.mark.parametrize(
    ("right", "up", "row", "column"),
    [
        (6, 8, "upper", "right"),
        (-6, 8, "upper", "left"),
        (0, -9, "lower", "middle"),
        (-7, 0, "middle", "left"),
    ],
)
def test_place_of_a_hole(right: float, up: float, row: str, column: str) -> None:
    wall, cells = wall_of(with_hole(30, right, up))
    (hole,) = wall.defects
    assert (hole.row, hole.column, hole.at_foramen) == (row, column, False)
    assert (hole.right_mm, hole.up_mm) == pytest.approx((right, up), abs=0.8)
    assert hole.share == pytest.approx(hole.area_mm2 / wall.wall_mm2)
    assert hole.canal_distance_mm == pytest.approx(0, abs=0.5)
    # The image shows it too: nothing but soft tissue where the cortex should be.
    assert np.nanmin(cells.peak_hu[cells.defect]) < 200 < np.nanmedian(cells.peak_hu)


def test_a_gap_at_the_foramen_is_no_defect() -> None:
    wall, _ = wall_of(with_hole(40, 0, 0))
    (gap,) = wall.defects
    assert gap.at_foramen
    assert wall.defect_mm2 == 0
    assert wall.foramen_defect_mm2 == pytest.approx(40, rel=0.2)


def test_a_large_hole_over_the_foramen_is_one() -> None:
    wall, _ = wall_of(with_hole(150, 0, 0))
    assert wall.defect_mm2 == pytest.approx(150, rel=0.2)
    assert wall.foramen_defect_mm2 == 0


def test_the_image_alone_shows_weak_wall() -> None:
    missed = Drawn(L2, hole=round_hole(60, 6, 8, 8.0))
    wall, _ = wall_of(missed)
    assert wall.defect_mm2 == 0
    assert wall.thin_mm2 == pytest.approx(60, rel=0.35)
    vein, _ = wall_of(Drawn(L2, hole=round_hole(50, 0, 0, 8.0)))
    assert vein.thin_mm2 == 0
    assert vein.foramen_gap_mm2 == pytest.approx(50, rel=0.35)


@pytest.mark.parametrize("stored", ["LPS", "SAR"])
def test_storage_of_the_scan_changes_nothing(stored: str) -> None:
    axes = Rotation.from_euler("xyz", [15, 8, -12], degrees=True).as_matrix()
    drawn = with_hole(60, 5, 7, axes)
    (one, cells), (other, turned) = wall_of(drawn), wall_of(drawn, stored=stored)
    assert other.defect_mm2 == pytest.approx(one.defect_mm2, abs=1)
    assert one.defect_mm2 == pytest.approx(60, rel=0.2)
    np.testing.assert_allclose(cells.peak_hu[cells.outline], turned.peak_hu[turned.outline], atol=1)


def test_values_of_the_map_are_plain() -> None:
    wall, cells = wall_of(with_hole(40, 6, 8))
    values = wall_map_values(cells)
    rows, columns = len(values["up_mm"]), len(values["right_mm"])
    assert rows == len(values["peak_hu"]) and all(len(row) == columns for row in values["peak_hu"])
    # From the top down, and from the patient's right to the left.
    assert values["up_mm"][0] > values["up_mm"][-1] and values["right_mm"][0] > values["right_mm"][-1]
    marked = [(i, j) for i, row in enumerate(values["defect"]) for j, v in enumerate(row) if v]
    assert len(marked) * values["cell_mm"] ** 2 == pytest.approx(wall.defect_mm2, rel=0.4)
    assert all(values["up_mm"][i] > 0 and values["right_mm"][j] > 0 for i, j in marked)
