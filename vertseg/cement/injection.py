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

from vertseg.cement.domain import Batch, Vertebra, batch, prepare
from vertseg.cement.parameters import LEAK_THRESHOLD_ML, InjectionParameters, Rheology
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.pressure import Stencil, solve_pressure
from vertseg.cement.routes import CANAL_ROUTES, LABEL_OF_ROUTE, ROUTES
from vertseg.cement.site import InjectionSite
from vertseg.cement.transport import Flow, place_cement
from vertseg.errors import ConfigError
from vertseg.labels import LEAK_ROUTES

STEP_ML: Final = 0.15
"""Largest portion placed with one pressure field."""

_FIRST_STEP_ML: Final = 0.03
_ENTRANCE_MM: Final = 3.0
"""Cement counted in an opening as soon as the voxels before it are full: its first millimetres fill within a step."""

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
    def canal_leak(self) -> bool:
        """Whether at least `LEAK_THRESHOLD_ML` lies in the spinal canal, by vein or defect."""
        return sum(self.leaked_ml[r] for r in CANAL_ROUTES) >= LEAK_THRESHOLD_ML

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


def step_volumes(volume_ml: float) -> list[float]:
    """Portions in ml of an injection; those of a smaller volume are the same but for the last."""
    portions: list[float] = []
    left, portion = volume_ml, _FIRST_STEP_ML
    while left > 1e-6:
        portions.append(min(portion, left))
        left -= portions[-1]
        portion = min(1.35 * portion, STEP_ML)
    return portions


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
    run = _Run(batch(vertebrae, sites[0].spacing_mm), vertebrae, plans, parameters)
    for portion in step_volumes(max(p.volume_ml for p in plans)):
        run.step(portion)
    return run.results(sites)


