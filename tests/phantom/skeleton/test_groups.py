"""Bones apart from the vertebrae: joints with gaps, courses of the ribs, labels."""

import numpy as np
import pytest
import torch

from vertseg.labels import COCCYX, SACRUM, THORACIC, LocateClass
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.render import paint_patient
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.skeleton.pelvis import HIP, femur_parts, hip_parts
from vertseg.phantom.skeleton.ribs import rib_number, rib_points
from vertseg.phantom.skeleton.sacrum import sacrum_segments
from vertseg.phantom.skeleton.shoulder import shoulder_points
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy, ScanConfig
from vertseg.volume import Grid

HEALTHY = ScanConfig(pathology=0.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pelvis() -> tuple[Canvas, LabelSheet, Anatomy]:
    anatomy = draw_anatomy(4, HEALTHY)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-160.0, -110.0, -160.0]
    canvas = Canvas(Grid((160, 110, 105), affine), np.eye(4), 2.0, "cpu")
    return canvas, paint_patient(canvas, anatomy), anatomy


def test_rib_heads_lie_at_the_disc_above_and_tubercles_before_the_transverse_process() -> None:
    anatomy = draw_anatomy(3, HEALTHY)
    torso = Torso(anatomy, CPU)
    for shape in anatomy.vertebrae:
        number = rib_number(shape)
        if not 2 <= number <= 9:
            continue
        for side in (-1.0, 1.0):
            points = rib_points(shape, torso, anatomy, side)
            head, tubercle = ((points[i] - shape.centre_mm) @ shape.axes for i in (0, 2))
            assert 0.4 * shape.sizes["height"] < head[2] < 0.55 * shape.sizes["height"]
            assert 0.0 < side * head[0] - 0.5 * shape.sizes["width"] < 8.0
            assert side * tubercle[0] < 0.5 * shape.sizes["transverse_span"] + 1.0
            assert tubercle[1] < head[1]


def test_ribs_slope_down_and_the_twelfth_is_short() -> None:
    anatomy = draw_anatomy(3, HEALTHY)
    torso = Torso(anatomy, CPU)
    length = {}
    for shape in anatomy.vertebrae:
        if rib_number(shape):
            points = rib_points(shape, torso, anatomy, 1.0)
            assert points[-1, 2] < points[2, 2]
            length[shape.level] = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    assert length[THORACIC[0]] < 0.6 * length[THORACIC[6]]
    assert length[THORACIC[-1]] <= 131.0
    assert 200 < length[THORACIC[6]] < 400


def test_femoral_head_stands_in_its_socket_with_a_gap() -> None:
    anatomy = draw_anatomy(2, HEALTHY)
    head = np.asarray(femur_parts(anatomy, 1.0)[0][0].start)
    p = torch.tensor(head[None], dtype=torch.float32)
    socket = min(
        float(part.distance(p)[0]) for part in hip_parts(anatomy, 1.0) if type(part).__name__ == "Cup"
    )
    radius = femur_parts(anatomy, 1.0)[0][0].radii[0]
    assert 2.0 < socket - radius < 5.0
    assert 80 < np.linalg.norm(head[1:] - anatomy.sacrum_centre_mm[1:]) < 125
    assert abs(head[0]) == pytest.approx(HIP[0], rel=0.2)


def test_sacroiliac_joints_keep_a_gap(pelvis: tuple[Canvas, LabelSheet, Anatomy]) -> None:
    canvas, sheet, _ = pelvis
    sacrum = sheet.tissue == int(LocateClass.SACRUM)
    hip = sheet.tissue == int(LocateClass.OTHER_BONE)
    z = canvas.points()[..., 2]
    rows = (z > -45.0) & (z < -15.0)
    assert int((sacrum & rows).sum()) > 500 and int((hip & rows).sum()) > 500
    touching = sacrum[:-1] & hip[1:] | hip[:-1] & sacrum[1:]
    near = sacrum[:-4] & hip[4:] | hip[:-4] & sacrum[4:]
    assert int(touching.sum()) < 0.1 * int(near.sum())
    assert int(near.sum()) > 50


def test_sacrum_and_coccyx_are_labelled_in_order(pelvis: tuple[Canvas, LabelSheet, Anatomy]) -> None:
    canvas, sheet, anatomy = pelvis
    p = canvas.points()
    sacrum, coccyx = sheet.level == SACRUM, sheet.level == COCCYX
    assert int(coccyx.sum()) > 20
    assert float(p[..., 2][coccyx].mean()) < float(p[..., 2][sacrum].mean()) - 25
    assert bool((sheet.tissue[coccyx] == int(LocateClass.SACRUM)).all())
    s1 = sacrum_segments(anatomy)[0]
    index = np.round(np.linalg.inv(canvas.matrix) @ [*s1.centre_mm, 1.0]).astype(int)[:3]
    assert int(sheet.level[tuple(index)]) == SACRUM


def test_sacral_canal_is_open(pelvis: tuple[Canvas, LabelSheet, Anatomy]) -> None:
    canvas, sheet, anatomy = pelvis
    for s, back in zip(sacrum_segments(anatomy)[:2], (6.0, 5.0), strict=True):
        spot = s.centre_mm + s.axes @ np.array([0.0, -0.5 * s.sizes["depth"] - back, 0.0])
        index = np.round(np.linalg.inv(canvas.matrix) @ [*spot, 1.0]).astype(int)[:3]
        assert int(sheet.tissue[tuple(index)]) == 0
        assert float(canvas.hu[tuple(index)]) < 100.0


def test_scapula_lies_behind_the_ribs_and_the_arm_beside() -> None:
    anatomy = draw_anatomy(8, HEALTHY)
    torso = Torso(anatomy, CPU)
    for side in (-1.0, 1.0):
        points = shoulder_points(torso, anatomy, side)
        assert points is not None
        for name in ("upper", "middle", "lower"):
            p = torch.tensor(points[name][None], dtype=torch.float32)
            assert 5.0 < float(torso.cage_distance(p, torso.at(p[:, 2]))[0]) < 30.0
        assert side * points["head"][0] > side * points["neck"][0] > 60.0
