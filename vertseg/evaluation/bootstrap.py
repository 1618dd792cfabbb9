"""Intervals by resampling patients: whole patients are drawn, for a patient's scans and vertebrae resemble each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

RESAMPLES: Final = 1000
_INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval (percentile bootstrap; Efron and Tibshirani 1993, chapter 13).

    Attributes:
        value: None where nothing could be measured.
        low, high: None with fewer than two patients.
        n: items that the figure is made from.
        patients: whose they are.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    patients: int


@dataclass(frozen=True, eq=False)
class Resampling:
    """How often (R, P) each patient is drawn in each resample."""

    patients: tuple[str, ...]
    weights: Array

    @classmethod
    def of(cls, patients: Sequence[str], seed: int = 0, resamples: int = RESAMPLES) -> "Resampling":
        """Draw as many patients as there are, with replacement; each name is one patient."""
        unique = tuple(dict.fromkeys(patients))
        rng = np.random.default_rng(seed)
        n = len(unique)
        weights = rng.multinomial(n, np.full(n, 1.0 / n), resamples) if n else np.zeros((resamples, 0))
        return cls(unique, weights.astype(np.float64))

    def index(self, patients: Sequence[str]) -> NDArray[np.int64]:
        """Position (N,) of each item's patient."""
        at = {name: i for i, name in enumerate(self.patients)}
        return np.array([at[name] for name in patients], dtype=np.int64)

    def mean(self, values: ArrayLike, patients: Sequence[str]) -> Estimate:
        """Mean of items (N,)."""
        return self.ratio(values, np.ones(len(patients)), patients)

    def ratio(self, numerators: ArrayLike, denominators: ArrayLike, patients: Sequence[str]) -> Estimate:
        """Sum of one quantity over the sum of another, items (N,) each; such as found objects over all objects."""
        top, bottom = (np.asarray(v, dtype=np.float64) for v in (numerators, denominators))
        at = self.index(patients)
        sums = [np.bincount(at, v, minlength=len(self.patients)) for v in (top, bottom)]
        value = float(top.sum() / bottom.sum()) if bottom.sum() > 0 else None
        with np.errstate(invalid="ignore", divide="ignore"):
            resampled = (self.weights @ sums[0]) / (self.weights @ sums[1])
        return self.estimate(value, resampled, patients)

    def median(self, values: ArrayLike, patients: Sequence[str]) -> Estimate:
        """Median of items (N,)."""
        v = np.asarray(values, dtype=np.float64)
        if not v.size:
            return Estimate(None, None, None, 0, 0)
        order = np.argsort(v)
        weights = self.weights[:, self.index(patients)[order]]
        return self.estimate(float(np.median(v)), weighted_median(v[order], weights), patients)

    def statistic(
        self, value: float | None, of_weights: Callable[[Array], Array], patients: Sequence[str]
    ) -> Estimate:
        """A figure whose resampled values (R,) are a function of the items' weights (R, N)."""
        return self.estimate(value, of_weights(self.weights[:, self.index(patients)]), patients)

    def estimate(self, value: float | None, resampled: Array, patients: Sequence[str]) -> Estimate:
        """The figure with the interval of its resampled values, those that could not be measured left out."""
        owners = len(set(patients))
        known = resampled[np.isfinite(resampled)]
        if value is None or not np.isfinite(value):
            return Estimate(None, None, None, len(patients), owners)
        if owners < 2 or known.size == 0:
            return Estimate(value, None, None, len(patients), owners)
        low, high = np.percentile(known, _INTERVAL)
        return Estimate(value, float(low), float(high), len(patients), owners)


def weighted_median(ordered: Array, weights: Array) -> Array:
    """Medians (R,) of ascending values (N,) that each occur `weights` (R, N) times; NaN where none does."""
    cumulative = np.cumsum(weights, axis=1)
    total = cumulative[:, -1]
    last = len(ordered) - 1
    lower = np.minimum((cumulative < np.ceil(total / 2)[:, None]).sum(axis=1), last)
    upper = np.minimum((cumulative < np.floor(total / 2 + 1)[:, None]).sum(axis=1), last)
    return np.where(total > 0, 0.5 * (ordered[lower] + ordered[upper]), np.nan)
