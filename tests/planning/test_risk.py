"""Risk and what-ifs of one vertebra: calibrated, with an interval, monotone, and withheld where they mean nothing."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planning.boxed_vertebra import drawn_vertebra
from tests.planning.drawn_leak_head import DRAWS, RULE, drawn_model, predicted
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.options import Plan
from vertseg.labels import APPROACHES, LEAK_OUTCOMES, LEAK_ROUTES, VISCOSITIES
from vertseg.planning.risk import INTERVAL, leak_risk_of
from vertseg.planning.whatif import VOLUMES_ML, what_if

PLAN = Plan(4.0, "low", "unipedicular")
VERTEBRA = drawn_vertebra()


def _features(model: LeakModel, **columns: float) -> np.ndarray:
    features = np.zeros(model.weights["centre"].size, np.float32)
    for name, value in columns.items():
        features[int(name.removeprefix("c"))] = value
    return features


def test_a_risk_by_hand() -> None:
    """All gains softplus(-1) = 0.3133; logit of B = -1 + 0.3133 (ln 4.25 + 4 / 5) = -0.2960; C has 2 more."""
    model = drawn_model("C", 5, 1.0)
    risk = leak_risk_of(predicted(VERTEBRA, _features(model, c5=2.0)), PLAN, model)
    assert risk is not None
    gain = np.log1p(np.exp(-1.0))
    logit = -1 + gain * (np.log(4.25) + 0.8)
    p = {r: 1 / (1 + np.exp(-(logit + (2.0 if r == "C" else 0.0)))) for r in LEAK_ROUTES}
    for route in LEAK_ROUTES:
        assert risk.risks[route].probability == pytest.approx(p[route], abs=1e-6)
    assert risk.risks["any"].probability == pytest.approx(1 - np.prod([1 - v for v in p.values()]), abs=1e-6)
    assert risk.risks["any"].low is None
    assert risk.interval is None
    assert not risk.abstained


def test_an_interval_is_that_of_the_calibrations() -> None:
    """Three calibrations: with 2.5 and 97.5 % between the sorted risks; it holds the risk."""
    model = drawn_model("C", 5, 1.0, DRAWS)
    risk = leak_risk_of(predicted(VERTEBRA, _features(model, c5=2.0)), PLAN, model)
    assert risk is not None
    gain = np.log1p(np.exp(-1.0))
    logit = 1 + gain * (np.log(4.25) + 0.8)
    drawn = sorted(1 / (1 + np.exp(-(s * logit + b))) for s, b in ((0.9, -0.3), (1.1, 0.0), (1.0, 0.3)))
    c = risk.risks["C"]
    assert c.low == pytest.approx(drawn[0] + 0.05 * (drawn[1] - drawn[0]), abs=1e-6)
    assert c.high == pytest.approx(drawn[2] - 0.05 * (drawn[2] - drawn[1]), abs=1e-6)
    assert risk.interval == INTERVAL
    for one in risk.risks.values():
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.probability <= one.high


def test_a_risk_is_withheld_with_the_reason() -> None:
    model = drawn_model("C", 5, 1.0)
    # With the other columns at the mean, oddness is |x| / sqrt(D).
    far = 2.0 * np.sqrt(model.weights["centre"].size)
    odd = leak_risk_of(predicted(VERTEBRA, _features(model, c5=far)), PLAN, model)
    assert odd is not None
    assert odd.withheld == "odd"
    assert odd.oddness == pytest.approx(2.0, rel=1e-5)
    uncalibrated = LeakModel(model.weights, None, None)
    none = leak_risk_of(predicted(VERTEBRA, _features(model)), PLAN, uncalibrated)
    assert none is not None
    assert none.withheld == "not_calibrated"
    strict = LeakModel(model.weights, dataclasses.replace(RULE, least_confidence=0.999), None)
    toss = leak_risk_of(predicted(VERTEBRA, _features(model)), PLAN, strict)
    assert toss is not None
    assert toss.withheld == "toss_up"


def test_without_features_there_is_no_risk() -> None:
    model = drawn_model("C", 5, 1.0)
    assert leak_risk_of(predicted(VERTEBRA, None), PLAN, model) is None
    assert what_if(predicted(VERTEBRA, None), PLAN, model) is None


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 3.0))
def test_what_ifs_are_monotone(seed: int, scale: float) -> None:
    """Any weights: along a curve nothing falls, thicker cement raises nothing, and so for the interval's ends."""
    rng = np.random.default_rng(seed)
    drawn = drawn_model("C", 5, 1.0, DRAWS)
    weights = {name: w + scale * rng.normal(size=w.shape) for name, w in drawn.weights.items()}
    weights["width"] = np.ones_like(drawn.weights["width"])
    model = LeakModel(weights, RULE, DRAWS)
    features = rng.normal(size=drawn.weights["centre"].size).astype(np.float32)
    found = what_if(predicted(VERTEBRA, features), PLAN, model)
    assert found is not None
    assert [(c.viscosity, c.approach) for c in found.curves] == [
        (v, a) for v in VISCOSITIES for a in APPROACHES
    ]
    for name in LEAK_OUTCOMES:
        for ends in ("risk", "low", "high"):
            curves = np.array([getattr(curve, ends)[name] for curve in found.curves])
            assert curves.shape == (6, len(VOLUMES_ML))
            assert (np.diff(curves, axis=1) >= -1e-9).all()
            assert (np.diff(curves.reshape(3, 2, -1), axis=0) <= 1e-9).all()


def test_the_plans_own_point_lies_on_its_curve() -> None:
    model = drawn_model("B", 5, 1.0, DRAWS)
    found = what_if(predicted(VERTEBRA, _features(model, c5=1.0)), Plan(2.5, "medium", "bipedicular"), model)
    assert found is not None
    curve = next(c for c in found.curves if (c.viscosity, c.approach) == ("medium", "bipedicular"))
    at = found.volumes_ml.index(2.5)
    for name in LEAK_OUTCOMES:
        assert curve.risk[name][at] == pytest.approx(found.planned.risks[name].probability, abs=1e-9)
    assert found.volumes_ml[0] == 1.0
    assert found.volumes_ml[-1] == 8.0
