"""Overlap of masks, and means of figures that are not always known."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def dice(predicted: NDArray[np.generic], truth: NDArray[np.generic]) -> float | None:
    """Dice overlap of two masks (X, Y, Z), 0 to 1; None where both are empty."""
    p, t = np.asarray(predicted, dtype=bool), np.asarray(truth, dtype=bool)
    total = int(np.count_nonzero(p)) + int(np.count_nonzero(t))
    return 2.0 * int(np.count_nonzero(p & t)) / total if total else None


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of those that are known; None where none is."""
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
