"""One vertebra painted alone, in its own frame, so that what a test gives it can be measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from vertseg.labels import LEVEL_NUMBERS
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.treatment import paint_treatment
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.types import Anatomy, ScanConfig, VertebraShape
from vertseg.phantom.vertebra.bones import paint_vertebra
from vertseg.phantom.vertebra.marrow import GRAIN_MM
from vertseg.volume import crop_grid

SOFT_HU = 40.0


@dataclass(frozen=True)
class Painted:
    """HU and labels of a vertebra's crop, (X, Y, Z) along right, anterior, up."""

    hu: torch.Tensor
    sheet: LabelSheet
    shape: VertebraShape
    canvas: Canvas
    anatomy: Anatomy

    @property
    def voxel_mm3(self) -> float:
        return self.canvas.grid.voxel_volume_mm3

    def finding(self, index: int) -> torch.Tensor:
        return self.sheet.findings[index].bool()

    def hidden(self, index: int) -> torch.Tensor:
        return self.sheet.hidden[index].bool()

    @property
    def mine(self) -> torch.Tensor:
        return self.sheet.level == self.shape.level


@lru_cache(maxsize=8)
def healthy(level: str = "L2", seed: int = 3) -> tuple[VertebraShape, Anatomy]:
    """A healthy vertebra of a patient with marrow of 150 HU."""
    anatomy = draw_anatomy(seed, ScanConfig(pathology=0.0))
    anatomy = replace(anatomy, hu={**anatomy.hu, "trabecular": 150.0, "cortical": 1000.0})
    return next(s for s in anatomy.vertebrae if s.level == LEVEL_NUMBERS[level]), anatomy


def paint(
    change: Callable[[VertebraShape], VertebraShape],
    spacing_mm: float = 1.5,
    level: str = "L2",
    seed: int = 3,
) -> Painted:
    """The healthy vertebra after a change, painted alone in soft tissue."""
    shape, anatomy = healthy(level, seed)
    shape = change(shape)
    anatomy = replace(
        anatomy, vertebrae=tuple(shape if s.level == shape.level else s for s in anatomy.vertebrae)
    )
    n = int(84 / spacing_mm)
    grid = crop_grid(shape.centre_mm - 12.0 * shape.axes[:, 1], shape.axes, (n, n, n), spacing_mm)
    canvas = Canvas(grid, np.eye(4), max(spacing_mm, 1.0), "cpu")
    canvas.hu.fill_(SOFT_HU)
    sheet = LabelSheet.blank(canvas)
    paint_vertebra(canvas, sheet, shape, anatomy, NoiseTile(canvas, GRAIN_MM, anatomy.seed))
    paint_treatment(canvas, sheet, anatomy)
    return Painted(canvas.hu, sheet, shape, canvas, anatomy)
