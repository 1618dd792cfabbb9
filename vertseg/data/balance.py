"""Drawing rare findings often enough: odds of samples by what they show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import ConfigError
from vertseg.io.atomic import atomic_path
from vertseg.labels import FINDINGS

SHOWN_ML: Final = 0.02
"""Least volume of a finding that a sample shows: a wall defect of 10 mm2 with the wall's 2 mm."""

_ROUNDS: Final = 500
_CLOSE: Final = 1e-4


@dataclass(frozen=True)
class ShownShares:
    """Least share of the training draws (0 to 1) that show a finding; 0 leaves it as it comes."""

    lytic_lesion: float = 0.0
    sclerotic_lesion: float = 0.0
    posterior_wall_defect: float = 0.0
    cement: float = 0.0

    def wanted(self) -> NDArray[np.float64]:
        """(F,) shares in the order of `labels.FINDINGS`.

        Raises:
            ConfigError: a share is none.
        """
        shares = np.array([float(getattr(self, name)) for name in FINDINGS])
        if ((shares < 0) | (shares >= 1)).any():
            raise ConfigError("A share under data.shown lies between 0 and 1, and below 1.")
        return shares


def shown_odds(shown: NDArray[np.bool_], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Odds (N,) of samples whose draws show each finding in at least the wanted share, as even as that allows.

    Iterative proportional fitting (Deming and Stephan 1940, Ann Math Stat 11:427-44): where a finding is too rare,
    the samples that show it and those that do not are each scaled to their share, until all fit. A finding that no
    sample shows, and one that all show, cannot be changed and is left out.

    Args:
        shown: (N, F) whether a sample shows a finding.
        wanted: (F,) least shares.

    Raises:
        ConfigError: the shares cannot be had together.
    """
    odds = np.full(len(shown), 1.0 / max(1, len(shown)))
    able = [f for f in range(shown.shape[1]) if shown[:, f].any() and not shown[:, f].all()]
    for _ in range(_ROUNDS):
        rare = [f for f in able if odds[shown[:, f]].sum() < wanted[f] - _CLOSE]
        if not rare:
            return odds
        for f in rare:
            share = odds[shown[:, f]].sum()
            odds = odds * np.where(shown[:, f], wanted[f] / share, (1 - wanted[f]) / (1 - share))
    raise ConfigError(
        "The shares under data.shown cannot be had together from these samples; lower one of "
        f"{', '.join(name for name, share in zip(FINDINGS, wanted, strict=True) if share > 0)}."
    )


def findings_ml(sample: Mapping[Any, Any], voxel_ml: float) -> NDArray[np.float64]:
    """Volume (F,) of each finding of an unpacked crop, 0 where it is not annotated."""
    voxels = np.asarray(sample["findings"]).reshape(len(FINDINGS), -1).sum(1, dtype=np.int64)
    return np.where(sample["known_findings"], voxels * voxel_ml, 0.0)


class FindingsIndex:
    """Volumes of findings by sample, measured once and kept in one file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[int, NDArray[np.float64]] = {}
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as stored:
                self._known = dict(zip(stored["samples"].tolist(), stored["ml"], strict=True))

    def volumes(
        self, samples: Sequence[int], measure: Callable[[int], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """(N, F) ml of the samples; those that are not in the file are measured and added to it."""
        new = [sample for sample in samples if sample not in self._known]
        self._known |= {sample: measure(sample) for sample in new}
        if new and self._path is not None:
            numbers = sorted(self._known)
            ml = np.array([self._known[n] for n in numbers])
            with atomic_path(self._path) as partial, partial.open("wb") as file:
                np.savez(file, allow_pickle=False, samples=np.array(numbers), ml=ml)
        return np.array([self._known[sample] for sample in samples]).reshape(-1, len(FINDINGS))
