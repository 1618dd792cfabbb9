"""Ribs, their cartilages and the sternum, on the surface of the rib cage. World RAS, mm."""

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np

from vertseg.labels import T13, THORACIC
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.skeleton.bars import Bar, Part, Plate, to_world
from vertseg.phantom.tissue.layers import Tube, lay_blob, lay_tube
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy, Array, VertebraShape

FLOATING: Final = (11, 12, 13)
"""Ribs without a transverse joint."""

_NUMBERS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
_END_DEG: Final = (46, 54, 52, 50, 47, 43, 36, 27, 17, 6)
"""Where a rib's bone ends on the cage: 0 at the side, 90 at the sternum."""
_DROP_MM: Final = (30, 54, 74, 90, 104, 116, 124, 124, 114, 100)
"""How far a rib's front end lies below its tubercle in a supine adult at full breath (read off chest CT)."""


def rib_number(shape: VertebraShape) -> int:
    """1 to 12, 13 for a rib on T13; 0 for none."""
    if shape.rib_mm <= 0:
        return 0
    return 13 if shape.level == T13 else shape.level - THORACIC[0] + 1


def _joints(shape: VertebraShape, side: float) -> tuple[Array, Array, Array]:
    """Head, neck and tubercle, each beside its joint with a gap, in patient mm."""
    s, number = shape.sizes, rib_number(shape)
    half_w, half_d = s["width"] / 2, s["depth"] / 2
    # Heads of ribs 2 to 9 lie at the disc above their own body; 1 and 10 to 12 meet their own body alone.
    height = 0.47 * s["height"] if 2 <= number <= 9 else 0.22 * s["height"]
    head = to_world(shape.axes, shape.centre_mm, (side * (0.93 * half_w + 5.6), -half_d + 2.5, height))
    span = s["transverse_span"] / 2
    x_pedicle = 0.5 * s["canal_width"] + 0.5 * s["pedicle_width"]
    process_y = -half_d - 0.75 * s["canal_depth"] - 0.32 * (span - x_pedicle)
    ahead = 10.5 if number not in FLOATING else 13.0
    tubercle = (side * (span - 1.5), process_y + ahead, 0.16 * s["height"] + (1.0 if number < 8 else 4.0))
    middle = (
        side * (0.5 * (half_w + span) + 4.0),
        0.5 * (process_y + ahead - half_d + 2.5) - 0.5,
        0.5 * (height + 3.0),
    )
    return (
        np.array(head),
        np.array(to_world(shape.axes, shape.centre_mm, middle)),
        np.array(to_world(shape.axes, shape.centre_mm, tubercle)),
    )


def rib_points(shape: VertebraShape, torso: Torso, anatomy: Anatomy, side: float) -> Array:
    """(K, 3) course of a rib in patient mm: head, neck, tubercle, angle, then round the cage and downward."""
    number = rib_number(shape)
    head, neck, tubercle = _joints(shape, side)
    points = [head, neck, tubercle]
    steep = 0.78 + 0.5 * (anatomy.trunk["rib_drop"] - 0.25) / 0.35
    drop = steep * float(np.interp(number, _NUMBERS, _DROP_MM)) * (1.0 if number < 11 else 0.9)
    end = np.deg2rad(float(np.interp(number, _NUMBERS, _END_DEG)))
    beyond = float(np.interp(number, [1, 3, 6, 9, 12], [12, 18, 26, 32, 36]))
    start = _angle_at(
        torso,
        float(tubercle[2]) - 6.0,
        abs(float(tubercle[0]) - 0.7 * torso.value("spine_x", float(tubercle[2]))) + beyond,
    )
    bone = shape.rib_mm if number in FLOATING else 1.0e9
    shares = np.linspace(0.0, 1.0, 11)
    z = float(tubercle[2]) - 5.0 - drop * (0.12 + 0.88 * shares**1.12)
    length = 0.0
    for point in torso.cage_points(z, start + shares * (end - start), side):
        step = float(np.linalg.norm(point - points[-1]))
        if length + step > bone:
            points.append(points[-1] + (point - points[-1]) * (bone - length) / step)
            break
        length += step
        points.append(point)
    return np.stack(points)


def _angle_at(torso: Torso, z: float, right: float) -> float:
    """Angle on the back half of the cage at which it lies `right` mm beside its middle."""
    angles = np.linspace(-1.5, -0.2, 40)
    reach = torso.cage_points(np.full(40, z), angles, 1.0)[:, 0] - 0.7 * torso.value("spine_x", z)
    return float(np.interp(right, reach, angles))


