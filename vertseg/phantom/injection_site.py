"""The injection simulator's view of a drawn vertebra: its bone without noise, in its own frame."""

from typing import Final

import numpy as np
import torch

from vertseg.cement.site import InjectionSite, site_from_labels
from vertseg.labels import FINDINGS, LocateClass, Tissue
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.types import Anatomy, Hidden, VertebraShape
from vertseg.phantom.vertebra.bones import paint_vertebra
from vertseg.phantom.vertebra.marrow import GRAIN_MM
from vertseg.volume import crop_grid

SITE_SPACING_MM: Final = 1.5
SITE_SHAPE: Final = (44, 40, 32)
"""Voxels (right, anterior, up): a lumbar body with its pedicles and the canal."""

_BACK_MM: Final = 6.0
_MASKS: Final = {
    "open_cortex": Hidden.OPEN_CORTEX, "cleft": Hidden.CLEFT, "endplate_break": Hidden.ENDPLATE_BREAK,
}  # fmt: skip


def injection_site(
    anatomy: Anatomy, shape: VertebraShape, spacing_mm: float = SITE_SPACING_MM, device: str = "cpu"
) -> InjectionSite:
    """The site of one vertebra of a patient, painted alone, without noise, on a grid in its own frame.

    Raises:
        InputError: the vertebra has no body (the atlas).
    """
    canvas = site_canvas(anatomy, shape, spacing_mm, device)
    sheet = LabelSheet.blank(canvas)
    paint_vertebra(canvas, sheet, shape, anatomy, NoiseTile(canvas, GRAIN_MM, anatomy.seed))
    return painted_site(canvas, sheet, shape)


def site_canvas(anatomy: Anatomy, shape: VertebraShape, spacing_mm: float, device: str) -> Canvas:
    """The canvas of a site, in the vertebra's own frame, all muscle as yet."""
    voxels = [round(n * SITE_SPACING_MM / spacing_mm) for n in SITE_SHAPE]
    centre = np.asarray(shape.centre_mm) - _BACK_MM * np.asarray(shape.axes)[:, 1]
    grid = crop_grid(centre, shape.axes, (voxels[0], voxels[1], voxels[2]), spacing_mm)
    canvas = Canvas(grid, np.eye(4), spacing_mm, device)
    canvas.hu.fill_(anatomy.hu["muscle"])
    return canvas


def painted_site(canvas: Canvas, sheet: LabelSheet, shape: VertebraShape) -> InjectionSite:
    """The site of a vertebra that was painted alone on its canvas.

    Raises:
        InputError: the vertebra has no body (the atlas).
    """
    parts = torch.zeros_like(sheet.tissue)
    parts[sheet.tissue == int(LocateClass.BODY)] = int(Tissue.BODY)
    parts[sheet.tissue == int(LocateClass.POSTERIOR)] = int(Tissue.POSTERIOR)
    masks = {name: sheet.hidden[mask] for name, mask in _MASKS.items()}
    for name in ("lytic_lesion", "posterior_wall_defect"):
        masks[name] = sheet.findings[FINDINGS.index(name)]
    return site_from_labels(canvas.hu, parts, masks, canvas.grid.spacing_mm[0], shape.sizes["foramen"])
