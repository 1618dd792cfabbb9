"""A batch of vertebrae laid out for the flow solver: boxes around the bodies, padded to one size and flattened."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vertseg.cement.openings import Openings, body_surface, entrance_m3, fullness, openings_of
from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.permeability import drain, permeability, resident_viscosity
from vertseg.cement.plan import CLEFT_ML, LESION_ML, InjectionPlan, Landmarks, cannula_tips
from vertseg.cement.site import InjectionSite, beside
from vertseg.cement.transport import Contacts
from vertseg.cement.vessels import BodyFrame, Vessel, draw_vessels
from vertseg.errors import InputError

MARGIN: Final = 1
"""Empty voxels around a body's box; the flat stencil needs at least one."""


@dataclass(frozen=True)
class Vertebra:
    """One site prepared for the solver; fields are (X, Y, Z) of the body's box without margin.

    Attributes:
        low: (3,) first voxel of the box in the site's grid.
        capacity_ml: pore volume that cement takes over.
        across: permeability to the right and forward, m2.
        along: permeability upward, m2.
        resident_pa_s: viscosity of what the cement displaces.
        drain_m3: conductance x viscosity of the shell's pores for marrow.
        source: share of the injection.
        openings: ways out for cement.
        entrance_m3: (J,) conductance x viscosity of the bone before each contact of an opening.
        vessels: what was drawn for this patient.
        tips_mm: (n, 3) cannula tips in the site's coordinates.
        viscosity_factor: this batch of cement against its class.
    """

    low: tuple[int, int, int]
    capacity_ml: Tensor
    across: Tensor
    along: Tensor
    resident_pa_s: Tensor
    drain_m3: Tensor
    source: Tensor
    openings: Openings
    entrance_m3: Tensor
    vessels: list[Vessel]
    tips_mm: Tensor
    viscosity_factor: float


def prepare(site: InjectionSite, plan: InjectionPlan, seed: int, parameters: InjectionParameters) -> Vertebra:
    """Draw what is hidden and lay out one vertebra.

    The venous anatomy, the operator and the cement's batch have streams of their own under `seed`, so that plans
    with the same seed meet the same patient.

    Raises:
        InputError: the site has no body.
    """
    anatomy, operator, material, texture = (np.random.default_rng([seed, 41, i]) for i in range(4))
    box, low = _boxed(site)
    frame = BodyFrame.of(box.body.cpu().numpy(), box.spacing_mm)
    vessels = _spared(draw_vessels(frame, site.foramen_mm, anatomy, parameters), box)
    centre = torch.as_tensor(frame.centre_mm, dtype=torch.float32, device=box.body.device)
    across, along = permeability(box, vessels, centre, texture, parameters)
    surface = body_surface(box)
    openings = openings_of(box, vessels, surface, parameters)
    seen = Landmarks(
        frame.centre_mm, frame.size_mm, _middle(box.cleft, box, CLEFT_ML), _middle(box.lesion, box, LESION_ML)
    )
    aimed = cannula_tips(plan, seen, operator, parameters)
    # An operator who sees a cleft leads the needle into it.
    target = box.cleft if seen.cleft_mm is not None else box.body
    full = fullness(box, surface)
    half_mm = (full - 0.5).clamp_min(0.1) * box.spacing_mm
    tips = torch.as_tensor(aimed, dtype=torch.float32, device=box.body.device)
    tips, source = _source(target, tips, box.spacing_mm, parameters.cannula_mm)
    corner = torch.as_tensor([n * box.spacing_mm for n in low], device=box.body.device)
    return Vertebra(
        low, _capacity_ml(box, full, parameters), across * box.body, along * box.body,
        resident_viscosity(box, parameters), drain(surface, parameters),
        source,
        openings, entrance_m3(openings, surface, (across, along), half_mm), vessels, tips + corner,
        float(np.exp(parameters.rheology_scatter * material.standard_normal())),
    )  # fmt: skip


def _capacity_ml(site: InjectionSite, full: Tensor, parameters: InjectionParameters) -> Tensor:
    """Pore volume (X, Y, Z) that cement takes over; a cleft is all pore."""
    pores = parameters.displacement * (1.0 - site.bone_volume.clamp(0.0, 0.9))
    cleft = site.cleft.float() if site.cleft_share is None else site.cleft_share
    return (
        (torch.lerp(pores, torch.ones_like(pores), cleft) * full).clamp(max=1.0) * site.body * site.voxel_ml
    )


def _spared(vessels: list[Vessel], site: InjectionSite) -> list[Vessel]:
    """The vessels but for veins that would leave the body through a lesion: tumour has taken their place.

    Vascular leaks are rarer in osteolytic vertebrae (Corcos et al., Spine 2014;39(5), p = 0.033).
    """
    if site.lesion is None:
        return vessels
    sick = beside(site.lesion, site.spacing_mm).cpu().numpy()
    last = np.array(sick.shape) - 1

    def spared(vessel: Vessel) -> bool:
        at = np.clip(np.rint(vessel.wall_mm / site.spacing_mm).astype(int), 0, last)
        return vessel.route < 0 or not bool(sick[tuple(at)])

    return [vessel for vessel in vessels if spared(vessel)]


