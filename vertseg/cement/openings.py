"""Openings of the shell through which cement can leave: veins, occult gaps, and cortex or endplate that is gone."""

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.routes import CORTEX_CANAL, CORTEX_OTHER, DISC
from vertseg.cement.site import InjectionSite, beside, dilate
from vertseg.cement.vessels import Vessel

KERNEL_MM: Final = 2.5
"""Radius over which a vessel's flow is shared among voxels, whatever their size: above half the diagonal of the
coarsest voxel that is simulated (1.5 mm), so that halving the voxel leaves the vessel where it was."""

ENDPLATE_SLOPE: Final = 0.7
"""A surface whose normal is steeper than this (cosine to the vertebra's axis) is an endplate."""


@dataclass(frozen=True)
class Openings:
    """Openings of one vertebra and how they touch its voxels.

    Attributes:
        route: (E,) index into `routes.ROUTES`.
        section_mm2: (E,) cross-section that cement fills as it advances.
        length_mm: (E,) way until the resistance no longer grows.
        yield_per_mm: (E,) pressure over yield stress that each mm of stagnant cement holds back (2 / radius).
        opening: (J,) opening of each contact.
        voxel: (J, 3) voxel of each contact.
        share: (J,) part of its opening; sums to 1 over an opening.
        conductance_m4: (E,) conductance x viscosity x length: pi r^4 / 8 of a tube, area x gap^2 / 12 of a crack.
    """

    route: Tensor
    section_mm2: Tensor
    length_mm: Tensor
    yield_per_mm: Tensor
    opening: Tensor
    voxel: Tensor
    share: Tensor
    conductance_m4: Tensor


@dataclass(frozen=True)
class Surface:
    """Boundary of a body.

    Attributes:
        area_mm2: (X, Y, Z) surface that each boundary voxel carries, 0 elsewhere.
        up: (X, Y, Z) cosine of the outward normal to the vertebra's axis.
        voxels: (B, 3) boundary voxels.
    """

    area_mm2: Tensor
    up: Tensor
    voxels: Tensor


def body_surface(site: InjectionSite) -> Surface:
    """Surface of the body without its contact with the pedicles."""
    body = site.body
    # Means of 3 voxels add up to the same smoothing in mm on any grid.
    passes = max(1, round(2 * (1.5 / site.spacing_mm) ** 2))
    pad = passes + 2
    smooth = F.pad(body[None, None].float(), [pad] * 6)
    for _ in range(passes):
        smooth = F.avg_pool3d(smooth, 3, 1, 1)
    gradient = torch.stack(torch.gradient(smooth[0, 0]))[:, pad:-pad, pad:-pad, pad:-pad]
    normal = -gradient / gradient.norm(dim=0).clamp_min(1e-6)
    bone = F.pad(body | site.posterior, [1] * 6)
    area = torch.zeros_like(site.bone_volume)
    for axis in range(3):
        for step in (0, 2):
            window = [slice(1, -1)] * 3
            window[axis] = slice(step, bone.shape[axis] - 2 + step)
            area += (body & ~bone[tuple(window)]) * normal[axis].abs()
    area = area * site.spacing_mm**2
    return Surface(area, normal[2], torch.nonzero(area > 0))


def openings_of(
    site: InjectionSite, vessels: list[Vessel], surface: Surface, parameters: InjectionParameters
) -> Openings:
    """All openings of a vertebra: vessels first, then one for each voxel of open cortex or broken endplate."""
    tubes = [_tube(vessel, site, surface) for vessel in vessels]
    cracks = _cracks(site, surface, parameters)
    parts = [part for part in [*tubes, cracks] if len(part.route)]
    if not parts:
        return cracks
    counts = [0]
    for part in parts:
        counts.append(counts[-1] + len(part.route))
    opening = torch.cat([part.opening + start for part, start in zip(parts, counts, strict=False)])
    joined = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("route", "section_mm2", "length_mm", "yield_per_mm", "voxel", "share", "conductance_m4")
    }
    return Openings(opening=opening, **joined)


