"""The other bones in view: sacrum, pelvis, femora, ribs, sternum, scapulae, skull. World RAS, mm."""

import itertools
from collections.abc import Iterator

import numpy as np

from vertseg.labels import CERVICAL, LUMBAR, THORACIC
from vertseg.phantom.bars import Bar, to_world
from vertseg.phantom.types import Anatomy, Array, VertebraShape


def pelvis_bars(anatomy: Anatomy) -> Iterator[Bar]:
    """Iliac wings as fans of flat bars, acetabula, pubis, ischium and proximal femora."""
    rng = np.random.default_rng([anatomy.seed, 12])
    k = anatomy.trunk["pelvis_scale"] * float(rng.uniform(0.95, 1.05))
    flare, rise = float(rng.uniform(-8, 10)), float(rng.uniform(-12, 10))
    for side in (-1.0, 1.0):
        hip = (side * 88 * k, -2.0 * k, -88.0 * k)
        rear = [(44, -62, -28), (47, -66, -8), (54, -62, 8)]
        crest = [
            (64, -50, 22),
            (78, -34, 34),
            (92, -14, 38),
            (106, 6, 36),
            (117, 24, 26),
            (123, 38, 10),
            (124, 46, -10),
        ]
        arc = [
            (side * (x + flare * (y + 60) / 100) * k, y * k, (z + rise * (y + 60) / 60) * k)
            for x, y, z in rear + crest
        ]
        for i, point in enumerate(arc):
            near = tuple(0.72 * h + 0.28 * q for h, q in zip(hip, point, strict=True))
            yield Bar(near, point, (8.0, 5.0 if i > 1 else 8.5), cortex=1.3)
            if i:
                yield Bar(arc[i - 1], point, (5.2, 5.2), (1.0, 1.0, 1.2), 1.2)
                middle = tuple(0.5 * (q + r) for q, r in zip(arc[i - 1], point, strict=True))
                low = tuple(0.45 * h + 0.55 * q for h, q in zip(hip, middle, strict=True))
                yield Bar(low, middle, (4.2, 4.2), cortex=1.2)
        yield Bar(
            (side * 50 * k, -48 * k, -22 * k), (side * 62 * k, -30 * k, -48 * k), (9.0, 11.0), cortex=1.3
        )
        yield Bar(
            (side * 62 * k, -30 * k, -48 * k), (side * 84 * k, -8 * k, -70 * k), (11.0, 15.0), cortex=1.4
        )
        # The cup around the femoral head, then the two rami.
        for dy, dz in ((-24, 8), (-4, 27), (20, 16), (-24, -14), (14, -20)):
            yield Bar(hip, (hip[0] - side * 14, hip[1] + dy, hip[2] + dz), (12.0, 10.0), cortex=1.4)
        pubis = (side * 14 * k, 42 * k, -112 * k)
        yield Bar((side * 72 * k, 14 * k, -92 * k), pubis, (9.0, 8.0), cortex=1.3)
        tuber = (side * 62 * k, -34 * k, -148 * k)
        yield Bar((side * 80 * k, -24 * k, -108 * k), tuber, (13.0, 13.0), cortex=1.4)
        yield Bar(tuber, pubis, (7.5, 7.0), cortex=1.3)
        yield from _femur(side, k)


def _femur(side: float, k: float) -> Iterator[Bar]:
    head = (side * 92 * k, 2.0 * k, -90.0 * k)
    trochanter = (side * 138 * k, -8.0 * k, -108.0 * k)
    yield Bar(head, head, (23.5 * k, 23.5 * k), cortex=0.9)
    yield Bar(head, (side * 124 * k, -2.0 * k, -118 * k), (15.0, 15.0), cortex=1.8)
    yield Bar(trochanter, (side * 132 * k, -4 * k, -135 * k), (14.0, 16.0), cortex=1.4)
    yield Bar(
        (side * 132 * k, -4 * k, -135 * k),
        (side * 118 * k, 0.0, -420 * k),
        (15.5, 13.5),
        cortex=5.0,
        hollow=True,
    )


