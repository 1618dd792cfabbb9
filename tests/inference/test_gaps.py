"""Vertebrae that the locate network missed."""

import numpy as np
import pytest

from tests.inference.drawn import LUMBAR, draw_spine, perfect
from tests.inference.oracle import Oracle, dice, hu_of
from vertseg import predict
from vertseg.inference.located import Located
from vertseg.inference.postprocess import read_column
from vertseg.labels import LocateClass, level_number

NAMES = "T12 L1 L2 L3"


def without(located: Located, missed: np.ndarray) -> Located:
    located.tissue[:, missed] = 0
    located.tissue[LocateClass.BACKGROUND, missed] = 1
    return located


@pytest.mark.parametrize("gone", [["L2"], ["L1", "L2"]])
def test_room_in_the_column_is_looked_at_under_the_right_name(gone: list[str]) -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    numbers = [level_number(n) for n in gone]
    column = read_column(without(perfect(spine), np.isin(spine.level, numbers)))
    assert [v.name for v in column.vertebrae] == LUMBAR.split()
    assert [v.name for v in column.vertebrae if v.inferred] == gone
    for v in column.vertebrae:
        assert np.linalg.norm(v.centroid_mm - spine.centres_mm[v.level]) < 5
        assert not v.inferred or v.confidence < 0.5


def test_a_level_that_is_absent_by_nature_leaves_no_room() -> None:
    spine = draw_spine("T9 T10 T11 L1 L2 L3 L4 L5", sacrum=True)
    column = read_column(perfect(spine))
    assert [v.level for v in column.vertebrae] == list(spine.centres_mm)
    assert not any(v.inferred for v in column.vertebrae)


class _Forgetful(Oracle):
    """Misses the second vertebra in locate, and sees it in examine."""

    def locate(self, image: np.ndarray) -> dict[str, np.ndarray]:
        out = super().locate(image)
        missed = out["level"][0, level_number("L1")] > 0.5
        out["tissue"][0][:, missed] = 0
        out["tissue"][0][LocateClass.BACKGROUND, missed] = 1
        return out


def test_what_examine_finds_in_the_room_is_reported() -> None:
    spine = draw_spine(NAMES, sacrum=True)
    found = predict(hu_of(spine), engine=_Forgetful(NAMES.split()))
    assert [v.name for v in found.vertebrae] == NAMES.split()
    assert [v.name for v in found.vertebrae if v.inferred] == ["L1"]
    # The oracle looks no farther than the marker, which is a ball in the body here.
    l1 = level_number("L1")
    body = (spine.level == l1) & (spine.tissue == LocateClass.BODY)
    assert dice(found.levels.array == l1, body) > 0.5


def test_room_in_which_examine_finds_nothing_is_a_warning() -> None:
    spine = draw_spine(NAMES, sacrum=True)
    scan = hu_of(spine)
    scan.array[spine.level == level_number("L1")] = 40.0
    engine = Oracle(["T12", "L2", "L3"])
    found = predict(scan, engine=engine)
    assert [v.name for v in found.vertebrae] == ["T12", "L2", "L3"]
    assert engine.examined == 4
    assert any("room for L1" in w for w in found.warnings)