def rib_bars(torso: Torso, anatomy: Anatomy) -> Iterator[Bar]:
    """All ribs, as chains of flattened bars: round at the neck, tall and thin along the cage, rib 1 flat."""
    radius = anatomy.trunk["rib_radius"]
    for shape in anatomy.vertebrae:
        number = rib_number(shape)
        if number == 0:
            continue
        for side in (-1.0, 1.0):
            points = rib_points(shape, torso, anatomy, side)
            radii = np.full(len(points), 0.94 * radius)
            radii[:3] = (0.98 * radius, 0.78 * radius, 0.98 * radius)
            if number in FLOATING:
                radii[-3:] *= (0.95, 0.8, 0.5)
            for i, (a, b) in enumerate(itertools.pairwise(points)):
                stretch = (1.0, 1.0, 1.1) if i < 2 else (0.74, 0.74, 1.3)
                if number == 1 and i >= 2:
                    stretch = (1.25, 1.25, 0.72)
                yield Bar(tuple(a), tuple(b), (float(radii[i]), float(radii[i + 1])), stretch, 1.0)


def sternum_heights(torso: Torso) -> tuple[float, float, float]:
    """Jugular notch (T2-T3), sternal angle (T4-T5) and lower end (T9-T10) of the sternum, mm."""
    t = torso.t
    return 0.5 * (t[2] + t[3]) - 4.0, 0.5 * (t[4] + t[5]) - 4.0, t[9] - 8.0


def sternum_parts(torso: Torso) -> Iterator[Part]:
    """Manubrium, body and xiphoid as plates along the cage's front."""
    notch, angle, low = sternum_heights(torso)

    def at(x: float, z: float, back: float = 0.0) -> Array:
        middle = 0.7 * torso.value("spine_x", z)
        return np.array([middle + x, torso.value("cage_front", z) - 1.0 - back, z])

    rows = (
        ((-30, notch), (30, notch - 1)), ((-17, angle + 3), (17, angle + 3)), ((-16, angle - 1.5), (16, angle - 1.5)),
        ((-15, 0.5 * (angle + low)), (15, 0.5 * (angle + low))), ((-18, low), (18, low)), ((-5, low - 26), (5, low - 26)),
    )  # fmt: skip
    for i, ((a, b), (c, d)) in enumerate(itertools.pairwise(rows)):
        if i == 1:
            continue  # the joint of manubrium and body
        thick = 5.2 if i < 3 else 4.2 if i == 3 else 3.0
        for three in ((a, b, c), (b, d, c)):
            yield Plate(np.stack([at(*q) for q in three]), (thick, thick, thick), 0.9)


def paint_cartilages(canvas: Canvas, torso: Torso, anatomy: Anatomy, tissues: Tissues) -> None:
    """Costal cartilages 1 to 10, with chalk along them in the old. Soft tissue: no bone label.

    Chalk in them begins about 30 and grows with age (first cartilage first).
    """
    front = np.array([torso.value("cage_front", z) for z in (torso.t[2], torso.t[9])])
    corners = np.array(
        [
            [x, y, z]
            for x in (-150.0, 150.0)
            for y in (front.min() - 90.0, front.max())
            for z in (torso.t[1], torso.t[10] - 110.0)
        ]
    )
    if canvas.box(corners, 6.0) is None:
        return
    rng = np.random.default_rng([anatomy.seed, 56])
    notch, angle, low = sternum_heights(torso)
    chalk = float(np.clip((tissues.age - 38.0) / 45.0, 0.0, 1.0)) * float(rng.uniform(0.3, 1.0))
    meets = {
        1: notch - 12,
        2: angle + 1,
        3: angle - 24,
        4: angle - 46,
        5: angle - 64,
        6: low + 20,
        7: low + 8,
    }
    for side in (-1.0, 1.0):
        for shape in reversed(anatomy.vertebrae):
            number = rib_number(shape)
            if not 1 <= number <= 10:
                continue
            end = rib_points(shape, torso, anatomy, side)[-1]
            if number in meets:
                z = meets[number]
                goal = np.array(
                    [0.7 * torso.value("spine_x", z) + side * 19.0, torso.value("cage_front", z) - 1.0, z]
                )
                dip = np.array([side * 6.0, 2.0, -14.0 if number >= 5 else 0.0])
            else:
                goal = end + np.array([-side * 34.0, 34.0, 22.0])
                dip = np.zeros(3)
            bend = 0.5 * (end + goal) + dip
            path = np.stack([end, bend, goal])
            lay_tube(canvas, Tube(path, np.array([5.4, 5.0, 5.4]), (0.9, 0.9, 1.15)), anatomy.hu["cartilage"])
            for _ in range(int(rng.poisson(9 * chalk * (2.0 if number == 1 else 1.0)))):
                share = float(rng.random())
                spot = end + share * (bend - end) if rng.random() < 0.5 else bend + share * (goal - bend)
                spot = spot + rng.normal(0, 2.2, 3)
                lay_blob(
                    canvas, tuple(float(c) for c in spot), (3.4, 2.4, 2.2), float(rng.uniform(220, 700)), 0.2
                )