def fullness(site: InjectionSite, surface: Surface) -> Tensor:
    """Share (X, Y, Z) of a voxel's edge that lies in the body, 1 but at its surface.

    It is above 1 where the voxel outside the mask still holds some of the body, which belongs to the one before it.
    """
    if site.depth_mm is None:
        return torch.ones_like(site.bone_volume)
    share = (0.5 + site.depth_mm / site.spacing_mm).clamp(0.3, 1.7)
    return torch.where(surface.area_mm2 > 0, share, 1.0)


def entrance_m3(
    openings: Openings, surface: Surface, permeability_m2: tuple[Tensor, Tensor], length_mm: Tensor
) -> Tensor:
    """Conductance x viscosity (J,) of the bone between the middle of each contact's voxel and its outer face.

    Without this half voxel an opening would lie nearer to the cannula, and leak more, the coarser the grid is. An
    opening that touches several voxels draws on all their bone, by its shares.

    Args:
        openings: whose contacts.
        surface: of the same body.
        permeability_m2: across and along the vertebra, each (X, Y, Z).
        length_mm: (X, Y, Z) from the middle of a boundary voxel to the surface.
    """
    at = tuple(openings.voxel.T)
    across, along = (field[at] for field in permeability_m2)
    upright = surface.up[at] ** 2
    k = (1 - upright) * across + upright * along
    each = surface.area_mm2[at] * 1e-6 * k / (length_mm[at] * 1e-3)
    whole = torch.zeros(len(openings.route), device=each.device).index_add_(0, openings.opening, each)
    return openings.share * whole[openings.opening]


def _tube(vessel: Vessel, site: InjectionSite, surface: Surface) -> Openings:
    device = site.body.device
    wall = torch.as_tensor(vessel.wall_mm, dtype=torch.float32, device=device)
    distance = (surface.voxels * site.spacing_mm - wall).norm(dim=1)
    weight = (1 - (distance / KERNEL_MM) ** 2).clamp_min(0.0)
    if not bool((weight > 0).any()):
        weight = (distance == distance.min()).float()
    near = weight > 0
    voxel, share = surface.voxels[near], weight[near] / weight.sum()
    route = vessel.route
    if route < 0:
        i, j, k = voxel[share.argmax()]
        route = _route_of_gap(site, surface, (int(i), int(j), int(k)))
    radius = vessel.radius_mm
    one = torch.ones(1, device=device)
    return Openings(
        torch.tensor([route], device=device), one * torch.pi * radius**2, one * vessel.length_mm,
        one * 2.0 / radius, torch.zeros(len(voxel), dtype=torch.long, device=device), voxel, share,
        one * torch.pi * (radius * 1e-3) ** 4 / 8,
    )  # fmt: skip


def _route_of_gap(site: InjectionSite, surface: Surface, voxel: tuple[int, int, int]) -> int:
    if abs(float(surface.up[voxel])) > ENDPLATE_SLOPE:
        return DISC
    near = dilate(site.canal, max(1, round(2.5 / site.spacing_mm)))
    return CORTEX_CANAL if bool(near[voxel]) else CORTEX_OTHER


def _cracks(site: InjectionSite, surface: Surface, parameters: InjectionParameters) -> Openings:
    """An opening for each boundary voxel whose cortex or endplate is gone."""
    device = site.body.device
    gone = (site.open_cortex | site.endplate_break).float() if site.open_share is None else site.open_share
    open_mm2 = gone * surface.area_mm2
    voxel = torch.nonzero(open_mm2 > 0)
    n = len(voxel)
    at = tuple(voxel.T)
    canal = dilate(site.canal, max(1, round(2.5 / site.spacing_mm)))[at]
    plate = (surface.up[at].abs() > ENDPLATE_SLOPE) | site.endplate_break[at]
    route = torch.where(plate, DISC, torch.where(canal, CORTEX_CANAL, CORTEX_OTHER))
    area = open_mm2[at]
    lysed = torch.zeros_like(site.body) if site.lesion is None else beside(site.lesion, site.spacing_mm)
    gap = torch.where(lysed[at], parameters.hole_mm, parameters.gap_mm)
    ones = torch.ones(n, device=device)
    return Openings(
        route, area, ones * parameters.gap_length_mm, ones * 2.0 / gap,
        torch.arange(n, device=device), voxel, ones, area * 1e-6 * (gap * 1e-3) ** 2 / 12,
    )  # fmt: skip
