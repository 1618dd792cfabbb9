"""How good a leak head is on held-out vertebrae with repeated injections, against the ceiling of the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.evaluation.abstention import risk_coverage
from vertseg.evaluation.calibration import calibration_error, fit_dependence, fit_scaling, reliability
from vertseg.evaluation.leak_ceiling import auroc, ceilings, draw_volumes
from vertseg.inference.leak_risk import (
    LeakRule,
    RuleDraws,
    any_probability,
    calibrated,
    confidence_of,
    sigmoid,
)
from vertseg.labels import LEAK_OUTCOMES, LEAK_ROUTES
from vertseg.nets.leak_head import LeakHead
from vertseg.phantom.leak_draws import LeakDraws
from vertseg.training.leak_fit import LeakSet, route_logits

Array = NDArray[np.float64]

COVERAGE: Final = 0.9
"""Share of usual vertebrae that the least confidence keeps."""

USUAL: Final = 0.975
"""Share of held-out crops below the limit of oddness."""

CALIBRATIONS: Final = 200
"""Bootstrap samples of the calibration that a checkpoint stores."""

_VOLUMES: Final = 8


@dataclass(frozen=True, eq=False)
class LeakScores:
    """A head's logits and the outcomes, at `_VOLUMES` drawn volumes for each injection.

    Attributes:
        logits: (V, S, 4), not calibrated.
        outcomes: (V, S, 4) 0 or 1.
        vertebra: (S,) number of each injection's vertebra.
        oddness: (N,) of the vertebrae.
        draws: of the vertebrae.
    """

    logits: Array
    outcomes: Array
    vertebra: NDArray[np.int64]
    oddness: Array
    draws: Sequence[LeakDraws]

    @staticmethod
    def of(
        head: LeakHead, data: LeakSet, draws: Sequence[LeakDraws], rng: np.random.Generator
    ) -> "LeakScores":
        """Scores of injections; all of a vertebra have one volume, as they have one plan."""
        vertebra = data.vertebra.numpy()
        logits, outcomes = [], []
        for _ in range(_VOLUMES):
            volume = draw_volumes(len(data.features), rng)[vertebra]
            logits.append(route_logits(head, data, volume))
            outcomes.append((data.onset_ml.numpy() <= volume[:, None]).astype(np.float64))
        oddness = head.oddness(data.features).double().numpy()
        return LeakScores(np.stack(logits), np.stack(outcomes), vertebra, oddness, draws)

    def part(self, vertebrae: NDArray[np.bool_]) -> "LeakScores":
        """Those of some vertebrae (N,)."""
        mine = vertebrae[self.vertebra]
        number = np.cumsum(vertebrae) - 1
        draws = [d for d, kept in zip(self.draws, vertebrae, strict=True) if kept]
        return LeakScores(
            self.logits[:, mine],
            self.outcomes[:, mine],
            number[self.vertebra[mine]],
            self.oddness[vertebrae],
            draws,
        )


def fit_rule(scores: LeakScores) -> LeakRule:
    """Calibration per route and of "any", limit of oddness and least confidence from held-out vertebrae."""
    rule = fit_calibration(scores.logits, scores.outcomes)
    z = scores.logits.reshape(-1, len(LEAK_ROUTES))
    sure = confidence_of(any_probability(calibrated(z, rule), rule.dependence))
    least = risk_coverage(sure, np.zeros(len(sure))).least_confidence(COVERAGE)
    limit = float(np.quantile(scores.oddness, USUAL))
    return replace(rule, oddness_limit=limit, least_confidence=least)


def fit_calibration(logits: Array, outcomes: Array) -> LeakRule:
    """Slope and shift per route and the dependence of "any" that make outcomes (..., 4) likeliest from logits (..., 4)."""
    z, y = logits.reshape(-1, len(LEAK_ROUTES)), outcomes.reshape(-1, len(LEAK_ROUTES))
    scaling = [fit_scaling(z[:, r], y[:, r]) for r in range(len(LEAK_ROUTES))]
    rule = LeakRule(tuple(s for s, _ in scaling), tuple(b for _, b in scaling))
    return replace(rule, dependence=fit_dependence(calibrated(z, rule), y.max(1)))


def draw_calibrations(scores: LeakScores, rng: np.random.Generator, count: int = CALIBRATIONS) -> RuleDraws:
    """The calibration fitted again to bootstrap samples of the vertebrae: what intervals of a risk are read from.

    Vertebrae are drawn with replacement, each with all its injections, which are alike and tell less than as many
    vertebrae would. Numbers are rounded as they are stored.
    """
    rows_of = [np.flatnonzero(scores.vertebra == n) for n in range(len(scores.draws))]
    slope, shift, dependence = [], [], []
    for _ in range(count):
        rows = np.concatenate([rows_of[n] for n in rng.integers(len(rows_of), size=len(rows_of))])
        rule = fit_calibration(scores.logits[:, rows], scores.outcomes[:, rows])
        slope.append(tuple(max(round(value, 4), 1e-4) for value in rule.slope))
        shift.append(tuple(round(value, 4) for value in rule.shift))
        dependence.append(round(rule.dependence, 4))
    return RuleDraws(tuple(slope), tuple(shift), tuple(dependence))


def leak_figures(scores: LeakScores, rng: np.random.Generator, bootstrap: int = 200) -> dict[str, Any]:
    """AUROC by outcome against the ceiling, calibration error before and after, and risk-coverage, for JSON.

    Calibration is fitted to one half of the vertebrae and measured on the other, both ways; intervals (95 %) draw
    vertebrae with replacement.
    """
    n = len(scores.draws)
    first = rng.permutation(n) < n // 2
    after = np.zeros((*scores.logits.shape[:2], len(LEAK_OUTCOMES)))
    for fitted, measured in ((first, ~first), (~first, first)):
        rule = fit_rule(scores.part(fitted))
        rows = measured[scores.vertebra]
        after[:, rows] = _probabilities(scores.logits[:, rows], rule)
    before = _probabilities(scores.logits, LeakRule())
    outcomes = np.concatenate([scores.outcomes, scores.outcomes.max(2, keepdims=True)], 2)
    best = ceilings(scores.draws, rng, bootstrap=bootstrap)
    samples = [rng.integers(n, size=n) for _ in range(bootstrap)]
    figures: dict[str, Any] = {}
    for i, name in enumerate(LEAK_OUTCOMES):
        reached = _auroc(before[..., i], outcomes[..., i], scores.vertebra, np.arange(n))
        spread = [_auroc(before[:1, :, i], outcomes[:1, :, i], scores.vertebra, rows) for rows in samples]
        low, high = np.nanpercentile(spread, [2.5, 97.5])
        curve = reliability(after[..., i], outcomes[..., i])
        figures[name] = {
            "auroc": round(reached, 4),
            "interval": [round(float(low), 4), round(float(high), 4)],
            "ceiling": best[name],
            "ece_before": round(calibration_error(before[..., i], outcomes[..., i]), 4),
            "ece_after": round(calibration_error(after[..., i], outcomes[..., i]), 4),
            "brier_after": round(float(np.mean((after[..., i] - outcomes[..., i]) ** 2)), 4),
            "reliability": {
                "probability": curve.probability.round(3).tolist(), "observed": curve.observed.round(3).tolist(),
                "count": curve.count.tolist(),
            },
        }  # fmt: skip
    return {
        "vertebrae": n,
        "injections": len(scores.vertebra),
        "outcomes": figures,
        **_coverage(after, outcomes),
    }


def _probabilities(logits: Array, rule: LeakRule) -> Array:
    """(V, S, 5) by `LEAK_OUTCOMES`."""
    scaled = calibrated(logits, rule)
    return np.concatenate([sigmoid(scaled), any_probability(scaled, rule.dependence)[..., None]], -1)


def _auroc(score: Array, outcome: Array, vertebra: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Mean AUROC over volumes and repeats, each with one injection of every vertebra in `rows`."""
    repeats = int(np.bincount(vertebra).min())
    start = np.searchsorted(vertebra, rows)
    found = [
        auroc(score[v, start + k], outcome[v, start + k]) for v in range(len(score)) for k in range(repeats)
    ]
    return float(np.nanmean(found))


def _coverage(probability: Array, outcomes: Array) -> dict[str, Any]:
    """Share of wrong calls of "any leak" when the surest share is kept."""
    p, y = probability[..., -1].ravel(), outcomes[..., -1].ravel()
    curve = risk_coverage(confidence_of(p), (p >= 0.5) != (y > 0))
    at = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    return {
        "risk_coverage": {
            "coverage": at, "risk": [round(curve.risk_at(c), 4) for c in at],
            "least_confidence": [round(curve.least_confidence(c), 4) for c in at], "area": round(curve.area, 4),
        }
    }  # fmt: skip
