"""The injection of a crop's vertebra repeated with what no scan shows drawn anew: at which volume each route leaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from vertseg.cement.injection import Injection, inject
from vertseg.cement.parameters import LEAK_THRESHOLD_ML
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.routes import LABEL_OF_ROUTE, ROUTES
from vertseg.labels import APPROACHES, LEAK_ROUTES, VISCOSITIES
from vertseg.phantom.crop import draw_patient
from vertseg.phantom.injection_site import injection_site
from vertseg.phantom.leak import VOLUME_ML

_STREAM: Final = 31
"""Keeps these draws apart from those of the crop itself."""


@dataclass(frozen=True)
class LeakDraws:
    """Repeated injections into one vertebra.

    An injection passes through the states of every smaller one, so the volume at which a route begins to leak
    tells the outcome of all volumes up to the largest of `phantom.leak.VOLUME_ML`.

    Attributes:
        plan: (M, 2) index of `labels.VISCOSITIES`, index of `labels.APPROACHES`.
        onset_ml: (M, 4) volume from which on each of `labels.LEAK_ROUTES` leaks; infinite where none did.
    """

    plan: npt.NDArray[np.float32]
    onset_ml: npt.NDArray[np.float32]

    def leaks(self, volume_ml: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(M, 4) 0 or 1, had injection m been of `volume_ml` (M,) or of one volume for all."""
        volumes = np.broadcast_to(np.asarray(volume_ml, np.float32), len(self.onset_ml))
        return (self.onset_ml <= volumes[:, None]).astype(np.float32)


def leak_draws(seed: int, count: int, one_plan: bool = False) -> LeakDraws:
    """Injections into the vertebra of `render_crop(seed)`; none where it holds cement already.

    The side of entry, the veins, the tip's error, the local permeability and the batch of cement are drawn anew for
    each injection: the leak head is told none of them.

    Args:
        seed: of the crop.
        count: how many injections.
        one_plan: the same viscosity and approach for all, drawn; else the combinations in turn.
    """
    anatomy, target = draw_patient(seed, np.random.default_rng([seed, 7]), "cpu")
    if target.cement is not None:
        return LeakDraws(np.zeros((0, 2), np.float32), np.zeros((0, len(LEAK_ROUTES)), np.float32))
    rng = np.random.default_rng([seed, _STREAM])
    plans = [
        InjectionPlan(VOLUME_ML[1], VISCOSITIES[v], APPROACHES[a], "left" if rng.random() < 0.5 else "right")
        for v, a in _combinations(count, one_plan, rng)
    ]
    seeds = [int(s) for s in rng.integers(2**31, size=count)]
    results = inject([injection_site(anatomy, target)] * count, plans, seeds)
    return LeakDraws(
        np.array([(VISCOSITIES.index(p.viscosity), APPROACHES.index(p.approach)) for p in plans], np.float32),
        np.stack([onset_ml(result) for result in results]),
    )


def _combinations(count: int, one_plan: bool, rng: np.random.Generator) -> Sequence[tuple[int, int]]:
    every = list(product(range(len(VISCOSITIES)), range(len(APPROACHES))))
    if one_plan:
        return [every[int(rng.integers(len(every)))]] * count
    order: list[int] = []
    while len(order) < count:
        order += rng.permutation(len(every)).tolist()
    return [every[i] for i in order[:count]]


def onset_ml(injection: Injection) -> npt.NDArray[np.float32]:
    """(4,) injected volume at which each route's leak reaches `LEAK_THRESHOLD_ML` (linear between steps)."""
    volume = np.r_[0.0, injection.trace_ml.cpu().numpy()]
    routes = injection.trace_leaked_ml.cpu().numpy()
    onsets = np.full(len(LEAK_ROUTES), np.inf, np.float32)
    for i, label in enumerate(LEAK_ROUTES):
        parts = [j for j, route in enumerate(ROUTES) if LABEL_OF_ROUTE[route] == label]
        leaked = np.r_[0.0, routes[:, parts].sum(1)]
        over = np.flatnonzero(leaked >= LEAK_THRESHOLD_ML)
        if len(over):
            k = int(over[0])
            share = (LEAK_THRESHOLD_ML - leaked[k - 1]) / (leaked[k] - leaked[k - 1])
            onsets[i] = volume[k - 1] + share * (volume[k] - volume[k - 1])
    return onsets
