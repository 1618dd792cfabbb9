"""The picture: the right cuts, with the right labels in the right places."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from vertseg import Volume
from vertseg.inference.findings import Findings
from vertseg.labels import level_number
from vertseg.report.planes import axial_plane, column_planes, worst
from vertseg.report.preview import draw_preview


def test_cuts_pass_through_every_body(findings: Findings, scan: Volume) -> None:
    for plane in column_planes(findings, scan.grid):
        levels = plane.sampled(findings.levels, 0, 0.0)
        for v in findings.vertebrae:
            column, row = plane.pixel(np.array(v.centroid_mm))
            assert levels[int(row), int(column)] == v.level
    axial = axial_plane(findings.vertebrae[0])
    column, row = axial.pixel(np.array(findings.vertebrae[0].centroid_mm))
    assert axial.sampled(findings.levels, 0, 0.0)[int(row), int(column)] == level_number("L1")


def test_pictures_show_head_up_front_left_and_the_patients_right_at_the_left(
    findings: Findings, scan: Volume
) -> None:
    sagittal, coronal = column_planes(findings, scan.grid)
    axial = axial_plane(findings.vertebrae[0])
    down, across = (
        sagittal.points_mm[-1, 0] - sagittal.points_mm[0, 0],
        sagittal.points_mm[0, -1] - sagittal.points_mm[0, 0],
    )
    assert down[2] < 0 and across[1] < 0
    assert (coronal.points_mm[0, -1] - coronal.points_mm[0, 0])[0] < 0
    assert (axial.points_mm[0, -1] - axial.points_mm[0, 0])[0] < 0
    assert (axial.points_mm[-1, 0] - axial.points_mm[0, 0])[1] < 0


def test_the_worst_vertebra_is_the_one_with_the_broken_wall(findings: Findings) -> None:
    second = findings.vertebrae[1]
    broken = replace(second, measures=replace(second.measures, wall_defect_mm2=60.0))
    assert worst(replace(findings, vertebrae=(findings.vertebrae[0], broken))) is broken
    assert worst(replace(findings, vertebrae=())) is None


@pytest.mark.parametrize("empty", [False, True])
def test_the_picture_is_a_png_with_colours_where_there_are_vertebrae(
    findings: Findings, scan: Volume, tmp_path: Path, empty: bool
) -> None:
    shown = findings
    if empty:
        nothing = Volume(np.zeros_like(findings.levels.array), findings.levels.affine)
        shown = replace(findings, vertebrae=(), levels=nothing, tissue=nothing)
    draw_preview(shown, scan, tmp_path / "preview.png")
    picture = matplotlib.image.imread(tmp_path / "preview.png")[..., :3]
    coloured = (picture.max(axis=2) - picture.min(axis=2) > 0.15).mean()
    assert (coloured > 0.01) != empty
