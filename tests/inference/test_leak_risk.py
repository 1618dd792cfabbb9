"""Logits to risks: calibrated once, withheld where they mean nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertseg.errors import CheckpointError
from vertseg.inference.leak_risk import LeakRule, any_probability, leak_risk

RULE = {
    "slope": [2.0, 1, 1, 1],
    "shift": [0.5, 0, 0, 0],
    "dependence": 0.25,
    "oddness_limit": 1.5,
    "least_confidence": 0.6,
}


def test_any_leak_is_between_the_likeliest_route_and_independent_ones() -> None:
    logits = np.random.default_rng(1).normal(0, 2, (50, 4))
    p = 1 / (1 + np.exp(-logits))
    assert np.allclose(any_probability(logits), 1 - np.prod(1 - p, 1))
    assert np.allclose(any_probability(logits, 1.0), p.max(1))
    between = any_probability(logits, 0.5)
    assert ((between >= p.max(1) - 1e-12) & (between <= any_probability(logits))).all()


def test_a_rule_scales_and_abstains() -> None:
    """Slope and shift act per route; an odd crop, a toss-up and a NaN get no risk."""
    rule = LeakRule.of({"rule": RULE})
    logits = np.full((4, 4), -9.0)
    logits[:3, 0] = 1.0
    logits[3, 0] = -0.25
    found = leak_risk(logits, [1.0, 1.6, np.nan, 1.0], rule)
    assert found["leak"][0, 0] == pytest.approx(1 / (1 + np.exp(-2.5)), abs=1e-4)
    assert found["leak"][3, 0] == pytest.approx(0.5, abs=1e-4)
    assert found["leak_abstained"].tolist() == [0, 1, 1, 1]
    assert found["leak_confidence"][3] == pytest.approx(0.5, abs=1e-3)


def test_without_a_rule_no_risk_is_given() -> None:
    """A checkpoint whose leak head was never calibrated abstains throughout."""
    assert LeakRule.of({}) is None
    found = leak_risk(np.full((3, 4), 5.0), [0.1, 0.1, 0.1], None)
    assert found["leak_abstained"].all()


@given(st.floats(-8, 8), st.floats(0, 5), st.floats(0, 1), st.integers(0, 3))
def test_a_higher_logit_never_lowers_a_risk(logit: float, more: float, dependence: float, route: int) -> None:
    rule = LeakRule((0.7, 1.3, 2.0, 0.2), (1.0, -1.0, 0.0, 0.3), dependence)
    low = np.full((1, 4), logit)
    high = low.copy()
    high[0, route] += more
    before, after = leak_risk(low, [1.0], rule), leak_risk(high, [1.0], rule)
    assert (after["leak"] >= before["leak"]).all()
    assert after["any_leak"][0] >= before["any_leak"][0] - 1e-6


@pytest.mark.parametrize(
    "change",
    [{"slope": [1, 1, 1]}, {"slope": [1, 1, 1, -1]}, {"shift": "no"}, {"dependence": 2}, {"more": 1}],
)
def test_a_damaged_rule_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="train_leak_head"):
        LeakRule.of({"rule": {**RULE, **change}})
