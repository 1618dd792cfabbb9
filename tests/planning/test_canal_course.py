"""The canal of plain vertebrae, whose size is drawn."""

import numpy as np
import pytest

from tests.planning.drawn_cement import APART_MM, CANAL, LAMINA, WALL, ball, draw
from vertseg.labels import level_number
from vertseg.planning.canal_course import canal_place, canal_sections
from vertseg.planning.treated_spine import treated_spine

L2 = level_number("L2")


@pytest.fixture(scope="module")
def sections():  # type: ignore[no-untyped-def]
    drawn = draw(ball((0, 2, 0), 9.0))
    spine = treated_spine(drawn.findings, drawn.scan)
    assert spine is not None
    return canal_sections(spine)


def test_section_has_the_drawn_size_and_place(sections) -> None:  # type: ignore[no-untyped-def]
    found = sections[L2]
    assert found.seen and found.wall_mm == pytest.approx(WALL, abs=1.0)
    assert found.half_width_mm == pytest.approx(CANAL, abs=1.0)
    assert 2 * found.half_depth_mm == pytest.approx(WALL - LAMINA, abs=1.5)
    assert found.centre_mm == pytest.approx([0.0, (WALL + LAMINA) / 2, 0.0], abs=1.0)


def test_points_at_and_between_arches(sections) -> None:  # type: ignore[no-untyped-def]
    y = (WALL + LAMINA) / 2
    inside = [[0, y, 0], [8, y, 0], [0, WALL - 1.5, 0], [0, y, APART_MM / 2], [-7, y, -APART_MM / 2]]
    outside = [[14, y, 0], [0, 0, 0], [0, LAMINA - 4, 0], [0, WALL + 5, APART_MM / 2], [16, y, APART_MM / 2]]
    place = canal_place(sections, np.array(inside + outside, float), 0.0)
    assert place.inside.tolist() == [True] * 5 + [False] * 5


def test_way_along_the_canal_grows_downward_by_mm(sections) -> None:  # type: ignore[no-untyped-def]
    y = (WALL + LAMINA) / 2
    points = np.array([[0, y, z] for z in (10.0, 5.0, 0.0, -10.0)])
    along = canal_place(sections, points, 0.0).along_mm
    assert np.diff(along) == pytest.approx([5.0, 5.0, 10.0], abs=0.2)


def test_no_canal_holds_nothing() -> None:
    assert not canal_place({}, np.zeros((3, 3)), 0.0).inside.any()
