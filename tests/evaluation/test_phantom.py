"""Scores of predictions of a phantom whose faults are known."""

from dataclasses import replace

import numpy as np
import pytest

from tests.inference.oracle import Oracle
from vertseg.evaluation.phantom import TARGETS, score, summary
from vertseg.inference.findings import Findings, Provenance
from vertseg.labels import VERTEBRA_LEVELS, LocateClass, Tissue
from vertseg.phantom import PhantomScan, ScanConfig, render_scan
from vertseg.volume import Volume


@pytest.fixture(scope="module")
def truth() -> PhantomScan:
    return render_scan(7, ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0), case="demo"))


@pytest.fixture(scope="module")
def perfect(truth: PhantomScan) -> Findings:
    """The truth as a prediction."""
    tissue = np.where(truth.tissue.array == LocateClass.BODY, int(Tissue.BODY), 0)
    tissue[truth.tissue.array == LocateClass.POSTERIOR] = Tissue.POSTERIOR
    return Findings(
        levels=truth.level,
        tissue=Volume(tissue.astype(np.uint8), truth.level.affine),
        masks=truth.findings,
        vertebrae=(),
        seconds={"locate": 2.0, "examine": 1.0},
        provenance=Provenance("scan", "0" * 64, {}, Oracle([]).checkpoints, {}, "cpu"),
    )


def test_the_truth_scores_full_marks(truth: PhantomScan, perfect: Findings) -> None:
    found = score(truth, perfect)
    assert found.vertebra_dice == found.body_dice == found.posterior_dice == found.level_accuracy == 1
    assert found.lytic_dice == found.lytic_dice_per_vertebra == 1
    assert found.defects == found.defects_found >= 1 and found.false_defects == 0
    assert found.misnamed == {} and found.invented == () and found.seconds == 3
    whole = summary([found, found])
    assert all(whole["met"].values()) and set(whole["met"]) == set(TARGETS)
    assert whole["defects"] == 2 * found.defects


def test_names_shifted_by_one_are_all_wrong_but_the_bone_is_right(
    truth: PhantomScan, perfect: Findings
) -> None:
    levels = truth.level.array.copy()
    is_vertebra = np.isin(levels, VERTEBRA_LEVELS)
    levels[is_vertebra] -= 1
    found = score(truth, replace(perfect, levels=Volume(levels, truth.level.affine)))
    assert found.vertebra_dice == 1 and found.level_accuracy == 0 and found.level_dice == 0
    assert len(found.misnamed) == len(found.levels.split())


def test_nothing_found_scores_nothing(truth: PhantomScan, perfect: Findings) -> None:
    nothing = Volume(np.zeros_like(truth.level.array), truth.level.affine)
    empty = replace(perfect, levels=nothing, tissue=nothing, masks=dict.fromkeys(truth.findings, nothing))
    found = score(truth, empty)
    assert found.vertebra_dice == 0 and found.level_accuracy == 0 and found.defects_found == 0
    whole = summary([found])
    assert whole["met"]["vertebra_dice"] is False and whole["met"]["defects_found"] is False
    assert whole["met"]["false_defects_per_scan"] is True
