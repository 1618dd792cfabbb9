"""Figures, strata and goals of made-up scores."""

from typing import Any

import numpy as np
import pytest

from vertseg.evaluation.bootstrap import Resampling
from vertseg.evaluation.figures import figures, spacing_class, strata
from vertseg.evaluation.froc import read_curve
from vertseg.evaluation.goals import goal_rows
from vertseg.evaluation.objects import THRESHOLDS


def overlap(dice: float, truth_ml: float = 10.0) -> dict[str, Any]:
    return {"dice": dice, "nsd": dice, "hd95_mm": 1.0, "truth_ml": truth_ml, "predicted_ml": 9.0}


def vertebra(level: str, region: str, named: str | None, loss: float = 0.0) -> dict[str, Any]:
    return {
        "level": level, "region": region, "named": named, "identified": named == level, "error_mm": 2.0,
        "confidence": 0.9, **overlap(0.9), "height_loss": loss, "lytic_lesion": None, "leak": None,
    }  # fmt: skip


def scan(
    patient: str, *, dice: float = 0.9, spacing: float = 1.0, lesion_ml: float = 0.0, **other: Any
) -> Any:
    """A scan's scores as `score` gives them."""
    return {
        "name": patient, "patient": patient, "set": "a", "spacing_mm": [1.0, 1.0, spacing], "region": "lumbar",
        "anchored": True, "counted": 2, "levels_right": 2, "every_level_right": True, "invented": [],
        "structures": {"vertebra": overlap(dice), "lytic_lesion": overlap(0.5, lesion_ml)},
        "operating": {"lytic_lesion": 0.7}, "objects": {"lytic_lesion": objects([], [0] * 19)},
        "vertebrae": [vertebra("L1", "lumbar", "L1"), vertebra("T12", "thoracic", "T11")],
        "leaks_unscored": 0, "seconds": {}, "warnings": [], **other,
    }  # fmt: skip


def objects(found_at: list[float], false: list[int], size: float = 1.5) -> dict[str, Any]:
    truths = [{"size": size, "level": 20, "found_at": t, "predicted_size": 1.2 * size} for t in found_at]
    return {"truths": truths, "false": false}


def of(scores: list[Any]) -> dict[str, Any]:
    return figures(scores, Resampling.of([s["patient"] for s in scores], resamples=200))


def test_means_are_over_scans_and_findings_only_where_there_are_any() -> None:
    found = of([scan("a", dice=0.8), scan("b", dice=1.0, lesion_ml=2.0), scan("c", dice=0.9, lesion_ml=0.05)])
    assert found["structures"]["vertebra"]["dice"]["value"] == pytest.approx(0.9)
    assert found["structures"]["lytic_lesion"]["dice"]["n"] == 1
    assert found["structures"]["lytic_lesion"]["false_ml"] == {
        "value": 9.0, "low": None, "high": None, "n": 1, "patients": 1,
    }  # fmt: skip
    assert found["naming"]["right"]["value"] == 0.5 and found["levels"]["T12"]["right"]["value"] == 0
    assert found["scans"] == found["patients"] == 3 and found["vertebrae"] == 6


def test_levels_all_right_over_anchored_scans_alone() -> None:
    scores = [
        scan("a"),
        scan("b", every_level_right=False),
        scan("c", every_level_right=False, anchored=False),
    ]
    naming = of(scores)["naming"]
    assert naming["every_level_right"]["value"] == pytest.approx(1 / 3)
    assert naming["every_level_right_anchored"]["value"] == pytest.approx(1 / 2)


