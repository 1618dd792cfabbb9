"""Least squares that leave out what lies far off."""

import numpy as np
from numpy.typing import NDArray

_TIMES_MEDIAN = 2.0


def trimmed_fit(
    terms: NDArray[np.float64],
    values: NDArray[np.float64],
    least_off: float,
    rounds: int,
    both_sides: bool = True,
) -> NDArray[np.float64]:
    """Coefficients (K,) of the terms (N, K) that fit the values (N,), fitted anew without the outliers of each round.

    An outlier is farther off than `least_off` and than twice the median of those that were fitted.

    Args:
        terms: one row for each value.
        values: to be fitted.
        least_off: what is no farther off than this is never left out.
        rounds: of fitting.
        both_sides: False leaves out only values that lie above the fit.
    """
    kept = np.ones(len(values), bool)
    for _ in range(rounds):
        fit = np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        off = values - terms @ fit
        size = np.abs(off)
        limit = max(least_off, _TIMES_MEDIAN * float(np.median(size[kept])))
        kept = (size if both_sides else off) <= limit
    return np.asarray(fit)
