"""Scores of predictions of a phantom whose faults are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.inference.oracle import Oracle
from vertseg.evaluation.bootstrap import Resampling
from vertseg.evaluation.figures import figures
from vertseg.evaluation.phantom import TARGETS, headline
from vertseg.evaluation.score import score
from vertseg.evaluation.truth import Truth, truth_of_phantom
from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.labels import VERTEBRA_LEVELS, LocateClass, Tissue
from vertseg.phantom import PhantomScan, ScanConfig, render_scan
from vertseg.planning.measures import Measures
from vertseg.volume import Volume

THRESHOLDS = (0.7, 0.4, 0.8, 0.8)
MEASURES = Measures(50.0, 30.0, 20.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, None, None)


@pytest.fixture(scope="module")
def scan() -> PhantomScan:
    return render_scan(7, ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0), case="demo"))


@pytest.fixture(scope="module")
def truth(scan: PhantomScan) -> Truth:
    return truth_of_phantom(scan)


@pytest.fixture(scope="module")
def perfect(scan: PhantomScan) -> Findings:
    """The truth as a prediction."""
    tissue = np.where(scan.tissue.array == LocateClass.BODY, int(Tissue.BODY), 0)
    tissue[scan.tissue.array == LocateClass.POSTERIOR] = Tissue.POSTERIOR
    vertebrae = tuple(
        VertebraFindings(v.level, 0.9, tuple(v.centroid_mm), v.axes, False, MEASURES, {}) for v in scan.vertebrae
    )  # fmt: skip
    return Findings(
        levels=scan.level,
        tissue=Volume(tissue.astype(np.uint8), scan.level.affine),
        masks=scan.findings,
        vertebrae=vertebrae,
        seconds={"locate": 2.0, "examine": 1.0},
        provenance=Provenance("scan", "0" * 64, {}, Oracle([]).checkpoints, {}, "cpu", "oracle"),
    )


def overall(scores: dict[str, Any]) -> dict[str, Any]:
    named = {**scores, "name": "a", "patient": "a", "set": "drawn"}
    return figures([named], Resampling.of(["a"], resamples=10))


def test_the_truth_scores_full_marks(truth: Truth, perfect: Findings) -> None:
    found = score(truth, perfect, THRESHOLDS)
    for name in ("vertebra", "body", "posterior", "sacrum", "lytic_lesion", "posterior_wall_defect"):
        assert found["structures"][name]["dice"] == 1 and found["structures"][name]["hd95_mm"] == 0
    assert found["every_level_right"] and found["anchored"] and found["invented"] == []
    assert all(v["identified"] and v["dice"] == v["nsd"] == 1 for v in found["vertebrae"])
    assert found["region"] == "lumbar" and found["levels_right"] == found["counted"] >= 5
    told = headline(overall(found))
    assert all(told["met"].values()) and set(told["met"]) == set(TARGETS) <= set(told["means"])
    assert told["scans"] == 1


def test_a_prediction_stored_in_another_order_scores_the_same(truth: Truth, perfect: Findings) -> None:
    stored = replace(
        perfect,
        levels=perfect.levels.oriented("ASL"),
        tissue=perfect.tissue.oriented("ASL"),
        masks={name: volume.oriented("ASL") for name, volume in perfect.masks.items()},
    )
    assert score(truth, stored, THRESHOLDS) == score(truth, perfect, THRESHOLDS)


def test_names_shifted_by_one_are_all_wrong_but_the_bone_is_right(truth: Truth, perfect: Findings) -> None:
    levels = truth.level.array.copy()
    is_vertebra = np.isin(levels, VERTEBRA_LEVELS)
    levels[is_vertebra] -= 1
    shifted = tuple(replace(v, level=v.level - 1) for v in perfect.vertebrae)
    found = score(
        truth, replace(perfect, levels=Volume(levels, truth.level.affine), vertebrae=shifted), THRESHOLDS
    )
    assert found["structures"]["vertebra"]["dice"] == found["structures"]["body"]["dice"] == 1
    assert found["levels_right"] == 0 and not found["every_level_right"]
    assert all(
        v["dice"] == 0 and not v["identified"] and v["named"] != v["level"] for v in found["vertebrae"]
    )


def test_nothing_found_scores_nothing(truth: Truth, perfect: Findings) -> None:
    nothing = Volume(np.zeros_like(truth.level.array), truth.level.affine)
    empty = replace(
        perfect, levels=nothing, tissue=nothing, masks=dict.fromkeys(truth.findings, nothing), vertebrae=()
    )
    found = score(truth, empty, THRESHOLDS)
    assert found["structures"]["vertebra"]["dice"] == 0 and found["levels_right"] == 0
    told = headline(overall(found))
    assert told["means"]["lesions_found"] == told["means"]["defects_found"] == 0
    assert told["met"]["vertebra_dice"] is told["met"]["defects_found"] is False
    assert told["met"]["false_defects_per_scan"] is True


def test_what_is_not_annotated_is_not_scored(truth: Truth, perfect: Findings) -> None:
    partial = Truth(truth.level, None, {}, frozenset({"level"}))
    found = score(partial, perfect, THRESHOLDS)
    assert set(found["structures"]) == {"vertebra"} and found["objects"] == {}
    assert all(v["height_loss"] is None and v["lytic_lesion"] is None for v in found["vertebrae"])
    assert overall(found)["structures"]["vertebra"]["dice"]["value"] == 1
