"""HU of the marrow space of a vertebra: trabecular texture, density by place, the basivertebral foramen."""

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from vertseg.phantom.shapes import coverage
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.types import Anatomy

if TYPE_CHECKING:
    from vertseg.phantom.bones import BoneSite

GRAIN_MM: Final = (0.7, 0.7, 1.6)
"""Correlation of trabecular texture across and along the spine: struts stand upright."""


def marrow_hu(site: "BoneSite", anatomy: Anatomy, grain: NoiseTile) -> Tensor:
    """HU at the voxels of a vertebra's box if they were marrow."""
    base, shape = anatomy.hu["trabecular"], site.shape
    s, p = shape.sizes, site.p
    texture = 0.10 * grain.at(site.box, shape.seed)
    gain = torch.where(site.body < site.posterior, 1.0, 1.45)
    near_plate = (p[..., 2].abs() / (0.5 * s["height"])).clamp(0, 1) ** 4
    crushed = 1.0 + 0.9 * shape.height_loss * (p[..., 1] > -0.25 * s["depth"])
    bone = base * gain * (1 + texture) * (1 + 0.35 * near_plate) * crushed + 15.0
    depth = p[..., 1] + s["depth"] / 2
    radius = s["foramen"] * (1.4 - depth.clamp(0, 10) / 9.0)
    foramen = torch.hypot(p[..., 0] * 0.8, p[..., 2]) - radius
    share = coverage(foramen, 1.5) * (depth < 10.0) * (site.body < site.posterior)
    return bone * (1 - share) + 20.0 * share
