"""Statistics of clinical leak studies: rates, odds and risk ratios, logistic regression.

Each gives its value with a 95 % interval by the formula that such studies use; `by_patient` gives the interval
of any statistic by resampling patients, since vertebrae of one patient are alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vertseg.errors import ConfigError

Z95: Final = 1.959963984540054
Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval and the number of vertebrae that it stands on; NaN if undefined."""

    value: float
    low: float
    high: float
    n: int

    def covers(self, value: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression: coefficients (K,) with the intercept first, and their covariance (K, K)."""

    coefficients: Array
    covariance: Array
    n: int

    def odds_ratio(self, index: int) -> Estimate:
        """Odds ratio of a column with Wald's interval; column 0 is the intercept."""
        centre, spread = self.coefficients[index], Z95 * np.sqrt(self.covariance[index, index])
        low, value, high = np.exp([centre - spread, centre, centre + spread])
        return Estimate(float(value), float(low), float(high), self.n)


def rate(events: int, n: int) -> Estimate:
    """A proportion with Wilson's score interval (Newcombe, Stat Med 1998;17:857, method 3)."""
    if n <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    p, z2 = events / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(p, max(0.0, float(centre - half)), min(1.0, float(centre + half)), n)


def odds_ratio(exposed: tuple[int, int], unexposed: tuple[int, int]) -> Estimate:
    """Odds ratio of a 2x2 table with Woolf's interval; 0.5 is added to each cell when one is empty.

    Args:
        exposed: events and vertebrae with the factor.
        unexposed: events and vertebrae without it.
    """
    a, b = exposed[0], exposed[1] - exposed[0]
    c, d = unexposed[0], unexposed[1] - unexposed[0]
    n = exposed[1] + unexposed[1]
    if exposed[1] == 0 or unexposed[1] == 0 or a + c == 0 or b + d == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), n)
    cells = np.array([a, b, c, d], dtype=np.float64)
    if (cells == 0).any():
        cells += 0.5
    log = np.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    half = Z95 * np.sqrt((1 / cells).sum())
    return Estimate(float(np.exp(log)), float(np.exp(log - half)), float(np.exp(log + half)), n)


def risk_ratio(exposed: tuple[int, int], unexposed: tuple[int, int]) -> Estimate:
    """Risk ratio with Katz's log interval; 0.5 is added to events and vertebrae when a group has no event."""
    (a, n1), (c, n0) = exposed, unexposed
    if n1 == 0 or n0 == 0 or a + c == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), n1 + n0)
    add = 0.5 if a == 0 or c == 0 else 0.0
    x1, m1, x0, m0 = a + add, n1 + add, c + add, n0 + add
    log = np.log((x1 / m1) / (x0 / m0))
    half = Z95 * np.sqrt(1 / x1 - 1 / m1 + 1 / x0 - 1 / m0)
    return Estimate(float(np.exp(log)), float(np.exp(log - half)), float(np.exp(log + half)), n1 + n0)


def fit_logistic(columns: Array, events: Mask, iterations: int = 50) -> Logistic:
    """Maximum likelihood by Newton's method (iteratively reweighted least squares).

    Args:
        columns: (N, K) covariates without the intercept.
        events: (N,) outcomes.
        iterations: most steps taken.

    Raises:
        ConfigError: the likelihood has no maximum (an outcome is the same for all, or separated).
    """
    design = np.column_stack([np.ones(len(events)), columns])
    beta = np.zeros(design.shape[1])
    for _ in range(iterations):
        chance = 1.0 / (1.0 + np.exp(-(design @ beta)))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (events - chance))
        except np.linalg.LinAlgError:
            break
        beta = beta + step
        if np.abs(beta).max() > 30:
            break
        if np.abs(step).max() < 1e-9:
            return Logistic(beta, np.linalg.inv(information), len(events))
    raise ConfigError(
        "the logistic regression has no finite fit: the outcome is constant or separated by a factor. "
        "Simulate more vertebrae."
    )


def by_patient(
    patients: Sequence[int],
    statistics: Callable[[npt.NDArray[np.intp]], Array],
    seed: int,
    repeats: int = 1000,
) -> tuple[Array, Array]:
    """Percentile 95 % intervals of statistics when whole patients are drawn with replacement.

    Args:
        patients: (N,) patient of each vertebra.
        statistics: indices of vertebrae (with repeats) -> (K,) values; NaN draws of a value are left out, and
            its interval is NaN when more than half are.
        seed: of the resampling.
        repeats: number of draws.
    """
    numbers = np.asarray(patients)
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    rng = np.random.default_rng([seed, 53])
    values = []
    for _ in range(repeats):
        drawn = rng.integers(0, len(groups), len(groups))
        values.append(statistics(np.concatenate([groups[k] for k in drawn])))
    table = np.asarray(values, dtype=np.float64)
    known = np.isfinite(table)
    low, high = np.full(table.shape[1], np.nan), np.full(table.shape[1], np.nan)
    for k in range(table.shape[1]):
        if known[:, k].mean() >= 0.5:
            low[k], high[k] = np.percentile(table[known[:, k], k], [2.5, 97.5])
    return low, high
