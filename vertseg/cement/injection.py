"""Injection of cement: quasi-static two-phase flow from the cannula to where marrow and cement can leave.

Each step places a small portion of cement. The pressure of the mixture in the body's pores obeys Darcy's law
with the permeability of `permeability` and the viscosity of what fills each voxel (cement that thickens with
time, marrow, tumour or gas); it is driven by the cannula and relieved through veins, gaps and the pores of the
shell (the last for marrow only). The portion then advances along that flow with a sharp front (`transport`).
An opening's resistance grows with the cement in it, and stagnant cement holds back a pressure of its yield stress:
thick cement chokes veins that liquid cement runs through.

The injection of a larger volume passes through the same states as that of a smaller one, so no leak shrinks when
the volume rises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.cement.domain import Vertebra, batch, on_site_grid, prepare
from vertseg.cement.parameters import LEAK_THRESHOLD_ML, InjectionParameters
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.routes import LABEL_OF_ROUTE, ROUTES
from vertseg.cement.site import InjectionSite
from vertseg.cement.stepping import Stepper, step_volumes
from vertseg.errors import ConfigError
from vertseg.labels import LEAK_ROUTES

_GROUP_ON_CPU: Final = 1
"""Vertebrae in one batch: on a CPU one alone stays in the cache and gives the same bits in any company."""

_GROUP_ON_DEVICE: Final = 128


@dataclass(frozen=True)
class Injection:
    """What an injection did.

    Attributes:
        filled: (X, Y, Z) float32 share of each voxel of the site's grid that cement fills, inside the body.
        leaked_ml: route of `routes.ROUTES` -> cement outside in ml.
        injected_ml: cement that left the cannula.
        pressure_pa: highest pressure at the cannula's tip above that of the veins, during the injection.
        trace_ml: (K,) injected volume after each step.
        trace_leaked_ml: (K, R) cement outside after each step, in the order of `routes.ROUTES`.
        opening_leaked_ml: (E,) cement outside through each opening of `prepared.openings`.
        prepared: the hidden anatomy, for pictures and tests.
    """

    filled: Tensor
    leaked_ml: dict[str, float]
    injected_ml: float
    pressure_pa: float
    trace_ml: Tensor
    trace_leaked_ml: Tensor
    opening_leaked_ml: Tensor
    prepared: Vertebra

    @property
    def leaks(self) -> dict[str, bool]:
        """Route of `labels.LEAK_ROUTES` -> at least `LEAK_THRESHOLD_ML` outside."""
        return leaks_by_label(self.leaked_ml)

    @property
    def any_leak(self) -> bool:
        """Whether any route leaks."""
        return any(self.leaks.values())

    def leaked_at(self, volume_ml: float) -> dict[str, float]:
        """Cement outside by route had the injection stopped at `volume_ml` (linear between steps)."""
        at = self.trace_ml.cpu().numpy()
        curves = self.trace_leaked_ml.cpu().numpy()
        return {
            route: float(np.interp(volume_ml, np.r_[0.0, at], np.r_[0.0, curves[:, i]]))
            for i, route in enumerate(ROUTES)
        }


def leaks_by_label(leaked_ml: dict[str, float]) -> dict[str, bool]:
    """Route of `labels.LEAK_ROUTES` -> at least `LEAK_THRESHOLD_ML`; both kinds of C count together."""
    total = dict.fromkeys(LEAK_ROUTES, 0.0)
    for route, volume in leaked_ml.items():
        total[LABEL_OF_ROUTE[route]] += volume
    return {route: volume >= LEAK_THRESHOLD_ML for route, volume in total.items()}


def inject(
    sites: Sequence[InjectionSite],
    plans: Sequence[InjectionPlan],
    seeds: Sequence[int],
    parameters: InjectionParameters | None = None,
) -> list[Injection]:
    """Inject cement into vertebrae, each with its plan and its hidden anatomy, all at once on their device.

    Args:
        sites: vertebrae on one device with one voxel size.
        plans: one for each site.
        seeds: one for each site; the same seed gives the same veins, tip error and batch of cement.
        parameters: physics; None for the published values.

    Raises:
        ConfigError: the lists differ in length, or the voxels in size.
        InputError: a site without a body.
    """
    parameters = parameters or InjectionParameters()
    if not len(sites) == len(plans) == len(seeds):
        raise ConfigError(
            f"{len(sites)} sites, {len(plans)} plans and {len(seeds)} seeds; give as many of each."
        )
    if not sites:
        return []
    if len({site.spacing_mm for site in sites}) > 1:
        raise ConfigError("Sites of one batch need one voxel size; inject them in groups of equal spacing.")
    group = _GROUP_ON_CPU if sites[0].body.device.type == "cpu" else _GROUP_ON_DEVICE
    results: list[Injection] = []
    for i in range(0, len(sites), group):
        part = slice(i, i + group)
        results += _inject_group(sites[part], plans[part], seeds[part], parameters)
    return results


def _inject_group(
    sites: Sequence[InjectionSite],
    plans: Sequence[InjectionPlan],
    seeds: Sequence[int],
    parameters: InjectionParameters,
) -> list[Injection]:
    vertebrae = [prepare(s, p, seed, parameters) for s, p, seed in zip(sites, plans, seeds, strict=True)]
    cases = batch(vertebrae, sites[0].spacing_mm)
    stepper = Stepper(cases, vertebrae, plans, parameters)
    for portion in step_volumes(max(p.volume_ml for p in plans)):
        stepper.step(portion)
    boxes = stepper.filled_ml.reshape(-1, *cases.shape)
    leaked = stepper.by_route().tolist()
    volumes = torch.stack([v for v, _ in stepper.trace], 1)
    routes = torch.stack([r for _, r in stepper.trace], 1)
    return [
        Injection(
            filled=on_site_grid(boxes[n], vertebra, site) / site.voxel_ml,
            leaked_ml=dict(zip(ROUTES, leaked[n], strict=True)),
            injected_ml=float(stepper.injected_ml[n]),
            pressure_pa=float(stepper.peak_pa[n]),
            trace_ml=volumes[n],
            trace_leaked_ml=routes[n],
            opening_leaked_ml=stepper.leaked_ml[cases.opening_site == n],
            prepared=vertebra,
        )
        for n, (site, vertebra) in enumerate(zip(sites, vertebrae, strict=True))
    ]
