"""What the score on a real scan charges and what it does not."""

from dataclasses import replace

import numpy as np
import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg import Volume, predict
from vertseg.errors import InputError
from vertseg.evaluation.real import reference_levels, score_real
from vertseg.inference.findings import Findings
from vertseg.labels import TOTALSEGMENTATOR_LEVELS, level_number

NAMES = "T12 L1 L2 L3"
SPINE = draw_spine(NAMES, sacrum=True)
WANTED = [level_number(n) for n in NAMES.split()]
REFERENCE = Volume(SPINE.level, SPINE.grid.affine)


@pytest.fixture(scope="module")
def findings() -> Findings:
    return predict(hu_of(SPINE), engine=Oracle(NAMES.split()))


def test_a_right_prediction_scores_well(findings: Findings) -> None:
    result = score_real(findings, REFERENCE, WANTED)
    assert result["binary_dice"] > 0.97
    assert result["levels_right"] == 4 and result["invented"] == []
    assert min(result["dice_per_level"].values()) > 0.95


def test_voxels_beside_the_reference_are_charged(findings: Findings) -> None:
    levels = findings.levels.array.copy()
    levels[:12, :20, :12] = level_number("C4")
    worse = replace(findings, levels=Volume(levels, findings.levels.affine))
    result = score_real(worse, REFERENCE, WANTED)
    assert result["precision"] < 0.9
    assert result["invented"] == ["C4"]


def test_a_vertebra_begun_at_the_edge_that_the_reference_left_out_is_not_charged(findings: Findings) -> None:
    t12 = level_number("T12")
    reference = Volume(np.where(SPINE.level == t12, 0, SPINE.level), SPINE.grid.affine)
    without_t12 = [n for n in WANTED if n != t12]
    charged = score_real(findings, reference, without_t12)
    cut = tuple(replace(v, cut_by_field=v.level == t12) for v in findings.vertebrae)
    excused = score_real(replace(findings, vertebrae=cut), reference, without_t12)
    assert charged["binary_dice"] < 0.9 and charged["invented"] == ["T12"]
    assert excused["binary_dice"] > 0.97 and excused["not_charged"] == ["T12"] and excused["invented"] == []


def test_totalsegmentator_numbers_become_levels() -> None:
    back = {level: number for number, level in TOTALSEGMENTATOR_LEVELS.items()}
    drawn = np.vectorize(lambda n: back.get(int(n), 0))(SPINE.level).astype(np.uint8)
    drawn[0, 0, 0] = 117
    levels = reference_levels(Volume(drawn, SPINE.grid.affine), REFERENCE)
    np.testing.assert_array_equal(levels.array, SPINE.level)
    with pytest.raises(InputError, match="no vertebra"):
        reference_levels(Volume(np.full(SPINE.grid.shape, 117, np.uint8), SPINE.grid.affine), REFERENCE)
