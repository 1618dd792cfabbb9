"""Metastases and myeloma: lytic, sclerotic and mixed lesions painted into a vertebra and marked."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.phantom.pathology.patch import Patch, slab
from vertseg.phantom.shapes import coverage, ellipsoid, smooth_max, smooth_min, waves
from vertseg.phantom.types import Array, Hidden, Lesion

LYTIC, SCLEROTIC, _, CEMENT = (FINDINGS.index(n) for n in FINDINGS)
ALIKE_MM: Final = 1.2
"""Narrowest margin between lesion and bone: trabeculae end one by one."""


def lesion_reach(lesion: Lesion) -> tuple[Array, Array]:
    """Centre (3,) and half sizes (3,) in mm of a box around a lesion's outline."""
    lobes = np.asarray(lesion.lobes or [(*lesion.centre, *lesion.radii)])
    low, high = (lobes[:, :3] - lobes[:, 3:]).min(0), (lobes[:, :3] + lobes[:, 3:]).max(0)
    slack = 2.5 + 0.25 * float(lobes[:, 3:].mean())
    return 0.5 * (low + high), 0.5 * (high - low) + slack


def outline(p: Tensor, lesion: Lesion) -> Tensor:
    """Distance (mm, negative inside) of a lesion: lobes grown together, their edge pushed in and out.

    Args:
        p: (..., 3) mm in the vertebra's frame.
        lesion: the lesion; without lobes it is one ellipsoid.
    """
    lobes = lesion.lobes or ((*lesion.centre, *lesion.radii),)
    return lobed(p, lobes, (float(lesion.phase[0]), float(lesion.phase[1]), float(lesion.phase[2])))


def lobed(p: Tensor, lobes: tuple[tuple[float, ...], ...], phase: tuple[float, float, float]) -> Tensor:
    """Distance (mm) of ellipsoids (centre and semi-axes, 6 numbers each) grown together, with a wavy edge."""
    first, *others = lobes
    distance = ellipsoid(p, tuple(first[:3]), tuple(first[3:]))
    for lobe in others:
        distance = smooth_min(distance, ellipsoid(p, tuple(lobe[:3]), tuple(lobe[3:])), 2.5)
    size = float(np.mean([lobe[3:] for lobe in lobes]))
    a, b, c = phase
    coarse = min(0.2 * size, 2.0) * waves(p, phase, 1.6 * size + 4.0)
    return distance + coarse + min(0.12 * size, 0.9) * waves(p, (b, c, a), 0.6 * size + 4.0)


def _phase(lesion: Lesion, turn: float) -> tuple[float, float, float]:
    a, b, c = (float(v) for v in lesion.phase)
    return (b + turn, c + 2 * turn, a - turn)


def paint_lytic(patch: Patch, lesion: Lesion) -> None:
    """Soft tissue in place of bone; the shell is gone where it broke, a mass may lie beyond it."""
    distance = patch.field(lambda p: outline(p, lesion))
    if lesion.extends_mm > 0:
        _paint_mass(patch, lesion, distance)
    if lesion.rim_hu > 0:
        rim = slab(distance - 0.7, 1.4, patch.width) * patch.inner
        patch.blend(rim, torch.maximum(patch.hu, torch.full_like(rim, lesion.rim_hu)))
    share, kept = _destroyed(patch, lesion)
    share = coverage(distance, max(patch.width, ALIKE_MM)) * share
    patch.blend(share, lesion.hu + 5.0 * patch.grain + _remnants(patch, lesion))
    _mark_lytic(patch, lesion, distance, kept)


def _remnants(patch: Patch, lesion: Lesion) -> Tensor:
    """HU of a few trabeculae that still stand in a lesion."""
    left = 60.0 * abs(float(np.sin(float(lesion.phase[0]))))
    return left * (patch.grain - 1.2).clamp_min(0.0)


