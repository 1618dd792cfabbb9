"""Paint the pathology of one vertebra over its bone, and mark it in the label sheet."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.benign import (
    paint_fat_void,
    paint_hemangioma,
    paint_osteoid_osteoma,
    paint_schmorl,
)
from vertseg.phantom.pathology.fracture_lines import fragment_reach, paint_fracture, paint_fragment
from vertseg.phantom.pathology.lesions import lesion_reach, paint_lytic, paint_mixed, paint_sclerotic
from vertseg.phantom.pathology.patch import Ground, Patch
from vertseg.phantom.pathology.treatment import deposit_reach, paint_deposit
from vertseg.phantom.pathology.wall_defects import hole_reach, paint_wall_hole
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, Lesion
from vertseg.phantom.vertebra.distances import WALL_SHELL_MM
from vertseg.phantom.vertebra.foramen import foramen_reach, paint_foramen

if TYPE_CHECKING:
    from vertseg.phantom.vertebra.bones import BoneSite

PAINTERS: Final[dict[str, Callable[[Patch, Lesion], None]]] = {
    "lytic_lesion": paint_lytic,
    "sclerotic_lesion": paint_sclerotic,
    "mixed_lesion": paint_mixed,
    "hemangioma": paint_hemangioma,
    "osteoid_osteoma": paint_osteoid_osteoma,
    "fat_void": paint_fat_void,
}


def paint_findings(
    canvas: Canvas, sheet: LabelSheet, site: "BoneSite", hu: Tensor, anatomy: Anatomy
) -> Tensor:
    """HU of the box with the vertebra's pathology; `hu` is painted on and the masks of `sheet` are marked in place.

    What leaves the bone after treatment is painted later, over all bones (`treatment.paint_treatment`).
    """
    shape = site.shape
    sick = bool(shape.lesions) or shape.wall_hole is not None or shape.fracture is not None
    ground = Ground(canvas, sheet, site, hu, torch.zeros_like(hu) if sick else None)
    _paint(ground.patch(*foramen_reach(shape)), lambda patch: paint_foramen(patch, anatomy))
    fracture = shape.fracture
    if fracture is not None:
        s = shape.sizes
        half = [
            0.52 * s["width"] + 1.0,
            0.5 * s["depth"] + 3.0,
            0.5 * max(s["height"], s["anterior_height"]) + 2.0,
        ]
        _paint(ground.patch(np.zeros(3), np.asarray(half)), lambda patch: paint_fracture(patch, fracture))
        fragment = fracture.fragment
        if fragment is not None:
            _paint(
                ground.patch(*fragment_reach(fragment, shape)), lambda patch: paint_fragment(patch, fragment)
            )
    for node in shape.schmorl:
        centre = np.array([node.right_mm, node.anterior_mm, node.side * 0.5 * shape.sizes["middle_height"]])
        around = 1.2 * max(node.radius_mm, node.depth_mm) + 5.0
        _paint(ground.patch(centre, around), lambda patch, node=node: paint_schmorl(patch, node))  # type: ignore[misc]
    for lesion in shape.lesions:
        centre, half_mm = lesion_reach(lesion)
        _paint(
            ground.patch(centre, half_mm + _rim(lesion)),
            lambda patch, lesion=lesion: PAINTERS[lesion.kind](patch, lesion),  # type: ignore[misc]
        )
    hole, fill = shape.wall_hole, shape.cement
    if hole is not None:
        _paint(ground.patch(*hole_reach(hole, shape)), lambda patch: paint_wall_hole(patch, hole))
    if fill is not None:
        _paint(ground.patch(*deposit_reach(fill)), lambda patch: paint_deposit(patch, fill))
    if ground.wall_share is not None:
        sheet.wall_mm2[shape.level] = ground.wall_share.sum() * canvas.grid.voxel_volume_mm3 / WALL_SHELL_MM
    return hu


def _rim(lesion: Lesion) -> float:
    return 5.0 if lesion.kind == "osteoid_osteoma" else 0.0


def _paint(patch: Patch | None, painter: Callable[[Patch], None]) -> None:
    if patch is not None:
        painter(patch)
