"""Kinds of faults of a column, each made on purpose."""

import numpy as np
import pytest

from tests.inference.drawn import LUMBAR, DrawnSpine, draw_spine, perfect
from vertseg.evaluation.columns import ColumnCheck, check_column, has_anchor
from vertseg.inference.findings import Vertebra
from vertseg.inference.postprocess import Column, read_column
from vertseg.labels import level_number
from vertseg.volume import Volume

NAMES = tuple(LUMBAR.split())


@pytest.fixture(scope="module")
def spine() -> DrawnSpine:
    return draw_spine(LUMBAR)


@pytest.fixture(scope="module")
def found(spine: DrawnSpine) -> Column:
    return read_column(perfect(spine))


def check(vertebrae: list[Vertebra], spine: DrawnSpine) -> ColumnCheck:
    return check_column(Column(tuple(vertebrae), None), spine.level, spine.grid, list(spine.centres_mm))


def changed(v: Vertebra, **values: object) -> Vertebra:
    return Vertebra(**{**vars(v), **values})


def test_a_perfect_column_has_no_faults(spine: DrawnSpine, found: Column) -> None:
    result = check(list(found.vertebrae), spine)
    assert result.right and result.cause == "" and result.wanted == NAMES
    assert (result.missed, result.merged, result.split, result.invented, result.misnamed) == (
        (),
        (),
        (),
        (),
        {},
    )


def test_a_shifted_column_is_a_wrong_decision(spine: DrawnSpine, found: Column) -> None:
    shifted = [changed(v, level=v.level + 1) for v in found.vertebrae]
    result = check(shifted, spine)
    assert result.cause == "decision"
    assert result.misnamed == {n: v.name for n, v in zip(NAMES, shifted, strict=True)}


def test_missed_merged_split_and_invented_are_told_apart(spine: DrawnSpine, found: Column) -> None:
    vertebrae = list(found.vertebrae)
    assert check(vertebrae[:2] + vertebrae[3:], spine).missed == (NAMES[2],)
    both = np.isin(spine.level, [vertebrae[1].level, vertebrae[2].level])
    wide = changed(vertebrae[1], marker=Volume(both, spine.grid.affine))
    merged = check([vertebrae[0], wide, *vertebrae[3:]], spine)
    assert (
        merged.merged == (f"{NAMES[1]}+{NAMES[2]}",) and merged.missed == () and merged.cause == "instances"
    )
    marker = vertebrae[3].marker
    half = marker.array.copy()
    half[: half.shape[0] // 2] = False
    pieces = [changed(vertebrae[3], marker=marker.with_array(part)) for part in (half, marker.array & ~half)]
    assert check([*vertebrae[:3], *pieces, *vertebrae[4:]], spine).split == (NAMES[3],)
    nowhere = np.zeros(spine.level.shape, bool)
    nowhere[:3, :3, :3] = True
    invented = check([*vertebrae, changed(vertebrae[0], marker=Volume(nowhere, spine.grid.affine))], spine)
    assert invented.invented == (NAMES[0],) and invented.right and invented.cause == "instances"


def test_anchors_are_sacrum_first_rib_and_the_passage_to_the_lumbar_spine() -> None:
    numbers = lambda names: [level_number(n) for n in names.split()]  # noqa: E731
    none = np.zeros((4, 4, 4), np.uint8)
    assert has_anchor(none, numbers("T11 T12 L1"), 1.0)
    assert has_anchor(none, numbers("C7 T1"), 1.0)
    assert not has_anchor(none, numbers("T4 T5 T6"), 1.0)
    assert not has_anchor(none, numbers("L1 L2 L3"), 1.0)
    sacrum = np.full((4, 4, 4), level_number("sacrum"), np.uint8)
    assert has_anchor(sacrum, numbers("L3 L4 L5"), 1.0)
    assert not has_anchor(sacrum, numbers("L3 L4 L5"), 0.1)