def _boxed(site: InjectionSite) -> tuple[InjectionSite, tuple[int, int, int]]:
    """The site cut to its body's box with `MARGIN`."""
    inside = torch.nonzero(site.body)
    if not len(inside):
        raise InputError("The site holds no vertebral body; cement has nowhere to go.")
    low = [int(n) - MARGIN for n in inside.min(0).values]
    high = [int(n) + 1 + MARGIN for n in inside.max(0).values]

    def cut(field: Tensor) -> Tensor:
        pads: list[int] = []
        for axis in (2, 1, 0):
            pads += [max(0, -low[axis]), max(0, high[axis] - field.shape[axis])]
        padded = F.pad(field, pads)
        window = tuple(slice(a + max(0, -a), b + max(0, -a)) for a, b in zip(low, high, strict=True))
        return padded[window]

    changed: dict[str, Any] = {
        f.name: cut(getattr(site, f.name)) for f in fields(site) if isinstance(getattr(site, f.name), Tensor)
    }
    return replace(site, **changed), (low[0], low[1], low[2])


def on_site_grid(field: Tensor, vertebra: Vertebra, site: InjectionSite) -> Tensor:
    """A field (X, Y, Z) of a batch's box back on the site's own grid, 0 elsewhere."""
    out = torch.zeros_like(site.bone_volume)
    into, out_of = [], []
    for first, box, grid in zip(vertebra.low, vertebra.source.shape, out.shape, strict=True):
        start, stop = max(0, first), min(grid, first + box)
        into.append(slice(start, stop))
        out_of.append(slice(start - first, stop - first))
    out[tuple(into)] = field[tuple(out_of)]
    return out


def _middle(mask: Tensor | None, site: InjectionSite, least_ml: float) -> NDArray[np.float64] | None:
    """Middle (3,) in mm of a mask of at least `least_ml`, else None."""
    if mask is None or float(mask.sum()) * site.voxel_ml < least_ml:
        return None
    return (torch.nonzero(mask).double().mean(0) * site.spacing_mm).cpu().numpy()


def _source(target: Tensor, tips_mm: Tensor, spacing_mm: float, radius_mm: float) -> tuple[Tensor, Tensor]:
    """Tips moved into the target where they lie outside, and a ball of injection at each (X, Y, Z), sum 1."""
    inside = torch.nonzero(target)
    source = torch.zeros(target.shape, device=target.device)
    moved = []
    for tip in tips_mm:
        near = inside[(inside * spacing_mm - tip).norm(dim=1).argmin()] * spacing_mm
        # Drawn in as far as the face of the nearest voxel, not to its middle, which hangs on the grid.
        beyond = float((near - tip).norm()) / (0.5 * spacing_mm)
        tip = near + (tip - near) / max(1.0, beyond)
        distance = (inside * spacing_mm - tip).norm(dim=1)
        # A soft edge, so that a voxel's size does not decide how much of the ball it holds.
        weight = ((radius_mm - distance) / spacing_mm + 0.5).clamp(0.0, 1.0)
        source[tuple(inside.T)] += weight / (weight.sum() * len(tips_mm))
        moved.append(tip.float())
    return torch.stack(moved), source


@dataclass(frozen=True)
class Batch:
    """Prepared vertebrae in flat arrays (N, M).

    Attributes:
        shape: (X, Y, Z) of the common box.
        spacing_mm: voxel edge, the same for all.
        entrance_m3: (J,) conductance x viscosity of the bone before each contact.
        opening_site: (E,) row of each opening; the fields of `Openings` are joined likewise.
    """

    shape: tuple[int, int, int]
    spacing_mm: float
    capacity_ml: Tensor
    across: Tensor
    along: Tensor
    resident_pa_s: Tensor
    drain_m3: Tensor
    source: Tensor
    contacts: Contacts
    entrance_m3: Tensor
    opening_site: Tensor
    openings: Openings


def batch(vertebrae: Sequence[Vertebra], spacing_mm: float) -> Batch:
    """Pad prepared vertebrae to one box and join their openings."""
    shapes = [v.source.shape for v in vertebrae]
    x, y, z = (max(s[axis] for s in shapes) for axis in range(3))

    def flat(name: str) -> Tensor:
        rows = []
        for v in vertebrae:
            field = getattr(v, name)
            a, b, c = field.shape
            rows.append(F.pad(field.float(), [0, z - c, 0, y - b, 0, x - a]).reshape(-1))
        return torch.stack(rows)

    device = vertebrae[0].source.device
    counts = [len(v.openings.route) for v in vertebrae]
    starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
    stride = torch.tensor([y * z, z, 1], device=device)

    def joined(name: str) -> Tensor:
        return torch.cat([getattr(v.openings, name) for v in vertebrae])

    opening = torch.cat([v.openings.opening + s for v, s in zip(vertebrae, starts, strict=False)])
    voxel = torch.cat([(v.openings.voxel * stride).sum(1) for v in vertebrae])
    row = torch.cat(
        [torch.full((len(v.openings.opening),), n, device=device) for n, v in enumerate(vertebrae)]
    )
    joint = Openings(
        joined("route"), joined("section_mm2"), joined("length_mm"), joined("yield_per_mm"), opening,
        joined("voxel"), joined("share"), joined("conductance_m4"),
    )  # fmt: skip
    return Batch(
        (x, y, z), spacing_mm, flat("capacity_ml"), flat("across"), flat("along"), flat("resident_pa_s"),
        flat("drain_m3"), flat("source"), Contacts(row, voxel, opening, joint.share),
        torch.cat([v.entrance_m3 for v in vertebrae]),
        torch.repeat_interleave(torch.arange(len(counts), device=device), torch.tensor(counts, device=device)),
        joint,
    )  # fmt: skip
