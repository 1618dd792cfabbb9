"""Figures of foretold risks against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from vertseg.evaluation.bootstrap import Resampling
from vertseg.evaluation.leak_scores import (
    DECISIONS,
    LeakItems,
    leak_figures,
    leak_items,
    weighted_auprc,
    weighted_auroc,
    weighted_ece,
)


@pytest.fixture
def items(rng: np.random.Generator) -> LeakItems:
    """Risks with ties, right on average."""
    risk = np.round(rng.beta(1, 3, 400), 2)
    outcome = (rng.random(400) < risk).astype(np.int64)
    return LeakItems(risk, outcome, tuple(f"p{i // 4}" for i in range(400)))


def test_resampled_areas_are_scikit_learns(items: LeakItems, rng: np.random.Generator) -> None:
    weights = rng.integers(0, 3, (20, 400)).astype(float)
    curves = [roc_auc_score(items.outcome, items.risk, sample_weight=w) for w in weights]
    precisions = [average_precision_score(items.outcome, items.risk, sample_weight=w) for w in weights]
    np.testing.assert_allclose(weighted_auroc(items.risk, items.outcome, weights), curves)
    np.testing.assert_allclose(weighted_auprc(items.risk, items.outcome, weights), precisions)


def test_figures_lie_in_their_intervals(items: LeakItems) -> None:
    figures = leak_figures(items, Resampling.of(items.patients))
    assert figures["auroc"]["value"] == pytest.approx(roc_auc_score(items.outcome, items.risk))
    assert figures["brier"]["value"] == pytest.approx(np.mean((items.risk - items.outcome) ** 2))
    for name in ("prevalence", "auroc", "auprc", "brier", "ece"):
        assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"]
    assert sum(b["n"] for b in figures["reliability"]) == 400


def test_calibration_error_by_hand() -> None:
    # Ten risks of 0.25 with 5 leaks, ten of 0.75 with 7: half the items are 0.25 off, half 0.05.
    risk = np.repeat([0.25, 0.75], 10)
    outcome = np.r_[np.ones(5), np.zeros(5), np.ones(7), np.zeros(3)]
    assert weighted_ece(risk, outcome, np.ones((1, 20)))[0] == pytest.approx(0.15)


def test_net_benefit_by_hand() -> None:
    risk, outcome = np.array([0.9, 0.9, 0.9, 0.1]), np.array([1, 1, 0, 0])
    items = LeakItems(risk, outcome, ("a", "b", "c", "d"))
    curve = leak_figures(items, Resampling.of(items.patients))["decision_curve"]
    half = DECISIONS.index(0.5)
    assert curve["model"][half] == pytest.approx((2 - 1 * 0.5 / 0.5) / 4)
    assert curve["all"][half] == pytest.approx(0.5 - 0.5)
    tenth = DECISIONS.index(0.1)
    assert curve["model"][tenth] == curve["all"][tenth] == pytest.approx((2 - 2 / 9) / 4)


def test_what_is_not_known_is_left_out() -> None:
    risk = {"B": 0.2, "any": 0.3}
    rows = [
        ("a", {"risk": risk, "outcome": {"B": 1, "any": 1}}),
        ("b", {"risk": risk, "outcome": {"B": None, "any": 1}}),
        ("c", {"risk": None, "outcome": {"B": 0, "any": 0}}),
    ]
    assert leak_items(rows, "B").patients == ("a",) and leak_items(rows, "any").patients == ("a", "b")
    figures = leak_figures(leak_items(rows, "any"), Resampling.of(["a", "b", "c"]))
    assert figures["auroc"]["value"] is None and figures["prevalence"]["value"] == 1


def test_no_outcome_at_all_has_no_figures() -> None:
    figures = leak_figures(leak_items([], "B"), Resampling.of(["a"]))
    assert figures["auroc"]["value"] is figures["brier"]["value"] is figures["ece"]["value"] is None
    assert figures["reliability"] == [] and figures["decision_curve"]["threshold"] == []
