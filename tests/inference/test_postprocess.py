"""The column read from drawn spines, whose levels and centres are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.inference.drawn import LUMBAR, THORACIC, WHOLE, DrawnSpine, draw_spine, imperfect, perfect
from vertseg.inference.located import Located
from vertseg.inference.postprocess import Column, read_column
from vertseg.labels import LocateClass, level_number
from vertseg.volume import Grid


def names(column: Column) -> list[str]:
    return [v.name for v in column.vertebrae]


def faults(column: Column, spine: DrawnSpine, tolerance_mm: float) -> list[str]:
    """What is wrong: levels in order, centres near, and each marker mostly of its own level are asked for."""
    if [v.level for v in column.vertebrae] != list(spine.centres_mm):
        return [f"levels {names(column)}"]
    found = []
    for v in column.vertebrae:
        off_mm = float(np.linalg.norm(v.centroid_mm - spine.centres_mm[v.level]))
        start = np.rint(spine.grid.voxel(v.marker.affine[:3, 3])).astype(int)
        box = tuple(slice(a, a + n) for a, n in zip(start, v.marker.array.shape, strict=True))
        truth = spine.level[box] == v.level
        overlap = 2 * (truth & v.marker.array).sum() / ((spine.level == v.level).sum() + v.marker.array.sum())
        if not off_mm < tolerance_mm:
            found.append(f"{v.name} is {off_mm:.1f} mm off")
        if not overlap > 0.85:
            found.append(f"the marker of {v.name} overlaps by {overlap:.2f}")
    return found


CASES = {
    "lumbar with sacrum": {"names": LUMBAR, "sacrum": True},
    "thoracic without sacrum": {"names": THORACIC},
    "whole": {"names": WHOLE, "sacrum": True},
    "L6": {"names": f"{LUMBAR} L6", "sacrum": True},
    "T13": {"names": "T10 T11 T12 T13 L1 L2 L3"},
    "missing T12": {"names": "T9 T10 T11 L1 L2 L3 L4 L5", "sacrum": True},
    "missing L5": {"names": "T11 T12 L1 L2 L3 L4", "sacrum": True},
    "collapsed": {"names": LUMBAR, "sacrum": True, "collapsed": "L2"},
    "turned": {"names": LUMBAR, "sacrum": True, "turn": Rotation.from_euler("xyz", [15, -20, 25], degrees=True).as_matrix()},
    "scoliosis-like": {"names": LUMBAR, "turn": Rotation.from_euler("y", 35, degrees=True).as_matrix()},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_perfect_outputs_give_the_drawn_column(case: str) -> None:
    spine = draw_spine(**CASES[case])
    column = read_column(perfect(spine))
    assert faults(column, spine, tolerance_mm=1.0) == []
    assert (column.sacrum is not None) == CASES[case].get("sacrum", False)
    assert all(v.confidence > 0.8 for v in column.vertebrae)


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("L6", "T13", "missing T12", "missing L5")])
def test_imperfect_outputs_give_the_drawn_column(case: str) -> None:
    rng = np.random.default_rng(11)
    spine = draw_spine(**CASES[case])
    assert faults(read_column(imperfect(spine, rng)), spine, tolerance_mm=6.0) == []


def test_axes_follow_the_column_and_point_forward() -> None:
    turn = Rotation.from_euler("xyz", [10, -15, 30], degrees=True).as_matrix()
    spine = draw_spine(LUMBAR, sacrum=True, turn=turn)
    for v in read_column(perfect(spine)).vertebrae:
        np.testing.assert_allclose(v.axes.T @ v.axes, np.eye(3), atol=1e-9)
        assert np.linalg.det(v.axes) == pytest.approx(1.0)
        off_deg = np.degrees(np.arccos(np.clip((v.axes * spine.axes[v.level]).sum(axis=0), -1, 1)))
        assert off_deg.max() < 8, (v.name, off_deg)


def test_one_vertebra_with_a_wrong_level_does_not_shift_the_others() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    wrong = spine.level == level_number("L2")
    located.level[:, wrong] = 0
    located.level[level_number("T9"), wrong] = 1
    assert faults(read_column(located), spine, 1.0) == []


def test_a_vertebra_that_was_missed_leaves_a_gap_in_the_numbers() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    missed = spine.level == level_number("L2")
    located.tissue[:, missed] = 0
    located.tissue[LocateClass.BACKGROUND, missed] = 1
    seen = [v.name for v in read_column(located).vertebrae if not v.inferred]
    assert seen == ["T11", "T12", "L1", "L3", "L4", "L5"]


def test_false_vertebrae_in_pelvis_and_ribs_are_left_out() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    low, high = spine.grid.world([0, 0, 0]), spine.grid.world(np.array(spine.grid.shape) - 1)
    for centre, level in (
        ([low[0] + 25, spine.centres_mm[level_number("L5")][1], spine.centres_mm[level_number("L5")][2] - 25], "L5"),
        ([high[0] - 20, spine.centres_mm[level_number("T12")][1], spine.centres_mm[level_number("T12")][2]], "T12"),
        ([spine.centres_mm[level_number("L5")][0], low[1] + 25, low[2] + 12], "L5"),
    ):  # fmt: skip
        _add_ball(located, np.array(centre), 13.0, level_number(level))
    assert faults(read_column(located), spine, 1.0) == []


def test_a_path_that_turns_into_the_hip_ends_at_the_kink() -> None:
    spine = draw_spine(LUMBAR)
    located = perfect(spine)
    last = spine.centres_mm[level_number("L5")]
    for step in (1, 2):
        _add_ball(located, last + step * np.array([38.0, 0.0, -24.0]), 14.0, level_number("sacrum"))
    column = read_column(located)
    assert faults(column, spine, 1.0) == []
    assert column.sacrum is None


@pytest.mark.parametrize("side", [-1, 1])
def test_a_lump_in_the_hip_beyond_a_gap_is_no_part_of_the_column(side: int) -> None:
    spine = draw_spine(LUMBAR)
    located = perfect(spine)
    # As far down as two vertebrae and as far aside: a step in which every level of a column might be skipped.
    _add_ball(
        located, spine.centres_mm[level_number("L5")] + [side * 62.0, 6.0, -75.0], 13.0, level_number("T12")
    )
    column = read_column(located)
    assert faults(column, spine, 1.0) == []
    assert column.sacrum is None


def test_a_lump_beyond_a_gap_above_takes_no_vertebra_with_it() -> None:
    spine = draw_spine("L1 L2 L3 L4 L5", grid=draw_spine(f"T10 {LUMBAR}").grid)
    located = perfect(spine)
    assert names(read_column(located)) == ["L1", "L2", "L3", "L4", "L5"]
    _add_ball(located, spine.centres_mm[level_number("L1")] + [55.0, 0.0, 70.0], 13.0, level_number("T11"))
    assert names(read_column(located)) == ["L1", "L2", "L3", "L4", "L5"]


def test_a_lone_lump_that_looks_like_every_level_is_no_vertebra() -> None:
    spine = draw_spine("L1")
    located = perfect(spine)
    assert names(read_column(located)) == ["L1"]
    located.level[:, spine.level > 0] = 0
    for name in ("L2", "C6", "C7", "L1", "T5", "T9", "sacrum"):
        located.level[level_number(name), spine.level > 0] = 1 / 7
    assert read_column(located).vertebrae == ()


def _add_ball(located: Located, centre: np.ndarray, radius_mm: float, level: int) -> None:
    points = located.grid.world(np.moveaxis(np.indices(located.grid.shape), 0, -1))
    ball = (np.linalg.norm(points - centre, axis=-1) < radius_mm) & (located.vertebra < 0.5)
    located.tissue[:, ball] = 0
    located.tissue[LocateClass.BODY, ball] = 0.9
    located.level[:, ball] = 0
    located.level[level, ball] = 1
    located.offset_mm[:, ball] = (centre - points[ball]).T


def test_neighbours_whose_votes_merge_are_taken_apart() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    pair = [level_number("L2"), level_number("L3")]
    middle = (spine.centres_mm[pair[0]] + spine.centres_mm[pair[1]]) / 2
    at = np.argwhere(np.isin(spine.level, pair))
    located.offset_mm[(slice(None), *at.T)] = (middle - spine.grid.world(at)).T
    assert faults(read_column(located), spine, 6.0) == []


def test_votes_of_one_vertebra_that_split_are_joined() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    at = np.argwhere(spine.level == level_number("L3"))
    half = at[:, 0] > np.median(at[:, 0])
    shift = np.where(half[:, None], [9.0, 0, 0], [-9.0, 0, 0])
    located.offset_mm[(slice(None), *at.T)] += shift.T
    assert faults(read_column(located), spine, 6.0) == []


def test_sacrum_that_the_network_took_for_a_body_goes_back_to_the_sacrum() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    sacrum = spine.tissue == LocateClass.SACRUM
    top = spine.grid.world(np.argwhere(sacrum))[:, 2].max()
    points = spine.grid.world(np.moveaxis(np.indices(spine.grid.shape), 0, -1))
    s1 = sacrum & (points[..., 2] > top - 24)
    centre = points[s1].mean(axis=0)
    located.tissue[:, s1] = 0
    located.tissue[LocateClass.BODY, s1] = 0.6
    located.tissue[LocateClass.SACRUM, s1] = 0.4
    located.offset_mm[:, s1] = (centre - points[s1]).T
    column = read_column(located)
    assert names(column) == LUMBAR.split()
    assert column.sacrum is not None and column.sacrum.array[s1].mean() > 0.9


def test_a_false_sacrum_beside_the_upper_spine_takes_no_vertebra_away() -> None:
    spine = draw_spine(LUMBAR)
    located = perfect(spine)
    beside = spine.centres_mm[level_number("T12")] + np.array([55.0, 0.0, 0.0])
    points = spine.grid.world(np.moveaxis(np.indices(spine.grid.shape), 0, -1))
    ball = (np.linalg.norm(points - beside, axis=-1) < 16.0) & (located.vertebra < 0.5)
    assert ball.sum() * spine.grid.voxel_volume_mm3 > 9000
    located.tissue[:, ball] = 0
    located.tissue[LocateClass.SACRUM, ball] = 0.9
    column = read_column(located)
    assert names(column) == LUMBAR.split()
    assert column.sacrum is None


def test_a_larger_false_sacrum_high_up_does_not_hide_the_true_one() -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    located = perfect(spine)
    true = spine.tissue == LocateClass.SACRUM
    points = spine.grid.world(np.moveaxis(np.indices(spine.grid.shape), 0, -1))
    beside = np.abs(points - spine.centres_mm[level_number("T12")] - [62.0, 0.0, 0.0])
    block = (beside < [20.0, 60.0, 66.0]).all(axis=-1) & (located.vertebra < 0.5) & ~true
    assert block.sum() > true.sum()
    located.tissue[:, block] = 0
    located.tissue[LocateClass.SACRUM, block] = 0.9
    column = read_column(located)
    assert names(column) == LUMBAR.split()
    assert column.sacrum is not None
    assert np.array_equal(column.sacrum.array, true)


def test_a_vertebra_cut_by_the_field_is_kept_with_lower_confidence() -> None:
    whole = read_column(perfect(draw_spine(LUMBAR, sacrum=True)))
    spine = draw_spine(LUMBAR, sacrum=True, lesser_field_mm=50.0)
    column = read_column(perfect(spine))
    assert names(column) == LUMBAR.split()
    assert column.vertebrae[0].cut_by_field and not column.vertebrae[1].cut_by_field
    assert column.vertebrae[0].confidence < 0.75 * whole.vertebrae[0].confidence


def test_a_vertebra_of_which_only_the_arch_is_in_view_is_named() -> None:
    whole = draw_spine(LUMBAR, sacrum=True)
    t11 = level_number("T11")
    body = (whole.level == t11) & (whole.tissue == LocateClass.BODY)
    cut = int(np.argwhere(body)[:, 2].min())
    shape = (*whole.grid.shape[:2], cut)
    spine = DrawnSpine(
        Grid(shape, whole.grid.affine), whole.level[..., :cut], whole.tissue[..., :cut], whole.centres_mm
    )
    assert (spine.level == t11).sum() * 0.027 > 1.5
    column = read_column(perfect(spine))
    assert names(column) == LUMBAR.split()
    assert column.vertebrae[0].cut_by_field and column.vertebrae[0].confidence < 0.75


def test_nothing_gives_an_empty_column() -> None:
    spine = draw_spine("L1")
    located = perfect(spine)
    located.tissue[:] = 0
    located.tissue[LocateClass.BACKGROUND] = 1
    column = read_column(located)
    assert column.vertebrae == () and column.sacrum is None


def test_a_sacrum_made_of_false_vertebrae_alone_is_no_sacrum() -> None:
    spine = draw_spine("L1")
    located = perfect(spine)
    located.tissue[:] = 0
    located.tissue[LocateClass.BACKGROUND] = 1
    _add_ball(located, spine.centres_mm[level_number("L1")], 18.0, level_number("sacrum"))
    column = read_column(located)
    assert column.vertebrae == () and column.sacrum is None


def test_crumbs_give_an_empty_column() -> None:
    spine = draw_spine("L1")
    located = perfect(spine)
    located.tissue[:] = 0
    located.tissue[LocateClass.BACKGROUND] = 1
    _add_ball(located, spine.centres_mm[level_number("L1")], 7.0, level_number("L1"))
    assert read_column(located).vertebrae == ()
