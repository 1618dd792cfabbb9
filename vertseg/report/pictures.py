"""Pictures of one vertebra for the page: cuts with its masks, its posterior wall, its corridors."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import Findings, VertebraFindings
from vertseg.planes import PIXEL_MM, Plane, upright_axial
from vertseg.planning.corridor_picture import draw_corridors
from vertseg.planning.plan import VertebraPlan
from vertseg.report.wall_picture import draw_wall
from vertseg.volume import Volume

_WINDOW_HU: Final = (-250.0, 750.0)
_HALF_FIELD_MM: Final = 60.0
_QUALITY: Final = 82


def vertebra_pictures(
    findings: Findings, scan: Volume, vertebra: VertebraFindings, plan: VertebraPlan | None
) -> dict[str, bytes]:
    """PNG or JPEG by name: "cuts", and of a planned vertebra "wall" and "corridors" where there is something to show."""
    drawn = {"cuts": vertebra_cuts(findings, scan, vertebra)}
    if plan is not None and plan.measures.wall_map is not None:
        drawn["wall"] = draw_wall(plan.measures.wall_map)
    if plan is not None and any(corridor.entry_bone_mm for corridor in plan.corridors):
        drawn["corridors"] = draw_corridors(plan.upright, plan.corridors)
    return drawn


def vertebra_cuts(findings: Findings, scan: Volume, vertebra: VertebraFindings) -> bytes:
    """JPEG: sagittal (front to the left) and axial (patient's right to the left) cut through the body's centre.

    Both are square to the vertebra's own axes, 120 mm wide.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        vertebra: one of the findings.
    """
    planes = (_upright_sagittal(vertebra), upright_axial(vertebra.centroid_mm, vertebra.axes, vertebra.name))
    drawn = [_drawn(plane, findings, scan) for plane in planes]
    gap = np.ones((drawn[0].shape[0], 6, 3), np.float32)
    return jpeg(np.concatenate([drawn[0], gap, drawn[1]], axis=1))


def jpeg(picture: NDArray[Any]) -> bytes:
    """JPEG of a picture (rows, columns, 3) in [0, 1]."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)).save(
        out, "JPEG", quality=_QUALITY, optimize=True
    )
    return out.getvalue()


def _upright_sagittal(vertebra: VertebraFindings) -> Plane:
    anterior, up = vertebra.axes[:, 1], vertebra.axes[:, 2]
    steps = np.arange(_HALF_FIELD_MM, -_HALF_FIELD_MM, -PIXEL_MM)
    centre = np.asarray(vertebra.centroid_mm) - 20.0 * anterior
    points = centre + steps[:, None, None] * up + steps[None, :, None] * anterior
    return Plane(vertebra.name, points, ("A", "P", "S", "I"))


def _drawn(plane: Plane, findings: Findings, scan: Volume) -> NDArray[np.float32]:
    picture = plane.grey(scan, _WINDOW_HU)
    plane.overlay(picture, findings.levels, findings.masks)
    return picture
