"""What is known of each vertebra of a painted patient: pose and measures."""

import torch
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, Array, Hidden, PhantomVertebra

LYTIC, SCLEROTIC = FINDINGS.index("lytic_lesion"), FINDINGS.index("sclerotic_lesion")


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
    voxel_ml = canvas.grid.voxel_volume_mm3 / 1000.0
    turn, shift = world_from_patient[:3, :3], world_from_patient[:3, 3]
    found = []
    for shape in anatomy.vertebrae:
        if shape.level not in seen:
            continue
        mine, own_cement = sheet.level == shape.level, sheet.cement_level == shape.level

        def ml(mask: Tensor, mine: Tensor = mine) -> float:
            return float((mask.bool() & mine).sum()) * voxel_ml

        found.append(
            PhantomVertebra(
                shape.level, turn @ shape.centre_mm + shift, turn @ shape.axes, shape.height_loss,
                lytic_ml=ml(sheet.findings[LYTIC]),
                wall_defect_mm2=float(sheet.wall_mm2.get(shape.level, 0.0)),
                sclerotic_ml=ml(sheet.findings[SCLEROTIC]),
                cement_ml=ml(own_cement, torch.ones_like(mine)), leaked_ml=ml(own_cement, ~mine),
                cleft_ml=ml(sheet.hidden[Hidden.CLEFT]),
                fracture="" if shape.fracture is None else shape.fracture.kind,
            )
        )  # fmt: skip
    return tuple(found)
