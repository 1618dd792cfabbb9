"""How well leaks could be foretold by someone who sees everything a scan shows: the ceiling of the leak head.

The simulator is asked several times for one vertebra and plan with the unknowns redrawn (`phantom.leak_draws`). The
share p of repeats that leak is what a perfect predictor would say; its AUROC is below 1 because p is not 0 or 1.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from vertseg.errors import InputError
from vertseg.evaluation.leak_scores import weighted_auroc
from vertseg.labels import LEAK_OUTCOMES
from vertseg.phantom.leak import VOLUME_ML
from vertseg.phantom.leak_draws import LeakDraws

Array = NDArray[np.float64]


_GRID: Final = np.linspace(0.0, 1.0, 101)
_EM_STEPS: Final = 300


@dataclass(frozen=True)
class Ceiling:
    """AUROC of the perfect predictor of one outcome.

    Attributes:
        auroc: of the distribution of probabilities under which the repeats are most likely.
        held_out: of the share of the other repeats against one repeat; too low, as few repeats tell p roughly.
        plug_in: as if the observed shares were the probabilities; too high.
        prevalence: share of outcomes.
    """

    auroc: float
    held_out: float
    plug_in: float
    prevalence: float


def outcomes_at(draws: Sequence[LeakDraws], volume_ml: ArrayLike) -> Array:
    """(5, N, K) 0 or 1 by `LEAK_OUTCOMES`, the K injections of vertebra n stopped at `volume_ml` (N,)."""
    routes = np.stack([d.leaks(float(v)) for d, v in zip(draws, np.asarray(volume_ml), strict=True)])
    both = np.concatenate([routes, routes.max(2, keepdims=True)], 2)
    return np.asarray(np.moveaxis(both, 2, 0), np.float64)


def draw_volumes(count: int, rng: np.random.Generator) -> Array:
    """Volumes (N,) in ml as the plans of crops have them."""
    return rng.uniform(*VOLUME_ML, count)


def auroc(score: ArrayLike, outcome: ArrayLike) -> float:
    """Area under the ROC curve (Mann-Whitney) of scores (N,) against 0/1 (N,); NaN where all are alike."""
    y = np.asarray(outcome) > 0
    return float(weighted_auroc(score, y, np.ones((1, len(y))))[0])


def ceiling(leaked: ArrayLike) -> Ceiling:
    """Ceiling of one outcome from repeats (N, K), 0 or 1, of N vertebrae.

    The distribution of p is the nonparametric maximum-likelihood mixture of binomials (Laird 1978, JASA
    73:805-11) by expectation-maximisation on a grid.

    Raises:
        InputError: fewer than two repeats, or every outcome is the same.
    """
    repeats = np.asarray(leaked, np.float64)
    if repeats.ndim != 2 or repeats.shape[1] < 2:
        raise InputError("A ceiling needs at least two repeats of each vertebra; draw more.")
    if repeats.min() == repeats.max():
        raise InputError("Every repeat has the same outcome; no ceiling can be told from them.")
    count, n = repeats.sum(1), repeats.shape[1]
    others = (count[:, None] - repeats) / (n - 1)
    held_out = float(np.nanmean([auroc(others[:, k], repeats[:, k]) for k in range(n)]))
    shares, weights = np.unique(count / n, return_counts=True)
    return Ceiling(
        mixture_auroc(_GRID, binomial_mixture(count, n)), held_out,
        mixture_auroc(shares, weights / weights.sum()), float(repeats.mean()),
    )  # fmt: skip


def binomial_mixture(count: Array, n: int) -> Array:
    """Weights of the probabilities 0, 0.01, ..., 1 under which counts (N,) out of `n` are most likely."""
    values, times = np.unique(count, return_counts=True)
    likelihood = binom.pmf(values[:, None], n, _GRID[None, :])
    weights = np.full(len(_GRID), 1.0 / len(_GRID))
    for _ in range(_EM_STEPS):
        joint = likelihood * weights
        weights = (times[:, None] * joint / joint.sum(1, keepdims=True)).sum(0) / len(count)
    return np.asarray(weights)


def mixture_auroc(probability: Array, weight: Array) -> float:
    """AUROC of a predictor that knows each case's probability; those are `probability` with shares `weight`.

    P(p_i > p_j | i leaks, j does not), ties counted half, over independent i and j.
    """
    order = np.argsort(probability)
    p, w = probability[order], weight[order]
    leaks, spared = w * p, w * (1 - p)
    below = np.cumsum(spared) - spared
    return float((leaks * (below + 0.5 * spared)).sum() / (leaks.sum() * spared.sum()))


def ceilings(
    draws: Sequence[LeakDraws], rng: np.random.Generator, volumes: int = 8, bootstrap: int = 200
) -> dict[str, Any]:
    """Ceiling of each of `LEAK_OUTCOMES` with its 95 % interval over vertebrae, plain values for JSON.

    Args:
        draws: repeats of one plan for each vertebra, as many for all.
        rng: draws volumes and bootstrap samples.
        volumes: how many draws of a volume for each vertebra the figures are averaged over.
        bootstrap: samples of the interval.
    """
    stacks = [outcomes_at(draws, draw_volumes(len(draws), rng)) for _ in range(volumes)]
    result: dict[str, Any] = {}
    for i, name in enumerate(LEAK_OUTCOMES):
        parts = [ceiling(stack[i]) for stack in stacks]
        mean = {key: round(float(np.mean([asdict(c)[key] for c in parts])), 4) for key in asdict(parts[0])}
        samples = []
        for b in range(bootstrap):
            rows = rng.integers(len(draws), size=len(draws))
            samples.append(ceiling(stacks[b % volumes][i][rows]).auroc)
        low, high = np.percentile(samples, [2.5, 97.5])
        result[name] = {**mean, "interval": [round(float(low), 4), round(float(high), 4)]}
    return result
