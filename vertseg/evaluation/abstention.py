"""When to give no leak risk: how the error falls as the least sure vertebrae are left out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vertseg.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RiskCoverage:
    """Error among those kept when the surest share is kept (El-Yaniv and Wiener 2010, JMLR 11:1605-41).

    Attributes:
        coverage: (N,) share kept, 1/N to 1.
        risk: (N,) mean error of those kept.
        confidence: (N,) confidence of the last one kept.
    """

    coverage: Array
    risk: Array
    confidence: Array

    @property
    def area(self) -> float:
        """Area under the curve: the mean risk over all coverages; lower is better."""
        return float(self.risk.mean())

    def least_confidence(self, coverage: float) -> float:
        """The threshold of confidence that keeps at least this share."""
        return float(self.confidence[np.searchsorted(self.coverage, coverage - 1e-9)])

    def risk_at(self, coverage: float) -> float:
        """Mean error of the surest share."""
        return float(self.risk[np.searchsorted(self.coverage, coverage - 1e-9)])


def risk_coverage(confidence: ArrayLike, error: ArrayLike) -> RiskCoverage:
    """Curve of confidences (N,) and errors (N,), any non-negative; ties in confidence share their mean error."""
    sure, wrong = np.asarray(confidence, np.float64).ravel(), np.asarray(error, np.float64).ravel()
    if len(sure) != len(wrong) or not len(sure):
        raise InputError(
            f"{len(sure)} confidences and {len(wrong)} errors; give as many of each, at least one."
        )
    _, group = np.unique(-sure, return_inverse=True)
    mean = np.bincount(group, weights=wrong) / np.bincount(group)
    order = np.argsort(group, kind="stable")
    kept = np.arange(1, len(sure) + 1)
    return RiskCoverage(kept / len(sure), np.cumsum(mean[group][order]) / kept, sure[order])
