"""How easily fluid moves through each voxel of a vertebra, and what moves there before the cement comes."""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vertseg.cement.openings import KERNEL_MM, Surface
from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.routes import BASIVERTEBRAL
from vertseg.cement.site import InjectionSite, beside, beyond_mm
from vertseg.cement.vessels import Vessel

BONE_RANGE: Final = (0.04, 0.60)
"""Bone share that Kozeny-Carman is asked for; below, its pores would grow without bound."""

_SCATTER_KNOTS: Final = 14


def kozeny_carman(bone_volume: Tensor, reference: float) -> Tensor:
    """Permeability relative to bone of share `reference`: porosity^3 / (surface per volume)^2 (Kozeny-Carman).

    The surface of trabeculae of thickness t is 2 / t a volume of bone, and t grows about with the root of the bone's
    share (trabeculae thin as bone is lost; Hildebrand 1999, JBMR 14:1167-74), so its square goes with the share.
    """
    share = bone_volume.clamp(*BONE_RANGE)
    return ((1 - share) / (1 - reference)) ** 3 * (reference / share)


def permeability(
    site: InjectionSite,
    vessels: list[Vessel],
    centre_mm: Tensor,
    rng: np.random.Generator,
    parameters: InjectionParameters,
) -> tuple[Tensor, Tensor]:
    """Permeability in m2 across (right, anterior) and along (up) the vertebra, each (X, Y, Z).

    Bone by Kozeny-Carman with local scatter; veins add a channel of pi r^4 / 8, spread over `KERNEL_MM`, where the
    marrow is alive (not in a lesion or cleft or its lining); clefts are slits,
    lined but where they reach a gap of the shell.
    """
    points = _points(site, centre_mm)
    scatter = torch.exp(parameters.permeability_scatter * _smooth_noise(points, rng, parameters))
    relative = kozeny_carman(site.bone_volume, parameters.reference_bone_volume) * scatter
    lining = _lining(site, parameters)
    relative = relative / (1 - lining + lining / parameters.membrane)
    dead = site.cleft | (lining > 0.5)
    if site.lesion is not None:
        dead = dead | site.lesion
    channels = torch.zeros_like(relative)
    for vessel in vessels:
        lake = (site.foramen_mm, parameters.foramen_depth_mm) if vessel.route == BASIVERTEBRAL else (0.0, 1.0)
        channels += _channel(vessel, points, centre_mm, lake)
    channels = torch.where(dead, 0.0, channels) + _crack_zone(site, parameters)
    slit = (parameters.cleft_aperture_mm * 1e-3) ** 2 / 12
    across, along = parameters.permeability_m2[0], parameters.permeability_m2[2]
    fields = [torch.where(site.cleft, slit, relative * k + channels) for k in (across, along)]
    return fields[0], fields[1]


def resident_viscosity(site: InjectionSite, parameters: InjectionParameters) -> Tensor:
    """Viscosity in Pa s of what fills each voxel before the cement: marrow, tumour, or gas (X, Y, Z)."""
    field = torch.full_like(site.bone_volume, parameters.marrow_pa_s)
    if site.lesion is not None:
        field = torch.where(site.lesion, parameters.tumour_pa_s, field)
    return torch.where(site.cleft, parameters.gas_pa_s, field)


def drain(surface: Surface, parameters: InjectionParameters) -> Tensor:
    """Conductance x viscosity in m3 of the fine pores of shell and endplates, which let marrow out but no cement.

    The shell is sieved by `cortical_porosity` of tubes of `pore_radius_mm` (X, Y, Z).
    """
    k = parameters.cortical_porosity * (parameters.pore_radius_mm * 1e-3) ** 2 / 8
    return surface.area_mm2 * 1e-6 * k / (parameters.cortex_mm * 1e-3)


def _lining(site: InjectionSite, parameters: InjectionParameters) -> Tensor:
    """Share of each voxel (X, Y, Z) that the lining of a cleft takes, measured outward; none near a gap of the shell."""
    if not bool(site.cleft.any()):
        return torch.zeros_like(site.bone_volume)
    thick, h = parameters.membrane_mm, site.spacing_mm
    inner = beyond_mm(site.cleft, thick + h, h) - 0.5 * h
    share = ((thick - inner) / h).clamp(0.0, 1.0)
    torn = beyond_mm(site.open_cortex | site.endplate_break, thick, h) <= thick
    return torch.where(site.cleft | torn, 0.0, share)


def _crack_zone(site: InjectionSite, parameters: InjectionParameters) -> Tensor:
    """Permeability that cracks add behind gaps of the shell, fading inward over `crack_mm`; none in a lesion.

    A plane crack of aperture a carries a^3 / 12 for each metre of its length, shared over `KERNEL_MM` on its sides.
    """
    torn = site.open_cortex | site.endplate_break
    if site.lesion is not None:
        torn = torn & ~beside(site.lesion, site.spacing_mm)
    if not bool(torn.any()):
        return torch.zeros_like(site.bone_volume)
    distance = beyond_mm(torn, parameters.crack_mm, site.spacing_mm)
    near = (1 - distance / parameters.crack_mm).clamp_min(0.0)
    aperture = parameters.gap_mm * 1e-3
    return near * aperture**3 / (12 * 2 * KERNEL_MM * 1e-3)


def _points(site: InjectionSite, centre_mm: Tensor) -> Tensor:
    axes = [torch.arange(n, device=site.body.device) * site.spacing_mm for n in site.body.shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) - centre_mm


def _channel(vessel: Vessel, points: Tensor, centre_mm: Tensor, lake: tuple[float, float]) -> Tensor:
    """Permeability in m2 that a tube adds to the voxels around its axis; integrates to pi r^4 / 8 over a section.

    `lake` is the radius at the wall and the depth in mm of a cone that widens the tube.
    """
    start = torch.as_tensor(vessel.start_mm, dtype=torch.float32, device=points.device) - centre_mm
    axis = torch.as_tensor(vessel.wall_mm - vessel.start_mm, dtype=torch.float32, device=points.device)
    length = axis.norm()
    if float(length) < 1e-3:
        return torch.zeros(points.shape[:-1], device=points.device)
    offset = points - start
    along = (offset @ (axis / length)).clamp(min=torch.zeros_like(length), max=length)
    distance = (offset - along[..., None] * (axis / length)).norm(dim=-1)
    weight = (1 - (distance / KERNEL_MM) ** 2).clamp_min(0.0) * 2 / (torch.pi * (KERNEL_MM * 1e-3) ** 2)
    cone = lake[0] * (1 - (length - along) / lake[1])
    radius = cone.clamp_min(vessel.radius_mm) * 1e-3
    conductance: Tensor = weight * torch.pi * radius**4 / 8
    return conductance


def _smooth_noise(points: Tensor, rng: np.random.Generator, parameters: InjectionParameters) -> Tensor:
    """Normal noise that varies over `scatter_length_mm`, the same in space whatever the grid (X, Y, Z)."""
    knots = rng.standard_normal((_SCATTER_KNOTS,) * 3).astype(np.float32)
    lattice = torch.as_tensor(knots, device=points.device)[None, None]
    half = 0.5 * (_SCATTER_KNOTS - 1) * parameters.scatter_length_mm
    where = (points / half).flip(-1)[None].float()
    noise = F.grid_sample(lattice, where, mode="bilinear", padding_mode="reflection", align_corners=True)
    # Interpolation between knots takes away variance; on average over a cell a factor of 8/27.
    steady: Tensor = noise[0, 0] * (27 / 8) ** 0.5
    return steady
