"""Canals that are known by number, with bone driven into them."""

import numpy as np
import pytest

from tests.planning.drawn_spine import CANAL_DEPTH_MM, CANAL_HALF_MM, HEIGHT_MM, Drawn, column, stood
from vertseg.labels import level_number
from vertseg.planning.canal import Canal, CanalNarrowing
from vertseg.planning.vertebra_measures import measure_vertebrae

T12, L1, L2 = (level_number(n) for n in ("T12", "L1", "L2"))


def narrowing(spine: list[Drawn], spacing_mm: float = 1.0, stored: str = "RAS") -> CanalNarrowing:
    found = {m.level: m for m in measure_vertebrae(stood(spine, spacing_mm, stored))}
    return found[L1].canal


def with_fragment(length_mm: float) -> list[Drawn]:
    spine = column(T12, L1, L2)
    spine[1] = Drawn(L1, spine[1].centre_mm, fragment_mm=length_mm)
    return spine


def test_an_open_canal() -> None:
    found = narrowing(column(T12, L1, L2))
    assert found.depth_mm == pytest.approx(CANAL_DEPTH_MM, abs=0.7)
    assert found.area_mm2 == pytest.approx(2 * CANAL_HALF_MM * CANAL_DEPTH_MM, rel=0.08)
    assert found.narrowing_percent == pytest.approx(0, abs=2)
    assert found.retropulsion_mm == pytest.approx(0, abs=0.5)
    assert found.retropulsion_ml == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("length_mm", [4.0, 8.0])
@pytest.mark.parametrize("stored", ["RAS", "LPI"])
def test_a_fragment(length_mm: float, stored: str) -> None:
    found = narrowing(with_fragment(length_mm), stored=stored)
    assert found.retropulsion_mm == pytest.approx(length_mm, abs=0.8)
    assert found.retropulsion_ml == pytest.approx(12 * HEIGHT_MM / 2 * length_mm / 1000, rel=0.2)
    taken = 12 * length_mm / (2 * CANAL_HALF_MM * CANAL_DEPTH_MM)
    assert found.narrowing_percent == pytest.approx(100 * taken, abs=4)
    assert found.depth_narrowing_percent == pytest.approx(100 * length_mm / CANAL_DEPTH_MM, abs=5)


def test_a_column_that_bends_drives_no_bone_back() -> None:
    from scipy.spatial.transform import Rotation

    bent = []
    for level, angle in ((T12, 14.0), (L1, 0.0), (L2, -14.0)):
        turn = Rotation.from_euler("x", angle, degrees=True).as_matrix()
        # An arc of radius 150 mm about a point behind the column: lordosis.
        bent.append(Drawn(level, tuple(turn @ np.array([0.0, 150.0, 0.0]) - (0.0, 150.0, 0.0)), turn))
    found = narrowing(bent)
    assert found.retropulsion_mm == pytest.approx(0, abs=1.0)


def test_without_neighbours_only_the_canal_itself() -> None:
    found = narrowing([Drawn(L1)])
    assert found.depth_mm == pytest.approx(CANAL_DEPTH_MM, abs=0.7)
    assert found.narrowing_percent is None and found.retropulsion_mm is None


def test_depth_is_that_of_slices_whose_midline_is_seen() -> None:
    front = np.zeros((40, 12))
    midline = np.abs(np.arange(40) - 19.5) < 3
    front[midline, 4] = np.nan
    back = np.where(np.isfinite(front), -15.0, np.nan)
    assert Canal(front, back, midline, 1.0).least_depth_mm() == pytest.approx(15.0)
    front[midline] = np.nan
    assert Canal(front, back, midline, 1.0).least_depth_mm() is None