def test_the_froc_curve_of_made_up_objects() -> None:
    # Three lesions found up to 0.9, 0.5 and never; a false one in one of two scans below 0.75, two below 0.3.
    false = [2 if t < 0.3 else 1 if t < 0.75 else 0 for t in THRESHOLDS]
    first = scan("a", objects={"lytic_lesion": objects([0.9, 0.5], false)})
    second = scan("b", objects={"lytic_lesion": objects([0.0], [0] * 19)})
    found = of([first, second])["objects"]["lytic_lesion"]["sizes"]["0.2"]
    assert found["truths"] == 3 and found["scans"] == 2
    assert found["sensitivity"]["value"] == pytest.approx(1 / 3)
    assert found["false_per_scan"]["value"] == pytest.approx(0.5)
    assert found["froc"]["at"]["0.25"]["value"] == pytest.approx(1 / 3)
    assert found["froc"]["at"]["0.5"]["value"] == pytest.approx(2 / 3)
    # Both draws of the first scan leave half of its two lesions at 0.5 false a scan, and all at 1.
    assert found["froc"]["at"]["0.5"]["low"] == 0
    assert found["froc"]["at"]["0.5"]["high"] == pytest.approx(2 / 3)
    assert found["froc"]["at"]["1"]["high"] == 1
    assert found["size_error"]["value"] == pytest.approx(0.3)
    assert found["size_error_share"]["value"] == pytest.approx(0.2)
    larger = of([scan("a", objects={"lytic_lesion": objects([0.9], [1] * 19, size=0.5)})])
    assert [larger["objects"]["lytic_lesion"]["sizes"][s]["truths"] for s in ("0.2", "1")] == [1, 0]


def test_a_curve_is_read_at_most_so_many_false_ones() -> None:
    sensitivity, false = np.array([[0.9, 0.8, 0.3]]), np.array([[3.0, 1.0, 0.5]])
    assert [read_curve(sensitivity, false, limit)[0] for limit in (0.4, 0.5, 1.0, 5.0)] == [
        0.0,
        0.3,
        0.8,
        0.9,
    ]


def test_strata_split_scans_and_a_region_takes_its_own_vertebrae() -> None:
    scores = [
        scan("a", spacing=1.0),
        scan("b", spacing=3.0, lesion_ml=1.0, set="b"),
        scan("c", spacing=5.0, vertebrae=[vertebra("L1", "lumbar", "L1", loss=0.4)]),
    ]
    found = strata(scores, Resampling.of(["a", "b", "c"], resamples=50))
    assert list(found["spacing"]) == ["<= 1.5 mm", "1.5-3 mm", "> 3 mm"]
    assert {n: p["scans"] for n, p in found["spacing"].items()} == {
        "<= 1.5 mm": 1,
        "1.5-3 mm": 1,
        "> 3 mm": 1,
    }
    assert {n: p["scans"] for n, p in found["lesion"].items()} == {"with lesion": 1, "without lesion": 2}
    assert {n: p["scans"] for n, p in found["fracture"].items()} == {
        "with fracture": 1,
        "without fracture": 2,
    }
    assert {n: p["scans"] for n, p in found["set"].items()} == {"a": 2, "b": 1}
    assert {n: p["vertebrae"] for n, p in found["region"].items()} == {"thoracic": 2, "lumbar": 3}
    assert found["region"]["thoracic"]["structures"] == {} and found["region"]["thoracic"]["scans"] == 2
    assert found["region"]["lumbar"]["structures"]["vertebra"]["dice"]["n"] == 3


def test_spacing_classes_take_the_coarsest_axis() -> None:
    assert [spacing_class((0.5, 0.5, s)) for s in (1.5, 1.6, 3.0, 3.1)] == [
        "<= 1.5 mm", "1.5-3 mm", "1.5-3 mm", "> 3 mm",
    ]  # fmt: skip


def test_goals_are_met_by_the_figure_and_surely_by_the_whole_interval() -> None:
    overall = of([scan("a", dice=0.94), scan("b", dice=0.99), scan("c", dice=0.99)])
    rows = {row["title"]: row for row in goal_rows(overall, {"B": 0.8})}
    vertebrae = rows["Dice of vertebrae"]
    assert vertebrae["met"] is True and vertebrae["surely"] is False and vertebrae["target"] == 0.95
    assert rows["Dice of bodies"]["met"] is None and rows["Dice of bodies"]["n"] == 0
    assert rows["AUROC of leak risk, B: its ceiling less 0.03"]["target"] == pytest.approx(0.77)
    assert rows["AUROC of leak risk, S: its ceiling less 0.03"]["target"] is None
    false = rows["False lytic lesions a scan, as shipped"]
    assert false["sense"] == "<=" and false["met"] is True
