import numpy as np
import pytest

from tests.data.sets.spine import Spine, affine, drawn_spine
from vertseg.data.sets.column_checks import (
    check_centres,
    check_front,
    check_gaps,
    check_order,
    check_tissue,
    column_of,
)
from vertseg.data.sets.sides import check_sides
from vertseg.frames import labelled_vertebrae
from vertseg.labels import COCCYX, SACRUM, T13, LocateClass
from vertseg.volume import Volume


def _volume(array: np.ndarray) -> Volume:
    return Volume(np.ascontiguousarray(array), affine())


def _renamed(spine: Spine, names: dict[int, int]) -> Volume:
    return _volume(np.vectorize(lambda n: names.get(n, n))(spine.level).astype(np.uint8))


def test_a_whole_column_passes_every_check() -> None:
    spine = drawn_spine((18, 19, T13, 20, 21, 22, 23, 24, SACRUM, COCCYX))
    column = column_of(_volume(spine.level))
    assert list(column.centres_mm) == [18, 19, T13, 20, 21, 22, 23, 24, SACRUM, COCCYX]
    assert column.ml[18] == pytest.approx((8 * 10 * 8 + 4 * 12 * 4) * 27 / 1000)
    assert column.problems == ()
    vertebrae = labelled_vertebrae(_volume(spine.level), _volume(spine.tissue))
    assert [*check_order(column), *check_gaps(column), *check_front(vertebrae)] == []
    assert check_tissue(_volume(spine.level), _volume(spine.tissue)) == []


def test_a_scan_on_its_head_is_told_from_numbers_that_run_the_wrong_way() -> None:
    spine = drawn_spine((19, 20, 21, 22, 23, 24))
    (on_head,) = check_order(column_of(_volume(spine.level[:, :, ::-1])))
    assert on_head.severity == "error"
    assert on_head.sentence == (
        "The levels from T12 to L5 run from foot to head: by their sizes the scan is upside down; export it again "
        "with its orientation."
    )
    (numbers,) = check_order(column_of(_renamed(spine, {19 + i: 24 - i for i in range(6)})))
    assert "by their sizes they are numbered the wrong way" in numbers.sentence


def test_two_exchanged_levels_are_named() -> None:
    (problem,) = check_order(column_of(_renamed(drawn_spine(), {20: 21, 21: 20})))
    assert problem.severity == "error"
    assert problem.sentence == "Levels are out of order: L1 lies below L2."


def test_what_the_border_leaves_of_a_process_may_hang_lower_than_the_next_vertebra() -> None:
    spine = drawn_spine()
    top = spine.level.copy()
    top[18:20, 6:8, 20:] = 18  # down to L2
    column = column_of(_volume(top))
    assert column.remnants == {18}
    assert column.centres_mm[18][2] < column.centres_mm[19][2]
    assert check_order(column) == []


def test_a_vertebra_without_a_label_is_told_from_a_number_that_was_skipped() -> None:
    spine = drawn_spine((19, 20, 21, 22, 23))
    unlabelled = column_of(_renamed(spine, {21: 0}))
    (gap,) = check_gaps(unlabelled)
    assert gap.severity == "warning"
    assert gap.sentence == (
        "L2 is not labelled between L1 and L3, which lie far enough apart for it to be there."
    )
    (skipped,) = check_gaps(column_of(_renamed(spine, {21: 22, 22: 23, 23: 24})))
    assert skipped.sentence == "L2 is not labelled between L1 and L3, which are neighbours by their distance."


@pytest.mark.parametrize("levels", [(17, 18, 20, 21), (22, 23, SACRUM), (23, 24, 25, SACRUM)])
def test_missing_t12_or_l5_and_a_sixth_lumbar_vertebra_are_legal(levels: tuple[int, ...]) -> None:
    assert check_gaps(column_of(_volume(drawn_spine(levels).level))) == []


def test_one_level_in_two_places() -> None:
    spine = drawn_spine((19, 20, 21, 22, 23, 24))
    (problem,) = column_of(_renamed(spine, {24: 19})).problems
    assert problem.severity == "error"
    assert problem.sentence.startswith("T12 is in two places 150 mm apart")
    speck = spine.level.copy()
    speck[5, 5, 4:6] = 19
    (problem,) = column_of(_volume(speck)).problems
    assert (problem.severity, problem.check) == ("warning", "two places")


def test_unknown_numbers_and_empty_maps_are_errors() -> None:
    (problem,) = column_of(_renamed(drawn_spine(), {21: 40})).problems
    assert (
        problem.sentence == "The level map holds the numbers [40], which are no levels (VerSe's are 1 to 28)."
    )
    (problem,) = column_of(_volume(np.zeros((20, 20, 20), np.uint8))).problems
    assert problem.sentence == "The level map shows no vertebra."


@pytest.mark.parametrize("parts", [True, False])
def test_front_and_back(parts: bool) -> None:
    spine = drawn_spine()
    level, tissue = _volume(spine.level[:, ::-1]), _volume(spine.tissue[:, ::-1])
    (problem,) = check_front(labelled_vertebrae(level, tissue if parts else None))
    assert problem.severity == "error"
    assert "flipped front to back" in problem.sentence


def test_a_tissue_map_must_fit_the_levels() -> None:
    spine = drawn_spine()
    level = _volume(spine.level)
    (problem,) = check_tissue(level, _volume(np.where(spine.tissue > 0, 7, 0).astype(np.uint8)))
    assert problem.sentence == "The tissue map holds the numbers [7]; known are 0 to 4."
    (problem,) = check_tissue(level, _volume(np.where(spine.tissue == 1, 4, spine.tissue).astype(np.uint8)))
    assert problem.sentence == "The tissue map shows no vertebral body."
    half = np.where(spine.level > 20, LocateClass.BACKGROUND, spine.tissue).astype(np.uint8)
    (problem,) = check_tissue(level, _volume(half))
    assert (problem.severity, problem.check) == ("warning", "tissue")


def test_centroids_far_from_their_mask() -> None:
    spine = drawn_spine()
    places = {n: 3 * middle for n, middle in spine.middles.items()}
    assert check_centres(_volume(spine.level), places) == []
    places[21] = places[21] + np.array([0.0, 30.0, 0.0])  # the foremost voxels lie 13.5 mm before the middle
    places[25] = places[23]
    far, lost = check_centres(_volume(spine.level), places)
    assert far.sentence == "The centroid of L2 lies 17 mm away from its mask."
    assert lost.sentence == "There is a centroid but no mask of L6."


def test_the_side_of_organs_gives_a_mirrored_scan_away() -> None:
    spine_mm = np.zeros((3, 3))
    organs = {
        "liver": np.array([60.0, 0, 0]),
        "spleen": np.array([-70.0, 0, 0]),
        "heart": np.array([-5.0, 0, 0]),
    }
    assert check_sides(organs, spine_mm) == []
    mirrored = {name: -place for name, place in organs.items()}
    (problem,) = check_sides(mirrored, spine_mm)
    assert "mirrored left to right: liver, spleen on the wrong side" in problem.sentence
    assert check_sides({}, spine_mm) == []
