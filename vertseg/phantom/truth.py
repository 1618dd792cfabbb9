"""What is known of each vertebra of a painted patient: pose and measures."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, Array, Hidden, PhantomVertebra, VertebraShape
from vertseg.phantom.vertebra import WALL_SHELL_MM

LYTIC, SCLEROTIC, WALL, CEMENT = (FINDINGS.index(name) for name in FINDINGS)


def measured(
    anatomy: Anatomy, canvas: Canvas, sheet: LabelSheet, world_from_patient: Array
) -> tuple[PhantomVertebra, ...]:
    """Truth of the vertebrae of which a voxel at least is labelled, from head to foot.

    Args:
        anatomy: the patient.
        canvas: where the patient was painted.
        sheet: the labels of that.
        world_from_patient: (4, 4) pose on the table, mm.
    """
    seen = set(torch.unique(sheet.level).tolist())
    leaked = _leaked_ml(anatomy.vertebrae, canvas, sheet)
    voxel_ml = canvas.grid.voxel_volume_mm3 / 1000.0
    turn, shift = world_from_patient[:3, :3], world_from_patient[:3, 3]
    found = []
    for shape in anatomy.vertebrae:
        if shape.level not in seen:
            continue
        mine = sheet.level == shape.level

        def ml(mask: Tensor, mine: Tensor = mine) -> float:
            return float((mask.bool() & mine).sum()) * voxel_ml

        outside = leaked.get(shape.level, 0.0)
        found.append(
            PhantomVertebra(
                shape.level, turn @ shape.centre_mm + shift, turn @ shape.axes, shape.height_loss,
                lytic_ml=ml(sheet.findings[LYTIC]),
                wall_defect_mm2=ml(sheet.findings[WALL]) * 1000.0 / WALL_SHELL_MM,
                sclerotic_ml=ml(sheet.findings[SCLEROTIC]),
                cement_ml=ml(sheet.findings[CEMENT]) + outside, leaked_ml=outside,
                cleft_ml=ml(sheet.hidden[Hidden.CLEFT]),
                fracture="" if shape.fracture is None else shape.fracture.kind,
            )
        )  # fmt: skip
    return tuple(found)


def _leaked_ml(shapes: Sequence[VertebraShape], canvas: Canvas, sheet: LabelSheet) -> dict[int, float]:
    """Cement outside of the vertebrae that hold any, by the level of the nearest of those."""
    treated = [shape for shape in shapes if shape.cement is not None]
    if not treated:
        return {}
    levels = torch.tensor([shape.level for shape in treated], device=sheet.level.device)
    loose = torch.nonzero(sheet.findings[CEMENT].bool() & ~torch.isin(sheet.level, levels)).cpu().numpy()
    points = loose @ canvas.matrix[:3, :3].T + canvas.matrix[:3, 3]
    centres = np.array([shape.centre_mm for shape in treated])
    nearest = np.linalg.norm(points[:, None] - centres[None], axis=-1).argmin(axis=1)
    voxel_ml = canvas.grid.voxel_volume_mm3 / 1000.0
    return {shape.level: float((nearest == i).sum()) * voxel_ml for i, shape in enumerate(treated)}
