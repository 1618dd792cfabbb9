"""The cuts that a report shows of what was found."""

import numpy as np

from vertseg.inference.findings import Findings, VertebraFindings
from vertseg.planes import Plane, curved_planes, upright_axial
from vertseg.volume import Grid


def column_planes(findings: Findings, scan: Grid) -> tuple[Plane, Plane]:
    """Sagittal and coronal cut, bent so that both pass through every body's centre."""
    return curved_planes(np.array([v.centroid_mm for v in findings.vertebrae]), scan)


def axial_plane(vertebra: VertebraFindings) -> Plane:
    """Cut through a body's centre, square to the vertebra's own up axis."""
    return upright_axial(vertebra.centroid_mm, vertebra.axes, vertebra.name)


def worst(findings: Findings) -> VertebraFindings | None:
    """The vertebra that most wants a look: wall defect, then lesion share and loss of height; None if empty."""
    if not findings.vertebrae:
        return None
    return max(findings.vertebrae, key=_concern)


def _concern(v: VertebraFindings) -> float:
    ratio = v.measures.height_ratio
    loss = 0.0 if ratio is None or v.cut_by_field else 1.0 - ratio
    return v.measures.wall_defect_mm2 / 40.0 + (v.measures.lesion_share or 0.0) / 0.2 + loss / 0.4
