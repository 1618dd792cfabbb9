"""Which predicted vertebra is which true one, whatever they are called."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import VERTEBRA_LEVELS

FOUND_SHARE = 0.3
"""A true vertebra is found when predicted vertebrae cover this share of it."""
INVENTED_SHARE = 0.2
"""A predicted vertebra of which less than this share lies on true ones is invented."""


@dataclass(frozen=True)
class Match:
    """Levels of a scan compared.

    Attributes:
        predicted: true level -> predicted level that covers most of it, None where it was not found.
        invented: predicted levels that lie on no true vertebra.
    """

    predicted: dict[int, int | None]
    invented: tuple[int, ...]

    @property
    def right(self) -> int:
        """How many true vertebrae were found and rightly named."""
        return sum(level == named for level, named in self.predicted.items())

    @property
    def accuracy(self) -> float | None:
        """Share of the true vertebrae that were found and rightly named."""
        return self.right / len(self.predicted) if self.predicted else None


def match_levels(predicted: NDArray[np.integer], truth: NDArray[np.integer], wanted: list[int]) -> Match:
    """Compare level numbers (X, Y, Z) voxel by voxel.

    Args:
        predicted: level numbers.
        truth: level numbers.
        wanted: true levels to look for; others still keep a predicted vertebra from being invented.
    """
    named: dict[int, int | None] = {}
    for level in wanted:
        on_it = predicted[truth == level]
        counts = np.bincount(on_it[on_it > 0].astype(np.int64), minlength=1)
        covered = counts[[n for n in VERTEBRA_LEVELS if n < counts.size]].sum() if counts.size > 1 else 0
        best = max(VERTEBRA_LEVELS, key=lambda n: counts[n] if n < counts.size else 0)
        named[level] = best if on_it.size and covered >= FOUND_SHARE * on_it.size else None
    is_true = np.isin(truth, VERTEBRA_LEVELS)
    invented = [
        int(n)
        for n in np.unique(predicted)
        if int(n) in VERTEBRA_LEVELS and is_true[predicted == n].mean() < INVENTED_SHARE
    ]
    return Match(named, tuple(invented))
