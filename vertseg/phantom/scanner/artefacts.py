"""Beam hardening between dense bones and streaks of metal, made in projections of small slices."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vertseg.phantom.scanner.noise import WATER_PER_MM
from vertseg.phantom.scanner.radon import Radon

METAL_HU = 3000.0
"""Above this a voxel is metal; cortical bone stays below 2,000, PMMA with barium or zirconia mostly below 3,000."""

_BONE_HU = 150.0
# A scanner counts some 2e5 photons in each of about 1,000 views and 900 bins; here one of 120 views and
# 1.5 mm bins stands for some 25 of them.
_PHOTONS = 5.0e6
_DARKEST_HU, _BRIGHTEST_HU = -900.0, 1500.0


@dataclass(frozen=True)
class Artefacts:
    """Strengths of what is wrong with a scan; 0 leaves it out.

    Attributes:
        hardening: attenuation missing from a ray through bone, per squared bone attenuation; scanners correct
            for water and leave a second-order error of bone (Joseph and Spital, JCAT 1978;2:100); 0.1 is
            4 % of a ray through 20 mm of cortex.
        streaks: share of metal's error that is left; 1 without, about 0.3 with metal artefact reduction.
    """

    hardening: float = 0.0
    streaks: float = 0.0


CLEAN = Artefacts()
"""Nothing is wrong."""


def draw_artefacts(rng: np.random.Generator) -> Artefacts:
    """Slight hardening in most scans; metal, where there is any, mostly without artefact reduction."""
    hardening = float(np.exp(rng.normal(np.log(0.1), 0.5))) if rng.random() < 0.6 else 0.0
    return Artefacts(
        min(0.3, hardening), float(rng.uniform(0.5, 1.0) if rng.random() < 0.7 else rng.uniform(0.1, 0.4))
    )


def _pooled(values: Tensor, factors: tuple[int, int, int]) -> Tensor:
    return F.avg_pool3d(values[None, None], factors, ceil_mode=True, count_include_pad=False)[0, 0]


def _hats(fine: int, coarse: int, factor: int, device: torch.device) -> Tensor:
    """(fine, coarse) weights of linear interpolation from block means."""
    at = (torch.arange(fine, device=device) + 0.5) / factor - 0.5
    at = at.clamp(0.0, coarse - 1.0)
    return (1.0 - (at[:, None] - torch.arange(coarse, device=device)).abs()).clamp_min(0.0)


def _stretched(values: Tensor, shape: tuple[int, ...], factors: tuple[int, int, int]) -> Tensor:
    """Trilinear values at the voxels from means of blocks of `factors` voxels."""
    x, y, z = (_hats(n, c, f, values.device) for n, c, f in zip(shape, values.shape, factors, strict=True))
    out = torch.tensordot(x, values @ z.T, dims=([1], [0]))
    return torch.matmul(y, out)


def hardening(hu: Tensor, spacing_mm: tuple[float, float, float], strength: float) -> Tensor:
    """What beam hardening by bone adds, HU (X, Y, Z): dark between dense bones, bright beside, mean zero.

    Computed at about 5 mm, at which it is smooth.
    """
    factors = tuple(max(1, round(5.0 / s)) for s in spacing_mm)
    factors = (factors[0], factors[1], factors[2])
    bone = _pooled((hu.clamp(max=METAL_HU) - _BONE_HU).clamp_min(0.0), factors) * (WATER_PER_MM / 1000.0)
    radon = Radon(
        (bone.shape[0], bone.shape[1]),
        (spacing_mm[0] * factors[0], spacing_mm[1] * factors[1]),
        30,
        hu.device,
    )
    missing = radon.reconstruct(-strength * radon.project(bone) ** 2) * (1000.0 / WATER_PER_MM)
    inside = _pooled((hu > -300.0).float(), factors)
    mean = (missing * inside).sum((0, 1)) / inside.sum((0, 1)).clamp_min(1.0)
    return _stretched(missing - mean, hu.shape, factors)


def metal_streaks(
    hu: Tensor, spacing_mm: tuple[float, float, float], depth_mm: float,
    strength: float, generator: torch.Generator,
) -> Tensor | None:  # fmt: skip
    """What metal adds, HU (X, Y, Z): streaks by hardening and by too few photons; None without metal.

    Only the slices with metal are touched. The rays through metal lose attenuation (the beam hardens) and
    carry the noise of the few photons that came through.

    Args:
        hu: (X, Y, Z); metal lies above `METAL_HU`.
        spacing_mm: of the voxels.
        depth_mm: water that every ray passes besides.
        strength: share of the error that is left.
        generator: on the CPU.
    """
    touched = (hu.amax((0, 1)) > METAL_HU).nonzero().flatten()
    if len(touched) == 0 or strength <= 0:
        return None
    part = hu[:, :, touched]
    factors = (max(1, round(1.5 / spacing_mm[0])), max(1, round(1.5 / spacing_mm[1])), 1)
    metal = _pooled(torch.where(part > METAL_HU, part, torch.zeros_like(part)), factors)
    pixel = (spacing_mm[0] * factors[0], spacing_mm[1] * factors[1])
    radon = Radon((metal.shape[0], metal.shape[1]), pixel, 120, hu.device)
    path = radon.project(metal * (WATER_PER_MM / 1000.0))
    hardened = -0.5 * path**2 / (1.0 + path)
    total = (path + WATER_PER_MM * depth_mm).clamp(max=11.0)
    chance = torch.randn(path.shape, generator=generator).to(hu.device)
    starved = chance * torch.sqrt(torch.exp(total) / _PHOTONS) * (path > 0.05)
    error = radon.reconstruct(hardened + starved) * (strength * 1000.0 / WATER_PER_MM)
    free = (metal == 0).float()
    error = error - (error * free).sum((0, 1)) / free.sum((0, 1)).clamp_min(1.0)
    added = torch.zeros_like(hu)
    shape = (hu.shape[0], hu.shape[1], len(touched))
    added[:, :, touched] = _stretched(error, shape, factors).clamp(_DARKEST_HU, _BRIGHTEST_HU)
    return added
