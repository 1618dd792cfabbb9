"""Lesions drawn in known parts of a vertebra."""

import numpy as np
import pytest

from tests.planning.drawn_spine import (
    CANAL_HALF_MM,
    HALF_DEPTH_MM,
    HALF_WIDTH_MM,
    HEIGHT_MM,
    Drawn,
    Where,
    stood,
)
from vertseg.labels import level_number
from vertseg.planning.lesion import LesionExtent, lesion_kind, lesion_side
from vertseg.planning.vertebra_measures import measure_vertebrae

L3 = level_number("L3")
HALF_HEIGHT_MM = HEIGHT_MM / 2
BODY_ML = 8 * HALF_WIDTH_MM * HALF_DEPTH_MM * HALF_HEIGHT_MM / 1000


def extent(stored: str = "RAS", **findings: Where) -> LesionExtent:
    (vertebra,) = stood([Drawn(L3, findings=findings)], stored=stored)
    return measure_vertebrae([vertebra])[0].lesion


def box(
    right: tuple[float, float] = (-99, 99),
    anterior: tuple[float, float] = (-99, 99),
    up: tuple[float, float] = (-99, 99),
) -> Where:
    def where(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        spans = zip((x, y, z), (right, anterior, up), strict=True)
        return np.logical_and.reduce([(v > low) & (v < high) for v, (low, high) in spans])

    return where


def test_half_the_body() -> None:
    found = extent(lytic_lesion=box(right=(0, 99), anterior=(-HALF_DEPTH_MM, 99)))
    assert found.lytic_share == pytest.approx(0.5, abs=0.02)
    assert found.lytic_ml == pytest.approx(BODY_ML / 2, rel=0.03)
    assert (found.kind, found.side) == ("lytic", "right")
    area = HALF_WIDTH_MM * 2 * HALF_DEPTH_MM
    assert found.upper_endplate_mm2 == pytest.approx(area, rel=0.06)
    assert found.lower_endplate_share == pytest.approx(0.5, abs=0.03)
    assert found.wall_share == pytest.approx(0.5, abs=0.12)
    assert found.wall_distance_mm == 0


@pytest.mark.parametrize("stored", ["RAS", "LPS", "PIR"])
def test_a_lesion_under_the_upper_endplate_on_the_left(stored: str) -> None:
    found = extent(stored, lytic_lesion=box((-16, -4), (2, 12), (4, 13)))
    assert found.side == "left" and found.right_share == 0
    assert found.upper_endplate_mm2 == pytest.approx(120, rel=0.2)
    assert found.lower_endplate_mm2 == 0
    assert found.wall_mm2 == 0
    assert found.wall_distance_mm == pytest.approx(HALF_DEPTH_MM + 2, abs=1)


def test_a_lesion_in_one_pedicle() -> None:
    found = extent(lytic_lesion=box((CANAL_HALF_MM, 30), (-24, -16), (-1, 11)))
    assert found.right_pedicle_share == pytest.approx(1, abs=0.15)
    assert found.left_pedicle_share == 0
    assert found.posterior_ml == pytest.approx(found.lytic_ml, rel=0.1)
    assert found.lytic_share == pytest.approx(0, abs=0.01)


def test_a_sound_vertebra() -> None:
    found = extent()
    assert (found.kind, found.side, found.lytic_ml, found.wall_mm2) == ("none", "none", 0, 0)
    assert found.right_share is None and found.wall_distance_mm is None


def test_sclerosis_counts_apart() -> None:
    found = extent(sclerotic_lesion=box(up=(3, 99)), lytic_lesion=box(up=(-99, -12)))
    assert found.sclerotic_share == pytest.approx(10 / 26, abs=0.03)
    assert found.kind == "sclerotic"


def test_kinds_and_sides() -> None:
    assert [lesion_kind(*ml) for ml in ((3, 0), (3, 1), (1, 3), (0.1, 3), (0.04, 0))] == [
        "lytic", "mixed", "mixed", "sclerotic", "none",
    ]  # fmt: skip
    assert [lesion_side(s) for s in (None, 0.0, 0.2, 0.5, 0.9)] == ["none", "left", "both", "both", "right"]
