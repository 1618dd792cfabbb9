"""What decides a level beside the network's own opinion: ribs, sacrum, the patient's size, the look of rare levels."""

import numpy as np
import pytest

from tests.inference.drawn import LUMBAR, DrawnSpine, draw_spine, perfect
from vertseg.inference.column import chain, label
from vertseg.inference.evidence import log_emission, ribs_ml
from vertseg.inference.instances import find_instances
from vertseg.inference.located import Located
from vertseg.inference.postprocess import read_column
from vertseg.labels import COLUMN_ORDER, N_LEVELS, THORACIC, LocateClass, level_number

STATES = [n for n in COLUMN_ORDER if n != level_number("coccyx")]


def add_ribs(located: Located, spine: DrawnSpine, levels: tuple[int, ...] = THORACIC) -> None:
    """A bar of other bone from each side of a body outward."""
    points = spine.grid.world(np.moveaxis(np.indices(spine.grid.shape), 0, -1))
    for level in levels:
        if level not in spine.centres_mm:
            continue
        x, y, z = np.moveaxis(points - spine.centres_mm[level], -1, 0)
        bar = (np.abs(x) < 70) & (np.abs(x) > 12) & (np.abs(y + 12) < 6) & (np.abs(z) < 6)
        bar &= spine.tissue == LocateClass.BACKGROUND
        located.tissue[:, bar] = 0
        located.tissue[LocateClass.OTHER_BONE, bar] = 1


def torn(spine: DrawnSpine) -> Located:
    """Outputs whose levels are the true one and the one above, half and half, so that all may be one too high."""
    located = perfect(spine)
    order = [n for n in COLUMN_ORDER if n not in (level_number("T13"), level_number("L6"))]
    for level in spine.centres_mm:
        here = spine.level == level
        located.level[:, here] = 0
        located.level[level, here] = 0.45
        located.level[order[order.index(level) - 1], here] = 0.55
    return located


def test_ribs_are_seen_at_thoracic_vertebrae_only() -> None:
    spine = draw_spine(LUMBAR)
    located = perfect(spine)
    add_ribs(located, spine)
    column = chain(find_instances(located), None)
    ribs = ribs_ml(column, located)
    assert (ribs[:2] > 1).all()
    assert (ribs[2:] == 0).all()


def test_ribs_that_may_lie_outside_of_the_scan_say_nothing() -> None:
    located = perfect(draw_spine(LUMBAR, lesser_field_mm=50.0))
    column = chain(find_instances(located), None)
    assert column[0].cut
    ribs = ribs_ml(column, located)
    assert np.isnan(ribs[0]) and (ribs[1:] == 0).all()
    states = [level_number(n) for n in ("T11", "L3")]
    assert np.ptp(log_emission(column[1], float("nan"), states) - log_emission(column[1], 0.0, states)) > 1


@pytest.mark.parametrize(("lowest_rib", "named"), [("T12", LUMBAR), ("L1", "T10 T11 T12 L1 L2 L3 L4")])
def test_the_last_ribs_settle_a_column_that_the_network_leaves_open(lowest_rib: str, named: str) -> None:
    spine = draw_spine(LUMBAR)
    located = torn(spine)
    add_ribs(located, spine, tuple(range(THORACIC[0], level_number(lowest_rib) + 1)))
    column = read_column(located)
    assert [v.name for v in column.vertebrae] == named.split()
    assert min(v.confidence for v in column.vertebrae) > 0.6


@pytest.mark.parametrize("names", ["T10 T11 T12 T13 L1 L2 L3 L4 L5", "T9 T10 T11 L1 L2 L3 L4 L5"])
def test_ribs_and_sacrum_together_tell_a_thirteenth_or_a_missing_twelfth(names: str) -> None:
    spine = draw_spine(names, sacrum=True)
    located = perfect(spine)
    # The network calls the vertebra above the first lumbar one what it always was: T12.
    levels = list(spine.centres_mm)
    last = levels[levels.index(level_number("L1")) - 1]
    here = spine.level == last
    located.level[:, here] = 0
    located.level[level_number("T12"), here] = 0.5
    located.level[last if last != level_number("T13") else level_number("L1"), here] += 0.5
    add_ribs(located, spine, (*THORACIC, level_number("T13")))
    assert [v.level for v in read_column(located).vertebrae] == levels


def test_an_l6_that_looks_like_an_l5_is_not_taken_for_sacrum() -> None:
    spine = draw_spine(f"{LUMBAR} L6", sacrum=True)
    located = perfect(spine)
    l5, l6 = level_number("L5"), level_number("L6")
    here = spine.level == l6
    located.level[:, here] = 0
    located.level[l5, here] = 0.9
    located.level[level_number("sacrum"), here] = 0.05
    located.level[l6, here] = 0.05
    assert [v.level for v in read_column(located).vertebrae] == list(spine.centres_mm)


def test_an_atlas_without_a_body_is_kept() -> None:
    spine = draw_spine("C1 C2 C3 C4 C5")
    located = perfect(spine)
    atlas = spine.level == level_number("C1")
    body = atlas & (spine.tissue == LocateClass.BODY)
    voxels = np.argwhere(body)
    gone = tuple(voxels[8:].T)
    located.tissue[:, *gone] = 0
    located.tissue[LocateClass.BACKGROUND][gone] = 1
    assert (located.vertebra[atlas] > 0.5).sum() * 0.027 > 3
    assert [v.name for v in read_column(located).vertebrae] == ["C1", "C2", "C3", "C4", "C5"]


def test_a_vertebra_of_the_neck_that_looks_lumbar_is_not_too_small_to_be_one() -> None:
    names = ["C2", "C3", "C4", "C5", "C6", "C7"]
    spine = draw_spine(" ".join(names))
    located = perfect(spine)
    here = spine.level == level_number("C4")
    body = here & (spine.tissue == LocateClass.BODY)
    gone = tuple(np.argwhere(body)[120:].T)
    located.tissue[:, *gone] = 0
    located.tissue[LocateClass.BACKGROUND][gone] = 1
    located.level[:, here] = 0
    located.level[level_number("L1"), here] = 1
    found = [v for v in read_column(located).vertebrae if not v.inferred]
    assert [v.name for v in found] == names


def test_levels_of_a_large_patient_are_not_taken_for_gaps() -> None:
    spine = draw_spine(LUMBAR)
    located = perfect(spine)
    column = chain(find_instances(located), None)
    scale = 1.5
    grown = [type(c)(**{**vars(c), "centre_mm": scale * c.centre_mm}) for c in column]
    flat = np.zeros(N_LEVELS)
    flat[list(spine.centres_mm)] = 1 / len(spine.centres_mm)
    vague = [type(c)(**{**vars(c), "level": 0.5 * c.level + 0.5 * flat}) for c in grown]
    assert label(vague, None, np.full(len(vague), np.nan)).levels == list(spine.centres_mm)
