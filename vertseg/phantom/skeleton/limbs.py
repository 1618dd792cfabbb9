"""Muscles of hip, buttock, thigh, shoulder and arm. World RAS, mm."""

import numpy as np

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.skeleton.pelvic_frame import pelvis_pose
from vertseg.phantom.skeleton.shoulder import shoulder_points
from vertseg.phantom.tissue.layers import Tube, lay_blob, lay_tube
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy, Array


def paint_hips(canvas: Canvas, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Iliacus, iliopsoas, piriformis, obturator, pelvic floor and thighs; the trunk's wall holds the buttocks."""
    matrix, k = pelvis_pose(anatomy)
    weak = tissues.muscle - 35.0 * tissues.infiltration
    for side in (-1.0, 1.0):

        def path(*spots: tuple[float, float, float], s: float = side) -> Array:
            return np.array([[s * x * k, y * k, z * k] for x, y, z in spots]) @ matrix.T

        lay_tube(
            canvas, Tube(path((112, -6, -190), (106, -2, -430)), np.array([66.0, 62.0])), tissues.fat + 8.0
        )
        for x, y, r in ((118, 34, 34), (92, 8, 34), (104, -38, 34)):
            lay_tube(
                canvas, Tube(path((x, y, -150), (x - 4, y, -430)), np.array([r - 4.0, r])), tissues.muscle
            )
        lay_tube(
            canvas,
            Tube(path((94, 2, 12), (92, 16, -40), (84, 34, -90)), np.array([12.0, 15.0, 17.0])),
            tissues.muscle,
        )
        lay_tube(canvas, Tube(path((84, -14, 4), (90, 22, -40)), np.array([10.0, 12.0])), tissues.muscle)
        lay_tube(canvas, Tube(path((26, -66, -62), (110, -24, -92)), np.array([10.0, 8.0])), weak)
        lay_tube(canvas, Tube(path((66, -6, -104), (58, 30, -118)), np.array([11.0, 10.0])), tissues.muscle)
        lay_tube(canvas, Tube(path((12, 40, -150), (8, -30, -150)), np.array([7.0, 7.0])), tissues.muscle)


def paint_shoulders(canvas: Canvas, torso: Torso, anatomy: Anatomy, tissues: Tissues) -> None:
    """Deltoid, muscles on the scapula, pectorals, trapezius; the arm beside the body or raised."""
    for side in (-1.0, 1.0):
        points = shoulder_points(torso, anatomy, side)
        if points is None or canvas.box(np.stack(list(points.values())), 130.0) is None:
            continue
        joint, elbow, neck = points["head"], points["elbow"], points["neck"]
        for radius, hu in ((50.0, tissues.fat), (42.0, tissues.muscle)):
            lay_tube(canvas, Tube(np.stack([joint, elbow]), np.array([radius, radius - 8.0])), hu)
        wrist = points["wrist"]
        for radius, hu in ((34.0, tissues.fat), (28.0, tissues.muscle)):
            lay_tube(canvas, Tube(np.stack([elbow, wrist]), np.array([radius, radius - 8.0])), hu)
        for key, width in (("upper", 15.0), ("middle", 17.0), ("lower", 13.0)):
            run = np.stack([points[key], neck])
            lay_tube(canvas, Tube(run + [side * 5.0, -8.0, 0.0], np.array([8.0, width])), tissues.muscle)
            lay_tube(
                canvas, Tube(run + [-side * 3.0, 9.0, 0.0], np.array([7.0, width - 3.0])), tissues.muscle
            )
        breast = points["breast"]
        lay_blob(canvas, tuple(float(c) for c in breast), (60.0, 16.0, 48.0), tissues.muscle, 0.1)


def paint_neck(canvas: Canvas, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Muscles of the neck with fat between: trapezius, splenius, sternocleidomastoid, scalenes, longus colli."""
    rows = (
        ((17.5, 34, -46), (21.0, 20, -44), (24.5, 14, -40), 13.0),
        ((17.0, 40, -22), (21.0, 32, -24), (24.6, 32, -14), 10.0),
        ((16.8, 26, 52), (20.0, 42, 20), (24.2, 46, -8), 9.5),
        ((16.8, 38, 2), (19.5, 32, -4), (22.5, 27, -8), 9.0),
        ((15.5, 9, 10), (19.5, 8, 12), (24.0, 6, 12), 5.0),
    )
    centres = np.stack([frame.world(n, 0, 0) for n in (17.0, 24.0)])
    if canvas.box(centres, 70.0) is None:
        return
    for side in (-1.0, 1.0):
        for low, middle, high, r in rows:
            path = np.stack([frame.world(n, side * u, v) for n, u, v in (low, middle, high)])
            lay_tube(canvas, Tube(path, np.full(3, r + 1.6)), tissues.fat + 20.0)
            lay_tube(canvas, Tube(path, np.full(3, r)), tissues.muscle)
