"""Measures of the truth against the masks and the drawn patient."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vertseg.labels import FINDINGS
from vertseg.phantom import ScanConfig
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.disease import CementFill
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.truth import measured
from vertseg.phantom.types import Hidden
from vertseg.volume import Grid

FILL = CementFill(((0.0, 0.0, 0.0, 5.0, 5.0, 5.0),), 1800.0, 0.5, (), (0.0, 0.0, 0.0))


def test_measures_are_those_of_the_masks_and_cement_counts_for_the_vertebra_it_came_from() -> None:
    anatomy = draw_anatomy(3, ScanConfig(pathology=0.0))
    upper, lower, other = (next(s for s in anatomy.vertebrae if s.level == n) for n in (20, 24, 22))
    filled = tuple(
        replace(s, cement=FILL) if s.level in (upper.level, lower.level) else s for s in anatomy.vertebrae
    )
    anatomy = replace(anatomy, vertebrae=filled)
    centres = np.array([upper.centre_mm, other.centre_mm, lower.centre_mm])
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = centres.min(0) - 30
    shape = tuple(int(n) for n in np.ceil((centres.max(0) + 30 - affine[:3, 3]) / 2))
    canvas = Canvas(Grid((shape[0], shape[1], shape[2]), affine), np.eye(4), 2.0, "cpu")
    sheet = LabelSheet.blank(canvas)

    def cube(centre: np.ndarray, half: int) -> tuple[slice, ...]:
        vox = np.rint((centre - affine[:3, 3]) / 2).astype(int)
        return tuple(slice(v - half, v + half + 1) for v in vox)

    for vertebra, half in ((upper, 3), (other, 3), (lower, 3)):
        sheet.level[cube(vertebra.centre_mm, half)] = vertebra.level
    findings = {name: sheet.findings[i] for i, name in enumerate(FINDINGS)}
    findings["lytic_lesion"][cube(other.centre_mm, 1)] = 1
    findings["sclerotic_lesion"][cube(other.centre_mm, 2)] = 1
    sheet.wall_mm2[other.level] = torch.tensor(4.5)
    sheet.hidden[Hidden.CLEFT][cube(upper.centre_mm, 1)] = 1
    sheet.cement_level[cube(upper.centre_mm, 2)] = upper.level
    beside = lower.centre_mm + np.array([24.0, 0.0, 0.0])
    sheet.cement_level[cube(lower.centre_mm, 1)] = lower.level
    sheet.cement_level[cube(beside, 1)] = lower.level

    truth = {v.level: v for v in measured(anatomy, canvas, sheet, np.eye(4))}
    assert set(truth) == {20, 22, 24}
    voxel_ml = 0.008
    assert truth[22].lytic_ml == pytest.approx(27 * voxel_ml)
    assert truth[22].sclerotic_ml == pytest.approx(125 * voxel_ml)
    assert truth[22].wall_defect_mm2 == pytest.approx(4.5)
    assert truth[20].cleft_ml == pytest.approx(27 * voxel_ml)
    assert (truth[20].cement_ml, truth[20].leaked_ml) == (pytest.approx(125 * voxel_ml), 0.0)
    assert truth[24].leaked_ml == pytest.approx(27 * voxel_ml)
    assert truth[24].cement_ml == pytest.approx(54 * voxel_ml)
    assert truth[22].cement_ml == 0.0
    assert np.allclose(truth[24].centroid_mm, lower.centre_mm)


def test_poses_follow_the_patient_on_the_table() -> None:
    anatomy = draw_anatomy(3, ScanConfig(pathology=0.0))
    shape = next(s for s in anatomy.vertebrae if s.level == 22)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = shape.centre_mm - 10
    canvas = Canvas(Grid((10, 10, 10), affine), np.eye(4), 2.0, "cpu")
    sheet = LabelSheet.blank(canvas)
    sheet.level[5, 5, 5] = 22
    turned = np.array([[0.0, -1, 0, 7], [1, 0, 0, -3], [0, 0, 1, 2], [0, 0, 0, 1]])
    (found,) = measured(anatomy, canvas, sheet, turned)
    x, y, z = shape.centre_mm
    assert np.allclose(found.centroid_mm, [-y + 7, x - 3, z + 2])
    assert np.allclose(found.axes, turned[:3, :3] @ shape.axes)
