"""VerSe's identification rate and localisation error, from body centres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

IDENTIFIED_MM: Final = 20.0
"""A centre must be nearer than this (Sekuboyina et al. 2021, Med Image Anal 73:102166, after Glocker et al. 2012)."""


@dataclass(frozen=True)
class Located:
    """How one true vertebra was located.

    Attributes:
        identified: the predicted vertebra of its name is nearer to it than any other predicted one, and nearer
            than `IDENTIFIED_MM`.
        error_mm: distance to the predicted vertebra of its name; None where there is none.
        nearest: level of the nearest predicted vertebra within `IDENTIFIED_MM`, whatever its name; None for none.
    """

    identified: bool
    error_mm: float | None
    nearest: int | None


def locate(
    true_levels: Sequence[int], true_mm: ArrayLike, predicted_mm: Mapping[int, NDArray[np.float64]]
) -> dict[int, Located]:
    """Each true vertebra as VerSe's benchmark judges it, by level number.

    The benchmark's published code asks that the true centre be the nearest true one to the predicted centre, its
    paper that the predicted be the nearest predicted one to the true centre; this is the paper's.

    Args:
        true_levels: (N,) level numbers.
        true_mm: (N, 3) body centres in world mm.
        predicted_mm: body centre (3,) by predicted level number.
    """
    names = list(predicted_mm)
    predicted = np.array([predicted_mm[n] for n in names], dtype=np.float64).reshape(-1, 3)
    result = {}
    for level, centre in zip(true_levels, np.asarray(true_mm, dtype=np.float64).reshape(-1, 3), strict=True):
        distance = np.linalg.norm(predicted - centre, axis=1)
        best = int(distance.argmin()) if names else None
        near = best is not None and bool(distance[best] < IDENTIFIED_MM)
        nearest = names[best] if best is not None and near else None
        error = float(distance[names.index(level)]) if level in names else None
        result[level] = Located(nearest == level, error, nearest)
    return result
