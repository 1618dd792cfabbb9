"""HU of the marrow space of a vertebra: trabecular texture and density by place."""

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from vertseg.phantom.types import Anatomy

if TYPE_CHECKING:
    from vertseg.phantom.vertebra.bones import BoneSite

GRAIN_MM: Final = (0.7, 0.7, 1.6)
"""Correlation of trabecular texture across and along the spine: struts stand upright."""

GRAIN_HU: Final = 10.0
"""Texture of marrow without trabeculae; those that stand add a share of their density, more where few are left."""


def marrow_hu(site: "BoneSite", anatomy: Anatomy) -> Tensor:
    """HU at the voxels of a vertebra's box if they were marrow."""
    shape = site.shape
    base = anatomy.hu["trabecular"] * shape.sizes.get("density", 1.0)
    s, p = shape.sizes, site.p
    gain = torch.where(site.body < site.posterior, 1.0, 1.45)
    near_plate = (p[..., 2].abs() / (0.5 * s["height"])).clamp(0, 1).square().square()
    loss = 0.9 * shape.height_loss
    crushed = 1.0 + loss * (p[..., 1] > -0.25 * s["depth"]) if loss else 1.0
    thin = min(1.0, 60.0 / max(base, 20.0))
    texture = GRAIN_HU / max(base, 20.0) + 0.07 + 0.06 * thin
    return base * gain * (1 + texture * site.grain) * (1 + 0.35 * near_plate) * crushed + 15.0