def _destroyed(patch: Patch, lesion: Lesion) -> tuple[Tensor, Tensor]:
    """Share of each voxel that a lesion destroys, and where a piece of the shell still stands."""
    inner = patch.inner
    if not lesion.breaks_cortex:
        return inner, torch.ones_like(patch.inside)
    through = patch.through
    if lesion.shell_left <= 0:
        return through, torch.zeros_like(patch.inside)
    islands = patch.field(lambda p: waves(p, _phase(lesion, 1.0), 9.0))
    # `waves` is roughly normal with a spread of 0.41.
    level = 0.41 * float(np.sqrt(2) * _erf_inverse(1 - 2 * min(lesion.shell_left, 0.95)))
    kept = ((islands - level) / 0.15 + 0.5).clamp(0.0, 1.0)
    return through * (1 - kept) + inner * kept, kept > 0.5


def _erf_inverse(x: float) -> float:
    return float(torch.erfinv(torch.tensor(x)))


def _mark_lytic(patch: Patch, lesion: Lesion, distance: Tensor, kept: Tensor) -> None:
    mask = (distance <= 0) & patch.inside
    gone = mask & ~kept
    patch.mark(gone | (mask & (patch.inner > 0.5)), LYTIC)
    if lesion.breaks_cortex:
        patch.open_wall(gone, coverage(distance, patch.voxel_mm) * ~kept)
        patch.hide(gone & patch.cortex, Hidden.OPEN_CORTEX)


def _paint_mass(patch: Patch, lesion: Lesion, distance: Tensor) -> None:
    """The mass outside of the bone; the posterior ligament holds it back in the canal's midline."""
    p, s = patch.p, patch.ground.site.shape.sizes
    canal = (p[..., 1] < -0.4 * s["depth"]) & (p[..., 0].abs() < 0.5 * s["canal_width"])
    tether = torch.where(canal, 0.45 + 0.55 * (p[..., 0].abs() / 4.0).clamp(max=1.0), 1.0)
    mass = smooth_max(distance - 0.5, patch.whole - lesion.extends_mm * tether, 3.0)
    patch.blend(coverage(mass, 2.0) * patch.free, lesion.hu + 4.0 * patch.grain)


def paint_sclerotic(patch: Patch, lesion: Lesion) -> None:
    """Dense bone with a brush-like margin; the cortex melts into it."""
    distance = patch.field(lambda p: outline(p, lesion)) + 0.9 * patch.grain.clamp(-1.5, 1.5)
    value = lesion.hu * (1.0 + 0.10 * patch.grain)
    share = coverage(distance, 2.5) * patch.outer
    patch.blend(share, torch.maximum(value, patch.hu))
    smooth = (distance <= 0) & patch.inside
    patch.mark(smooth, SCLEROTIC)
    patch.unmark(smooth, LYTIC)


def paint_mixed(patch: Patch, lesion: Lesion) -> None:
    """Dense and destroyed patches side by side within one outline; each marks its own mask."""
    distance = patch.field(lambda p: outline(p, lesion))
    size = float(lesion.radii.mean())
    parts = patch.field(
        lambda p: (
            waves(p, _phase(lesion, 0.5), max(9.0, 1.1 * size)) + 0.5 * waves(p, _phase(lesion, 2.0), 6.5)
        )
    )
    lytic = ((parts - 0.05) / 0.25 + 0.5).clamp(0.0, 1.0)
    within = coverage(distance, 2.0)
    dense = torch.maximum(lesion.hu * (1.0 + 0.12 * patch.grain), patch.hu)
    patch.blend(within * (1 - lytic) * patch.outer, dense)
    gone = patch.through if lesion.breaks_cortex else patch.inner
    patch.blend(within * lytic * gone, lesion.lytic_hu + 6.0 * patch.grain)
    inside = distance <= 0
    patch.mark(inside & (lytic < 0.5) & patch.inside, SCLEROTIC)
    eaten = torch.maximum(distance, 4.0 * (0.5 - lytic))
    _mark_lytic(patch, lesion, eaten, torch.full_like(inside, not lesion.breaks_cortex))
