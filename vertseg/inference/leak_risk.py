"""The leak head's logits as risks: calibrated, with a confidence, and withheld where they would mean nothing.

This is the only place where a calibration is applied; it lives in the checkpoint's JSON under "leak".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vertseg.errors import CheckpointError
from vertseg.labels import LEAK_ROUTES

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeakRule:
    """How logits become risks, and when none is given.

    Attributes:
        slope: per route of `labels.LEAK_ROUTES`; positive, so that more cement never lowers a risk.
        shift: per route; risk = sigmoid(slope * logit + shift).
        dependence: of the routes on each other, 0 to 1, see `any_probability`.
        oddness_limit: highest `LeakHead.oddness` with which a risk is given.
        least_confidence: lowest `confidence_of` with which a risk is given.
    """

    slope: tuple[float, ...] = (1.0,) * len(LEAK_ROUTES)
    shift: tuple[float, ...] = (0.0,) * len(LEAK_ROUTES)
    dependence: float = 0.0
    oddness_limit: float = float("inf")
    least_confidence: float = 0.0

    @staticmethod
    def of(leak: Mapping[str, Any]) -> "LeakRule | None":
        """The rule in the "leak" of a checkpoint's JSON; None where there is none, and no risk is to be given.

        Raises:
            CheckpointError: it lacks an entry or holds one that cannot be.
        """
        if "rule" not in leak:
            return None
        try:
            given = dict(leak["rule"])
            slope, shift = (tuple(float(v) for v in given.pop(key)) for key in ("slope", "shift"))
            rule = LeakRule(slope, shift, **{key: float(value) for key, value in given.items()})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The leak rule of the examine checkpoint is damaged ({error}); copy it again or run "
                "scripts/train_leak_head.py."
            ) from None
        lengths = {len(rule.slope), len(rule.shift)}
        if lengths != {len(LEAK_ROUTES)} or min(rule.slope) <= 0 or not 0 <= rule.dependence <= 1:
            raise CheckpointError(
                "The leak rule of the examine checkpoint needs a positive slope and a shift for each of the routes "
                f"{', '.join(LEAK_ROUTES)} and a dependence of 0 to 1; run scripts/train_leak_head.py."
            )
        return rule


@dataclass(frozen=True)
class RuleDraws:
    """Calibrations of bootstrap samples of the calibration's vertebrae, from which intervals are read.

    Attributes:
        slope: B draws of `LeakRule.slope`.
        shift: B draws of `LeakRule.shift`.
        dependence: B draws of `LeakRule.dependence`.
    """

    slope: tuple[tuple[float, ...], ...]
    shift: tuple[tuple[float, ...], ...]
    dependence: tuple[float, ...]

    @staticmethod
    def of(leak: Mapping[str, Any]) -> "RuleDraws | None":
        """The draws in the "leak" of a checkpoint's JSON; None where it stores none.

        Raises:
            CheckpointError: they are damaged.
        """
        if "rule_draws" not in leak:
            return None
        try:
            given = leak["rule_draws"]
            slope, shift = (
                tuple(tuple(float(v) for v in row) for row in given[key]) for key in ("slope", "shift")
            )
            draws = RuleDraws(slope, shift, tuple(float(v) for v in given["dependence"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The calibration draws of the examine checkpoint are damaged ({error}); copy it again or run "
                "scripts/train_leak_head.py."
            ) from None
        lengths = {len(row) for row in (*slope, *shift)}
        alike = len(slope) == len(shift) == len(draws.dependence) > 0
        if not alike or lengths != {len(LEAK_ROUTES)} or min(map(min, slope)) <= 0:
            raise CheckpointError(
                "The calibration draws of the examine checkpoint need as many positive slopes, shifts and "
                "dependences, at least one; run scripts/train_leak_head.py."
            )
        return draws

    def rules(self) -> "list[LeakRule]":
        """Each draw as a rule."""
        return [LeakRule(*draw) for draw in zip(self.slope, self.shift, self.dependence, strict=True)]


def calibrated(logits: ArrayLike, rule: LeakRule) -> Array:
    """Logits (N, 4) whose sigmoid is the risk."""
    scaled: Array = np.asarray(logits, np.float64) * np.array(rule.slope) + np.array(rule.shift)
    return scaled


def sigmoid(logits: ArrayLike) -> Array:
    """Probability of a logit, exact at both ends."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64))))


def any_probability(logits: ArrayLike, dependence: float = 0.0) -> Array:
    """Probability (N,) of a leak by at least one route from route logits (N, 4).

    With dependence 0 routes leak independently, 1 - prod(1 - p); with 1 the likeliest route decides alone; between,
    the logarithms of the chances of no leak are mixed. It rises with each route's risk.
    """
    none = np.logaddexp(0.0, np.asarray(logits, np.float64))
    return np.asarray(-np.expm1(-((1 - dependence) * none.sum(-1) + dependence * none.max(-1))))


def confidence_of(any_risk: ArrayLike) -> Array:
    """Confidence (N,) that "leak" or "no leak", whichever is likelier, comes true: max(p, 1 - p)."""
    p = np.asarray(any_risk, np.float64)
    return np.maximum(p, 1 - p)


def leak_risk(logits: ArrayLike, oddness: ArrayLike, rule: LeakRule | None) -> dict[str, NDArray[np.float32]]:
    """What an engine gives of the leak head.

    Args:
        logits: (N, 4) by `labels.LEAK_ROUTES`.
        oddness: (N,) of the crops.
        rule: of the checkpoint; None abstains throughout.

    Returns:
        `leak` (N, 4) and `any_leak` (N,) probabilities, `leak_confidence` (N,) from 0.5 to 1, and `leak_abstained`
        (N,), 1 where the risk should not be used: the crop is odder than training crops are, or the risk is a toss-up.
    """
    scaled = calibrated(logits, rule or LeakRule())
    risk = any_probability(scaled, 0.0 if rule is None else rule.dependence)
    confidence, odd = confidence_of(risk), np.asarray(oddness, np.float64)
    if rule is None:
        abstained = np.ones(len(risk), bool)
    else:
        # A NaN compares false with everything, so the crop has to show that it is usual.
        abstained = ~(odd <= rule.oddness_limit) | (confidence < rule.least_confidence)
    found = {
        "leak": sigmoid(scaled),
        "any_leak": risk,
        "leak_confidence": confidence,
        "leak_abstained": abstained,
    }
    return {name: values.astype(np.float32) for name, values in found.items()}
