"""Heights and grades of drawn bodies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.planning.drawn_spine import Drawn, column, stood
from vertseg.labels import VERTEBRA_LEVELS, level_number
from vertseg.planning.body_surfaces import body_surfaces
from vertseg.planning.collapse import (
    body_heights,
    collapse,
    collapse_shape,
    reference_heights,
    reference_wedge_deg,
    sound_neighbours,
)

T11, T12, L1, L2, L3 = (level_number(n) for n in ("T11", "T12", "L1", "L2", "L3"))


def heights_of(drawn: Drawn, spacing_mm: float = 1.0) -> tuple[float, float, float]:
    surfaces = body_surfaces(stood([drawn], spacing_mm)[0])
    assert surfaces is not None
    heights = body_heights(surfaces)
    assert heights is not None
    return heights


@pytest.mark.parametrize("angles", [(0, 0, 0), (8, -6, 25)])
@pytest.mark.parametrize("spacing_mm", [0.8, 1.5])
def test_heights_of_a_box(angles: tuple[int, int, int], spacing_mm: float) -> None:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    assert heights_of(Drawn(L1, axes=axes), spacing_mm) == pytest.approx((26, 26, 26), abs=0.8)


def test_heights_of_a_wedge() -> None:
    anterior, middle, posterior = heights_of(Drawn(L1, anterior_mm=14, posterior_mm=26))
    assert anterior == pytest.approx(14 + 0.12 * 12, abs=0.7)
    assert middle == pytest.approx(20, abs=0.7)
    assert posterior == pytest.approx(26 - 0.12 * 12, abs=0.7)


def test_a_frame_that_leans_does_not_change_the_heights() -> None:
    upright = Drawn(L1, anterior_mm=18)
    leaning = Drawn(L1, anterior_mm=18, axes=Rotation.from_euler("x", 7, degrees=True).as_matrix())
    vertebra = stood([upright])[0]
    frame = Drawn(L1, axes=leaning.axes).place
    from tests.planning.drawn_spine import scan_of
    from vertseg.planning.upright import stand_upright

    labels, scan = scan_of([upright])
    seen = [body_surfaces(v) for v in (vertebra, stand_upright(labels, scan, frame))]
    first, second = (body_heights(s) for s in seen if s is not None)
    assert second == pytest.approx(first, abs=0.6)


def scaled(level: int, anterior: float = 0.0, middle: float = 0.0, posterior: float = 0.0, size: float = 1.0):
    """Published heights of a level, less what is lost (percent)."""
    a, m, p = reference_heights(level)
    return size * a * (1 - anterior / 100), size * m * (1 - middle / 100), size * p * (1 - posterior / 100)


@pytest.mark.parametrize(
    ("lost", "grade"), [(0.0, 0), (19.0, 0), (21.0, 1), (26.0, 2), (39.0, 2), (41.0, 3), (90.0, 3)]
)
def test_grades_begin_where_genant_put_them(lost: float, grade: int) -> None:
    found = collapse(L1, {T12: scaled(T12), L1: scaled(L1, lost), L2: scaled(L2)})
    assert found.loss_percent == pytest.approx(lost)
    assert found.genant_grade == grade
    assert found.neighbours == ("T12", "L2")


@given(st.floats(0.8, 1.25), st.sampled_from([n for n in VERTEBRA_LEVELS[4:] if n != 28]))
def test_a_patients_size_does_not_count(size: float, level: int) -> None:
    heights = {n: scaled(n, size=size) for n in VERTEBRA_LEVELS}
    heights[level] = scaled(level, 30, 10, 5, size)
    found = collapse(level, heights)
    assert found.loss_percent == pytest.approx(30)
    assert (found.genant_grade, found.shape, found.vertebra_plana) == (2, "wedge", False)


def test_a_fractured_neighbour_is_passed_over() -> None:
    heights = {n: scaled(n) for n in (T11, T12, L1, L2, L3)} | {T12: scaled(T12, 50), L1: scaled(L1, 35)}
    assert sound_neighbours(L1, heights) == (T11, L2, L3)
    assert collapse(L1, heights).loss_percent == pytest.approx(35)


def test_shapes() -> None:
    assert collapse_shape((30, 20, 5)) == "wedge"
    assert collapse_shape((10, 30, 5)) == "biconcave"
    assert collapse_shape((40, 40, 30)) == "crush"


def test_vertebra_plana_is_flat_everywhere() -> None:
    around = {T12: scaled(T12), L2: scaled(L2)}
    assert collapse(L1, around | {L1: scaled(L1, 80, 75, 72)}).vertebra_plana is True
    assert collapse(L1, around | {L1: scaled(L1, 80, 75, 40)}).vertebra_plana is False


def test_alone_there_is_no_loss_but_the_published_one() -> None:
    found = collapse(L1, {L1: scaled(L1, 50)})
    assert found.loss_percent is None and found.genant_grade is None and found.shape is None
    assert found.loss_reference_percent == pytest.approx(50)


def test_drawn_wedge_between_sound_bodies() -> None:
    spine = column(T12, L1, L2)
    spine[1] = Drawn(L1, spine[1].centre_mm, anterior_mm=15.6)
    heights = {v.level: body_heights(s) for v in stood(spine) if (s := body_surfaces(v)) is not None}
    found = collapse(L1, {n: h for n, h in heights.items() if h is not None})
    # 40 % at the front edge is 35.2 % where it is measured, 12 % of the depth behind it; levels grow by 1 %.
    assert found.loss_anterior_percent == pytest.approx(35.2, abs=3)
    assert found.loss_posterior_percent == pytest.approx(4.8, abs=3)
    assert found.shape == "wedge"


def test_published_wedging_turns_to_lordosis() -> None:
    assert reference_wedge_deg(T12) > 1 > -5 > reference_wedge_deg(level_number("L5"))
    assert all(np.isfinite(reference_heights(n)).all() for n in VERTEBRA_LEVELS)
