"""Angles and slips of drawn columns."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.planning.drawn_spine import HALF_DEPTH_MM, Drawn, column, stood
from vertseg.labels import T13, level_number
from vertseg.planning.alignment import Alignment, alignment, direct_neighbours, stance
from vertseg.planning.body_surfaces import body_surfaces
from vertseg.planning.posterior_wall import posterior_wall

T12, L1, L2, L3 = (level_number(n) for n in ("T12", "L1", "L2", "L3"))


def aligned(spine: list[Drawn], level: int) -> Alignment:
    found = []
    for vertebra in stood(spine):
        surfaces = body_surfaces(vertebra)
        assert surfaces is not None
        found.append(stance(vertebra, surfaces, posterior_wall(vertebra, surfaces)))
    return alignment(level, found)


def test_a_wedge_is_kyphotic() -> None:
    spine = column(T12, L1, L2)
    spine[1] = Drawn(L1, spine[1].centre_mm, anterior_mm=16)
    found = aligned(spine, L1)
    expected = 2 * np.degrees(np.arctan(5 / (2 * HALF_DEPTH_MM)))
    assert found.wedge_deg == pytest.approx(expected, abs=1)
    assert found.segment == ("T12", "L1", "L2")
    assert found.segment_kyphosis_deg == pytest.approx(0, abs=1)


@pytest.mark.parametrize("bend", [12.0, -9.0])
def test_segment_bends_as_drawn(bend: float) -> None:
    forward = Rotation.from_euler("x", -bend, degrees=True).as_matrix()
    spine = column(T12, L1, L2)
    spine[0] = Drawn(T12, spine[0].centre_mm, forward)
    assert aligned(spine, L1).segment_kyphosis_deg == pytest.approx(bend, abs=1)


@pytest.mark.parametrize("slip", [6.0, -5.0])
def test_slip_in_front_is_positive(slip: float) -> None:
    spine = column(L1, L2, L3)
    spine[0] = Drawn(L1, (0.0, slip, 0.0))
    found = aligned(spine, L2)
    assert found.slip_above_mm == pytest.approx(slip, abs=0.5)
    assert found.slip_above_percent == pytest.approx(100 * slip / (2 * HALF_DEPTH_MM), abs=2)
    assert found.slip_below_mm == pytest.approx(0, abs=0.5)
    assert aligned(spine, L1).slip_below_mm == pytest.approx(slip, abs=0.5)


def test_turning_the_patient_changes_nothing() -> None:
    turn = Rotation.from_euler("xyz", [20, -15, 30], degrees=True).as_matrix()
    upright = column(T12, L1, L2)
    upright[1] = Drawn(L1, (0.0, 5.0, -36.0), anterior_mm=18)
    turned = [Drawn(v.level, tuple(turn @ np.array(v.centre_mm)), turn, v.anterior_mm) for v in upright]
    one, other = aligned(upright, L1), aligned(turned, L1)
    assert other.wedge_deg == pytest.approx(one.wedge_deg, abs=1)
    assert other.slip_above_mm == pytest.approx(one.slip_above_mm, abs=0.7)
    assert other.segment_kyphosis_deg == pytest.approx(one.segment_kyphosis_deg, abs=1)


def test_what_is_missing_is_not_measured() -> None:
    found = aligned(column(T12, L1), L1)
    assert found.segment_kyphosis_deg is None and found.slip_below_mm is None
    assert found.slip_above_mm is not None
    assert alignment(L1, []) == Alignment()


def test_neighbours_skip_a_level_only_where_it_may_be_missing() -> None:
    assert direct_neighbours(L1, {T12, L1, L2}) == (T12, L2)
    assert direct_neighbours(L1, {T12, T13, L1, L2}) == (T13, L2)
    assert direct_neighbours(L2, {T12, L2, L3}) == (L3,)