class _Run:
    """State of a batch during the injection."""

    def __init__(
        self,
        cases: Batch,
        vertebrae: list[Vertebra],
        plans: Sequence[InjectionPlan],
        parameters: InjectionParameters,
    ) -> None:
        self._cases, self._vertebrae, self._parameters = cases, vertebrae, parameters
        device = cases.source.device
        column = {"dtype": torch.float32, "device": device}
        self._goal = torch.tensor([[p.volume_ml] for p in plans], **column)  # type: ignore[arg-type]
        kinds = [parameters.rheology[p.viscosity] for p in plans]
        factors = torch.tensor([[v.viscosity_factor] for v in vertebrae], **column)  # type: ignore[arg-type]
        self._rheology = _columns(kinds, factors)
        self._rate = parameters.flow_ml_min * 1e-6 / 60
        self._injected = torch.zeros_like(self._goal)
        self._filled = torch.zeros_like(cases.source)
        self._leaked = torch.zeros(len(cases.opening_site), device=device)
        self._pressure = torch.zeros_like(cases.source)
        self._peak = torch.zeros_like(self._goal)
        self._trace: list[tuple[Tensor, Tensor]] = []
        x, y, z = cases.shape
        self._offsets = (y * z, z, 1)

    def step(self, portion_ml: float) -> None:
        """Place one portion in every site that has not yet got its volume."""
        cases = self._cases
        share = (self._filled / cases.capacity_ml.clamp_min(1e-12)).clamp(0.0, 1.0)
        cement, stress = self._thickness()
        flow = self._flow(share, cement, stress)
        portion = (self._goal - self._injected).clamp(min=0.0, max=portion_ml)
        self._filled, left = place_cement(
            flow, cases.contacts, self._filled, cases.capacity_ml, portion, len(self._leaked)
        )
        self._leaked = self._leaked + left
        at_tip = (self._pressure * cases.source).sum(1, keepdim=True)
        self._peak = torch.where(portion > 0, torch.maximum(self._peak, at_tip), self._peak)
        self._injected = self._injected + portion
        self._trace.append((self._injected[:, 0], self._by_route()))

    def _thickness(self) -> tuple[Tensor, Tensor]:
        """Viscosity (Pa s) and yield stress (Pa) of each site's cement now, (N, 1)."""
        viscosity, stress, doubling = self._rheology
        seconds = self._injected / self._parameters.flow_ml_min * 60
        growth = 2 ** (seconds / doubling)
        return viscosity * growth, stress * growth

    def _flow(self, share: Tensor, cement: Tensor, stress: Tensor) -> Flow:
        """Solve the pressure and give the flow in shares of the injection rate."""
        cases = self._cases
        viscosity = share * cement + (1 - share) * cases.resident_pa_s
        h = cases.spacing_mm * 1e-3
        inside = cases.capacity_ml > 0
        across = torch.where(inside, viscosity / cases.across.clamp_min(1e-30), torch.inf)
        along = torch.where(inside, viscosity / cases.along.clamp_min(1e-30), torch.inf)
        links = []
        for resistance, step in zip((across, across, along), self._offsets, strict=True):
            link = torch.zeros_like(resistance)
            link[:, :-step] = 2 * h / (resistance[:, :-step] + resistance[:, step:])
            links.append(link)
        stencil = Stencil((links[0], links[1], links[2]), self._offsets)
        contact = self._contact_conductance(share, cement, stress)
        sink = cases.drain_m3 * (1 - share) / cases.resident_pa_s * inside
        at = (cases.contacts.site, cases.contacts.voxel)
        sink = sink.index_put(at, contact, accumulate=True)
        self._pressure = solve_pressure(stencil, sink, cases.source * self._rate, self._pressure)
        p = self._pressure
        forward = []
        for link, step in zip(links, self._offsets, strict=True):
            f = torch.zeros_like(link)
            f[:, :-step] = link[:, :-step] * (p[:, :-step] - p[:, step:]) / self._rate
            forward.append(f)
        out = contact * p[at].clamp_min(0.0) / self._rate
        return Flow((forward[0], forward[1], forward[2]), self._offsets, cases.source, out)

    def _contact_conductance(self, share: Tensor, cement: Tensor, stress: Tensor) -> Tensor:
        """Conductance (J,) in m3/(Pa s) of each opening at each voxel that it touches.

        A tube holds marrow until cement comes; then the column of cement resists by its viscosity, and by its
        yield stress against the pressure of the step before (as a Bingham body in a tube, to first order).
        """
        cases, openings, contacts = self._cases, self._cases.openings, self._cases.contacts
        at = (contacts.site, contacts.voxel)
        reached = torch.zeros_like(self._leaked).index_add_(0, contacts.opening, contacts.share * share[at])
        column = reached * _ENTRANCE_MM + self._leaked * 1000 / openings.section_mm2
        column = torch.minimum(column, openings.length_mm)
        mu = cement[cases.opening_site, 0]
        resistance = mu * column + self._parameters.marrow_pa_s * (openings.length_mm - column)
        free = openings.conductance_m4 / (resistance * 1e-3)
        held = stress[cases.opening_site, 0] * openings.yield_per_mm * column
        driving = self._pressure[at]
        passes = (1 - held[contacts.opening] / driving.clamp_min(1e-9)).clamp(0.0, 1.0)
        passes = torch.where(held[contacts.opening] > 0, passes, 1.0)
        return contacts.share * free[contacts.opening] * passes

    def _by_route(self) -> Tensor:
        """Cement outside (N, R) in ml."""
        n = len(self._goal)
        cell = self._cases.opening_site * len(ROUTES) + self._cases.openings.route
        flat = torch.zeros(n * len(ROUTES), device=self._leaked.device).index_add_(0, cell, self._leaked)
        return flat.reshape(n, len(ROUTES))

    def results(self, sites: Sequence[InjectionSite]) -> list[Injection]:
        """One `Injection` per site, on its own grid."""
        x, y, z = self._cases.shape
        boxes = self._filled.reshape(-1, x, y, z)
        leaked = self._by_route().tolist()
        volumes = torch.stack([v for v, _ in self._trace], 1)
        routes = torch.stack([r for _, r in self._trace], 1)
        out = []
        for n, (site, vertebra) in enumerate(zip(sites, self._vertebrae, strict=True)):
            filled = torch.zeros_like(site.bone_volume)
            source = vertebra.source.shape
            low = [max(0, a) for a in vertebra.low]
            skip = [l - a for l, a in zip(low, vertebra.low, strict=True)]
            size = [min(s - k, g - l) for s, k, g, l in zip(source, skip, filled.shape, low, strict=True)]
            into = tuple(slice(l, l + s) for l, s in zip(low, size, strict=True))
            out_of = tuple(slice(k, k + s) for k, s in zip(skip, size, strict=True))
            filled[into] = boxes[n][out_of] / site.voxel_ml
            out.append(
                Injection(
                    filled, dict(zip(ROUTES, leaked[n], strict=True)), float(self._injected[n]),
                    float(self._peak[n]), volumes[n], routes[n],
                    self._leaked[self._cases.opening_site == n], vertebra,
                )  # fmt: skip
            )
        return out


def _columns(kinds: Sequence[Rheology], factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Viscosity, yield stress and doubling time, each (N, 1)."""
    table = torch.tensor(
        [[k.viscosity_pa_s, k.yield_stress_pa, k.doubling_s] for k in kinds], device=factors.device
    )
    return table[:, :1] * factors, table[:, 1:2] * factors, table[:, 2:]
