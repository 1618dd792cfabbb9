"""One step of an injection after the other: viscosities, conductances, pressure, and the portion placed."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from vertseg.cement.domain import Batch, Vertebra
from vertseg.cement.parameters import InjectionParameters, Rheology
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.pressure import Stencil, solve_pressure
from vertseg.cement.routes import ROUTES
from vertseg.cement.transport import Flow, place_cement

STEP_ML: Final = 0.2
"""Largest portion placed with one pressure field; halving it twice changed one of 192 case-routes."""

_FIRST_STEP_ML: Final = 0.03
_ENTRANCE_MM: Final = 3.0
"""Cement counted in an opening as soon as the voxels before it are full: its first millimetres fill within a step."""


def step_volumes(volume_ml: float) -> list[float]:
    """Portions in ml of an injection; those of a smaller volume are the same but for the last."""
    portions: list[float] = []
    left, portion = volume_ml, _FIRST_STEP_ML
    while left > 1e-6:
        portions.append(min(portion, left))
        left -= portions[-1]
        portion = min(1.35 * portion, STEP_ML)
    return portions


class Stepper:
    """State of a batch during the injection.

    Attributes:
        filled_ml: (N, M) cement in each voxel.
        leaked_ml: (E,) cement outside through each opening.
        injected_ml: (N, 1) cement that left the cannulas.
        peak_pa: (N, 1) highest pressure at the tips so far.
        trace: injected (N,) and leaked by route (N, R) after each step.
    """

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
        self.injected_ml = torch.zeros_like(self._goal)
        self.filled_ml = torch.zeros_like(cases.source)
        self.leaked_ml = torch.zeros(len(cases.opening_site), device=device)
        self._pressure = torch.zeros_like(cases.source)
        self.peak_pa = torch.zeros_like(self._goal)
        self.trace: list[tuple[Tensor, Tensor]] = []
        _, y, z = cases.shape
        self._offsets = (y * z, z, 1)

    def step(self, portion_ml: float) -> None:
        """Place one portion in every site that has not yet got its volume."""
        cases = self._cases
        share = (self.filled_ml / cases.capacity_ml.clamp_min(1e-12)).clamp(0.0, 1.0)
        cement, stress = self._thickness()
        flow = self._flow(share, cement, stress)
        portion = (self._goal - self.injected_ml).clamp(min=0.0, max=portion_ml)
        self.filled_ml, left = place_cement(
            flow, cases.contacts, self.filled_ml, cases.capacity_ml, portion, len(self.leaked_ml)
        )
        self.leaked_ml = self.leaked_ml + left
        at_tip = (self._pressure * cases.source).sum(1, keepdim=True)
        self.peak_pa = torch.where(portion > 0, torch.maximum(self.peak_pa, at_tip), self.peak_pa)
        self.injected_ml = self.injected_ml + portion
        self.trace.append((self.injected_ml[:, 0], self.by_route()))

    def _thickness(self) -> tuple[Tensor, Tensor]:
        """Viscosity (Pa s) and yield stress (Pa) of each site's cement now, (N, 1)."""
        viscosity, stress, doubling = self._rheology
        seconds = self.injected_ml / self._parameters.flow_ml_min * 60
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
        contact = self._contact_conductance(share, viscosity, cement, stress)
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

    def _contact_conductance(
        self, share: Tensor, viscosity: Tensor, cement: Tensor, stress: Tensor
    ) -> Tensor:
        """Conductance (J,) in m3/(Pa s) of each opening at each voxel that it touches.

        The flow goes through the bone of the voxel's outer half and then through the opening. A tube holds marrow until cement comes; then the column of cement resists by its viscosity, and by its
        yield stress against the pressure of the step before (as a Bingham body in a tube, to first order).
        """
        cases, openings, contacts = self._cases, self._cases.openings, self._cases.contacts
        at = (contacts.site, contacts.voxel)
        reached = torch.zeros_like(self.leaked_ml).index_add_(0, contacts.opening, contacts.share * share[at])
        column = reached * _ENTRANCE_MM + self.leaked_ml * 1000 / openings.section_mm2
        column = torch.minimum(column, openings.length_mm)
        mu = cement[cases.opening_site, 0]
        resistance = mu * column + self._parameters.marrow_pa_s * (openings.length_mm - column)
        free = openings.conductance_m4 / (resistance * 1e-3)
        held = stress[cases.opening_site, 0] * openings.yield_per_mm * column
        driving = self._pressure[at]
        passes = (1 - held[contacts.opening] / driving.clamp_min(1e-9)).clamp(0.0, 1.0)
        passes = torch.where(held[contacts.opening] > 0, passes, 1.0)
        mouth = contacts.share * free[contacts.opening]
        entrance = cases.entrance_m3 / viscosity[at]
        return passes * mouth * entrance / (mouth + entrance)

    def by_route(self) -> Tensor:
        """Cement outside (N, R) in ml."""
        n = len(self._goal)
        cell = self._cases.opening_site * len(ROUTES) + self._cases.openings.route
        flat = torch.zeros(n * len(ROUTES), device=self.leaked_ml.device).index_add_(0, cell, self.leaked_ml)
        return flat.reshape(n, len(ROUTES))


def _columns(kinds: Sequence[Rheology], factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Viscosity, yield stress and doubling time, each (N, 1)."""
    table = torch.tensor(
        [[k.viscosity_pa_s, k.yield_stress_pa, k.doubling_s] for k in kinds], device=factors.device
    )
    return table[:, :1] * factors, table[:, 1:2] * factors, table[:, 2:]
