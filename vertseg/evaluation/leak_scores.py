"""How good foretold leak risks are: discrimination, calibration, and what a decision by them is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.metrics import (  # type: ignore[import-untyped]
    average_precision_score,
    brier_score_loss,
    roc_auc_score,
)

from vertseg.evaluation.bootstrap import Array, Resampling
from vertseg.evaluation.calibration import BINS, Reliability, bins_of, reliability

DECISIONS: Final = tuple(round(0.02 * i, 2) for i in range(1, 41))
"""Threshold probabilities of the decision curve."""


@dataclass(frozen=True, eq=False)
class LeakItems:
    """Vertebrae whose outcome is known and whose risk was foretold.

    Attributes:
        risk: (N,) probability.
        outcome: (N,) 0 or 1.
        patients: (N,) names.
    """

    risk: Array
    outcome: NDArray[np.int64]
    patients: tuple[str, ...]


def leak_items(rows: Sequence[tuple[str, Mapping[str, Any]]], outcome: str) -> LeakItems:
    """Items of one outcome from pairs of a patient and a vertebra's "leak" scores (see `score.score`)."""
    known = [
        (float(leak["risk"][outcome]), int(leak["outcome"][outcome]), patient)
        for patient, leak in rows
        if leak["risk"] is not None and leak["outcome"][outcome] is not None
    ]
    risk, truth, patients = zip(*known, strict=True) if known else ((), (), ())
    return LeakItems(np.array(risk, np.float64), np.array(truth, np.int64), tuple(patients))


def leak_figures(items: LeakItems, resampling: Resampling) -> dict[str, Any]:
    """Figures of one outcome with intervals, its reliability diagram and decision curve, as values for JSON."""
    y, p, patients = items.outcome, items.risk, items.patients
    mixed = bool(y.size) and 0 < y.sum() < y.size
    auroc = float(roc_auc_score(y, p)) if mixed else None
    auprc = float(average_precision_score(y, p)) if mixed else None
    brier = float(brier_score_loss(y, p)) if y.size else None
    ece = float(weighted_ece(p, y, np.ones((1, y.size)))[0]) if y.size else None
    figures = {
        "prevalence": resampling.mean(y, patients),
        "auroc": resampling.statistic(auroc, lambda w: weighted_auroc(p, y, w), patients),
        "auprc": resampling.statistic(auprc, lambda w: weighted_auprc(p, y, w), patients),
        "brier": resampling.statistic(
            brier, lambda w: (w @ (p - y) ** 2) / np.maximum(w.sum(axis=1), 1), patients
        ),
        "ece": resampling.statistic(ece, lambda w: _centred(weighted_ece(p, y, w), ece), patients),
    }
    return {
        **{name: asdict(estimate) for name, estimate in figures.items()},
        "reliability": _bins_as_values(reliability(p, y)) if y.size else [],
        "decision_curve": decision_curve(items, resampling),
    }


def weighted_auroc(risk: ArrayLike, outcome: ArrayLike, weights: Array) -> Array:
    """AUROC (R,) of items that occur `weights` (R, N) times, ties counted half; NaN where one class is absent."""
    p, y = np.asarray(risk), np.asarray(outcome)
    _, group = np.unique(p, return_inverse=True)
    n = int(group.max()) + 1 if group.size else 0
    positive, negative = _grouped(weights * (y == 1), group, n), _grouped(weights * (y == 0), group, n)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positive * (below + 0.5 * negative)).sum(axis=1) / pairs)


def weighted_auprc(risk: ArrayLike, outcome: ArrayLike, weights: Array) -> Array:
    """Average precision (R,) as scikit-learn's, of items that occur `weights` (R, N) times."""
    p, y = np.asarray(risk), np.asarray(outcome)
    _, group = np.unique(-p, return_inverse=True)
    n = int(group.max()) + 1 if group.size else 0
    positive, every = _grouped(weights * (y == 1), group, n), _grouped(weights, group, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(np.cumsum(positive, axis=1) / np.cumsum(every, axis=1))
        return np.asarray((positive * precision).sum(axis=1) / positive.sum(axis=1))


def weighted_ece(risk: ArrayLike, outcome: ArrayLike, weights: Array) -> Array:
    """Expected calibration error (R,) over `BINS` bins, of items that occur `weights` (R, N) times."""
    p, y = np.asarray(risk, dtype=np.float64), np.asarray(outcome)
    gap = _grouped(weights * (y - p), bins_of(p), BINS)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(gap).sum(axis=1) / weights.sum(axis=1))


def _centred(resampled: Array, value: float | None) -> Array:
    """Resampled calibration errors moved to have their mean at the measured one, none below 0.

    Within bins a resample is noisier than the sample, which adds to every resampled error: without this the interval
    would lie above the figure that it belongs to.
    """
    if value is None:
        return resampled
    return np.maximum(resampled - (np.nanmean(resampled) - value), 0.0)


def decision_curve(items: LeakItems, resampling: Resampling) -> dict[str, Any]:
    """Net benefit over threshold probabilities (Vickers and Elkin 2006, Med Decis Making 26:565-74).

    At threshold t it is (true positives - false positives * t / (1 - t)) / n: of treating whoever's risk reaches t
    as one who will leak, with its interval, and of treating all so; treating none has 0.
    """
    y, p = items.outcome, items.risk
    if not y.size:
        return {"threshold": [], "model": [], "low": [], "high": [], "all": []}
    t = np.array(DECISIONS)
    odds = t / (1 - t)
    gain = np.where(p[:, None] >= t, np.where(y[:, None] == 1, 1.0, -odds), 0.0)
    weights = resampling.weights[:, resampling.index(items.patients)]
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = (weights @ gain) / weights.sum(axis=1, keepdims=True)
    model = [
        resampling.estimate(float(value), column, items.patients)
        for value, column in zip(gain.mean(axis=0), resampled.T, strict=True)
    ]
    return {
        "threshold": list(DECISIONS),
        "model": [e.value for e in model],
        "low": [e.low for e in model],
        "high": [e.high for e in model],
        "all": (y.mean() - (1 - y.mean()) * odds).tolist(),
    }


def _bins_as_values(curve: Reliability) -> list[dict[str, float | int]]:
    """Mean risk, share of outcomes and count of each bin that holds any."""
    columns = zip(curve.probability, curve.observed, curve.count, strict=True)
    return [{"risk": float(p), "observed": float(y), "n": int(n)} for p, y, n in columns]


def _grouped(weights: Array, group: NDArray[np.integer], n: int) -> Array:
    """Sums (R, n) of weights (R, N) by group (N,)."""
    items = np.arange(weights.shape[1])
    member = sparse.csr_array((np.ones(items.size), (group, items)), shape=(n, items.size))
    return np.asarray((member @ weights.T).T)
