"""Paint the pathology of one vertebra over its bone, and mark it in the label sheet."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import coverage, waves
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, Hidden, WallHole
from vertseg.phantom.vertebra import lesion_distance

if TYPE_CHECKING:
    from vertseg.phantom.bones import BoneSite

LYTIC, SCLEROTIC, WALL, CEMENT = (FINDINGS.index(n) for n in FINDINGS)


def paint_findings(
    canvas: Canvas, sheet: LabelSheet, site: "BoneSite", hu: Tensor, anatomy: Anatomy
) -> Tensor:
    """HU of the box with the vertebra's pathology; the masks of `sheet` are marked in place."""
    masks, hidden = sheet.findings[(slice(None), *site.box)], sheet.hidden[(slice(None), *site.box)]
    cortex = site.inside & (site.whole > -max(1.0, canvas.width))
    # A break removes the cortex and its partial volume just outside.
    through = coverage(site.whole - 0.5 * canvas.width, canvas.width)
    hu = _open_foramen(site, hu, through)
    for lesion in site.shape.lesions:
        distance = lesion_distance(site.p, lesion)
        texture = 0.06 * abs(lesion.hu) + 6.0
        value = lesion.hu + texture * waves(site.p, tuple(float(v) for v in lesion.phase), 6.0)  # type: ignore[arg-type]
        share = coverage(distance, max(canvas.width, 1.2)) * (through if lesion.breaks_cortex else site.inner)
        hu = hu * (1 - share) + value * share
        mask = (distance <= 0) & site.inside
        masks[FINDINGS.index(lesion.kind)] |= mask.to(torch.uint8)
        if lesion.breaks_cortex:
            masks[WALL] |= (mask & site.shell).to(torch.uint8)
            hidden[Hidden.OPEN_CORTEX] |= (mask & cortex).to(torch.uint8)
        if lesion.kind == "cement":
            masks[LYTIC] &= ~mask.to(torch.uint8) & 1
    if site.shape.wall_hole is not None:
        hu, ring = _wall_hole(canvas, site, hu, (through, site.shape.wall_hole))
        masks[WALL] |= ((ring <= 0) & site.shell).to(torch.uint8)
        hidden[Hidden.OPEN_CORTEX] |= ((ring <= 0) & site.shell & cortex).to(torch.uint8)
    return hu


def _open_foramen(site: "BoneSite", hu: Tensor, through: Tensor) -> Tensor:
    s, p = site.shape.sizes, site.p
    if s["foramen"] <= 2.0:
        return hu
    depth = p[..., 1] + s["depth"] / 2
    foramen = torch.hypot(p[..., 0] * 0.8, p[..., 2]) - s["foramen"] * 1.3
    share = coverage(foramen, 1.5) * (depth < 5.0) * (depth > -4.0) * (p[..., 1] < 0) * through
    share = 0.7 * share * (1 - site.inner)
    return hu * (1 - share) + 20.0 * share


def _wall_hole(
    canvas: Canvas, site: "BoneSite", hu: Tensor, what: tuple[Tensor, WallHole]
) -> tuple[Tensor, Tensor]:
    through, hole = what
    p, seed = site.p, site.shape.seed
    ph = (float(seed % 59), float(seed % 53), float(seed % 47))
    across = torch.hypot(p[..., 0] - hole.right_mm, p[..., 2] - hole.up_mm)
    ring = across - hole.radius_mm + 1.2 * waves(p, ph, 7.0)
    behind = coverage(p[..., 1] + 0.22 * site.shape.sizes["depth"], 2.0)
    share = coverage(ring, canvas.width) * behind * through * coverage(-(site.whole + 3.0), 1.5)
    return hu * (1 - share) + hole.hu * share, ring