def rib_points(shape: VertebraShape, anatomy: Anatomy, side: float) -> list[tuple[float, ...]]:
    """Course of a rib: costovertebral joint, in front of the transverse process, angle, round the thorax."""
    s, trunk = shape.sizes, anatomy.trunk
    number = shape.level - THORACIC[0] + 1 if shape.level in THORACIC else 13
    half_w, half_d = s["width"] / 2, s["depth"] / 2
    head = np.array([side * (half_w + 0.5), -half_d + 3.0, 0.30 * s["height"]])
    span = s["transverse_span"] / 2
    tubercle = np.array([side * (span + 1.0), -half_d - 0.75 * s["canal_depth"] - 4.0, 2.0])
    points = [
        to_world(shape.axes, shape.centre_mm, tuple(head)),
        to_world(shape.axes, shape.centre_mm, tuple(tubercle)),
    ]
    size = float(np.interp(number, [1, 2, 4, 7, 9, 12], [0.42, 0.6, 0.82, 0.97, 1.0, 0.92]))
    wide, deep = (
        (trunk["half_width"] - trunk["fat"] - 8) * 0.93 * size,
        (trunk["half_depth"] - 12) * 1.0 * size,
    )
    centre = np.array([shape.centre_mm[0], shape.centre_mm[1] + deep - 38.0, shape.centre_mm[2]])
    start = np.arctan2(points[1][1] - 10.0 - centre[1], abs(points[1][0] - centre[0]) + 22.0)
    total = shape.rib_mm if shape.rib_mm < 300 else 1e9
    length = 0.0
    for angle in np.linspace(start, np.deg2rad(52 if number < 8 else 30), 13):
        drop = trunk["rib_drop"] * (angle - start) * 62.0 * size
        point = (
            float(centre[0] + side * wide * np.cos(angle)),
            float(centre[1] + deep * np.sin(angle)),
            float(centre[2] - drop),
        )
        length += float(np.linalg.norm(np.asarray(point) - np.asarray(points[-1])))
        if length > total:
            break
        points.append(point)
    return points


def rib_bars(anatomy: Anatomy) -> Iterator[Bar]:
    """All ribs, as chains of flattened bars."""
    radius = anatomy.trunk["rib_radius"]
    for shape in anatomy.vertebrae:
        if shape.rib_mm <= 0:
            continue
        for side in (-1.0, 1.0):
            points = rib_points(shape, anatomy, side)
            for i, (a, b) in enumerate(itertools.pairwise(points)):
                r = 0.82 * radius if i == 0 else radius
                yield Bar(a, b, (r, r), (0.8, 0.8, 1.25), cortex=1.0)


def upper_bars(anatomy: Anatomy) -> Iterator[Bar]:
    """Sternum, clavicles, scapulae, humeri and skull, where a trunk or neck scan shows them."""
    by_level = {s.level: s for s in anatomy.vertebrae}
    t1, t8, c1 = (by_level.get(n) for n in (THORACIC[0], THORACIC[7], CERVICAL[0]))
    if t1 is None or t8 is None:
        return
    trunk = anatomy.trunk
    front = t1.centre_mm[1] + 2 * (trunk["half_depth"] - 12) * 0.55
    top, low = float(t1.centre_mm[2] - 45), float(t8.centre_mm[2] + 10)
    x0 = float(t1.centre_mm[0])
    yield Bar((x0, front, top), (x0, front + 38, low), (5.0, 5.0), (4.0, 1.0, 1.6), 0.9)
    wide = trunk["half_width"]
    for side in (-1.0, 1.0):
        shoulder = (x0 + side * wide * 0.95, float(t1.centre_mm[1]) + 5, float(t1.centre_mm[2]) - 8)
        yield Bar((x0 + side * 18, front - 2, top + 6), shoulder, (6.0, 6.0), cortex=1.5)
        back = float(t1.centre_mm[1])
        corners = [(0.48, -52, 5), (0.42, -58, -55), (0.5, -50, -120), (0.66, -40, -70), (0.82, -22, -25)]
        pts = [(x0 + side * wide * f, back + dy, float(t1.centre_mm[2]) + dz) for f, dy, dz in corners]
        for i, a in enumerate(pts):
            for b in pts[i + 1 :]:
                yield Bar(a, b, (3.2, 3.2), cortex=1.2)
        yield Bar(pts[4], shoulder, (10.0, 8.0), cortex=1.2)
        yield Bar(shoulder, shoulder, (23.0, 23.0), cortex=0.9)
        arm = 120.0 if trunk["arms"] else -260.0
        yield Bar(
            shoulder,
            (shoulder[0] + side * 25, shoulder[1] + 10, shoulder[2] + arm),
            (11.0, 11.0),
            cortex=3.5,
            hollow=True,
        )
    if c1 is not None:
        yield from _skull(c1.centre_mm)


def _skull(c1: Array) -> Iterator[Bar]:
    x, y, z = (float(c) for c in c1)
    yield Bar((x, y - 12, z + 78), (x, y + 8, z + 84), (70.0, 72.0), (1.0, 1.1, 1.0), 6.0, marrow=35.0)
    for side in (-1.0, 1.0):
        yield Bar((x + side * 20, y - 6, z + 12), (x + side * 34, y + 10, z + 20), (8.0, 12.0), cortex=1.5)
        yield Bar(
            (x + side * 44, y + 28, z - 12), (x + side * 10, y + 85, z - 28), (6.0, 7.0), (1.0, 1.0, 1.8), 2.0
        )
        yield Bar(
            (x + side * 46, y + 14, z + 14), (x + side * 44, y + 28, z - 12), (5.0, 6.0), (0.7, 1.6, 1.0), 2.0
        )


def lowest_lumbar(anatomy: Anatomy) -> VertebraShape:
    """The last vertebra above the sacrum."""
    return next(s for s in reversed(anatomy.vertebrae) if s.level in LUMBAR)
