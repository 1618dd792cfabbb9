"""Whether a probability means what it says, and the scaling that makes it so."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from torchmetrics.functional.classification import binary_calibration_error

from vertseg.errors import InputError
from vertseg.inference.leak_risk import any_probability

Array = NDArray[np.float64]

BINS: Final = 10
"""Bins of equal width of the reliability curve and of its error."""

_SLOPES: Final = (0.05, 20.0)
_PRIOR: Final = 1e-3
"""Pull of the scaling towards changing nothing, per sample: only felt where a split is nearly separable."""


@dataclass(frozen=True)
class Reliability:
    """Mean probability, share of outcomes and number of samples of each bin that has any, each (B,)."""

    probability: Array
    observed: Array
    count: NDArray[np.int64]


def calibration_error(probability: ArrayLike, outcome: ArrayLike) -> float:
    """Expected calibration error: mean distance of probability and outcome over `BINS` bins, weighed by size.

    Both (N,); the outcome is 0 or 1 (Naeini et al. 2015, AAAI, 2901-7).
    """
    p, y = _checked(probability, outcome)
    error = binary_calibration_error(torch.from_numpy(p), torch.from_numpy(y).long(), n_bins=BINS, norm="l1")
    return float(error)


def reliability(probability: ArrayLike, outcome: ArrayLike) -> Reliability:
    """Reliability curve of probabilities (N,) against outcomes (N,)."""
    p, y = _checked(probability, outcome)
    place = bins_of(p)
    count = np.bincount(place, minlength=BINS)
    kept = count > 0
    sums = [np.bincount(place, weights=w, minlength=BINS)[kept] / count[kept] for w in (p, y)]
    return Reliability(sums[0], sums[1], count[kept])


def bins_of(probability: Array) -> NDArray[np.int64]:
    """Bin (N,) of each probability (N,), 0 to `BINS` - 1."""
    return np.minimum((probability * BINS).astype(np.int64), BINS - 1)


def fit_scaling(logit: ArrayLike, outcome: ArrayLike) -> tuple[float, float]:
    """Slope and shift of logits (N,) that make outcomes (N,) likeliest (Platt 1999); the slope stays positive.

    With the shift at 0 this is temperature scaling (Guo et al. 2017, ICML), temperature 1 / slope.
    """
    z, y = np.asarray(logit, np.float64).ravel(), np.asarray(outcome, np.float64).ravel()
    if not np.isfinite(z).all() or len(z) == 0:
        raise InputError("Logits to calibrate must be finite and at least one; check the head's training.")

    def loss(x: Array) -> float:
        scaled = np.exp(x[0]) * z + x[1]
        return float(np.mean(np.logaddexp(0, scaled) - y * scaled) + _PRIOR * (x**2).sum())

    bounds = [tuple(np.log(_SLOPES)), (-10.0, 10.0)]
    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=bounds)
    return float(np.exp(found.x[0])), float(found.x[1])


def fit_dependence(logits: ArrayLike, any_outcome: ArrayLike) -> float:
    """The `dependence` (0 to 1) of `inference.leak_risk.any_probability` that makes "any leak" (N,) likeliest, logits (N, 4)."""
    z = np.asarray(logits, np.float64)
    y = np.asarray(any_outcome, np.float64)

    def loss(dependence: float) -> float:
        p = any_probability(z, dependence).clip(1e-7, 1 - 1e-7)
        return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)


def _checked(probability: ArrayLike, outcome: ArrayLike) -> tuple[Array, Array]:
    p, y = np.asarray(probability, np.float64).ravel(), np.asarray(outcome, np.float64).ravel()
    if len(p) != len(y) or not len(p):
        raise InputError(f"{len(p)} probabilities and {len(y)} outcomes; give as many of each, at least one.")
    if p.min() < 0 or p.max() > 1 or not np.isin(y, (0, 1)).all():
        raise InputError("Probabilities lie between 0 and 1 and outcomes are 0 or 1.")
    return p, y
