"""Everything that is not bone: trunk, muscles, lungs, organs, gas, vessels, discs, canal, table."""

import itertools

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR, THORACIC
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import capsule, ellipsoid, rotate, smooth_max, waves
from vertseg.phantom.types import Anatomy, Array, VertebraShape

Point = tuple[float, ...]


def spine_course(anatomy: Anatomy) -> Array:
    """(K, 3) body centres from foot to head, prolonged below the sacrum and above the atlas."""
    centres = np.array([s.centre_mm for s in reversed(anatomy.vertebrae)])
    below = np.array([[0.0, -22.0, -40.0], [0.0, -45.0, -90.0], [0.0, -45.0, -400.0]])
    above = centres[-1] + np.array([[0.0, 0.0, 60.0], [0.0, 0.0, 250.0]])
    return np.concatenate([below[::-1], centres, above])


class Course:
    """Spine x and y at any height, by a lookup that works on the device."""

    def __init__(self, anatomy: Anatomy, device: torch.device) -> None:
        course = spine_course(anatomy)
        order = np.argsort(course[:, 2])
        heights = np.arange(course[:, 2].min(), course[:, 2].max(), 4.0)
        table = np.stack([np.interp(heights, course[order, 2], course[order, i]) for i in (0, 1)], axis=1)
        self.start = float(heights[0])
        self.table = torch.tensor(table, dtype=torch.float32, device=device)

    def at(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Spine x and y (mm) at heights z (mm)."""
        index = ((z - self.start) / 4.0).clamp(0, len(self.table) - 1).long()
        xy = self.table[index]
        return xy[..., 0], xy[..., 1]


def _superellipse(u: Tensor, v: Tensor, a: Tensor | float, b: Tensor | float, n: float) -> Tensor:
    k = ((u / a).abs() ** n + (v / b).abs() ** n + 1e-9) ** (1 / n)
    return (k - 1.0) * torch.sqrt(u * u + v * v + 1.0) / k.clamp_min(0.2)


def paint_trunk(canvas: Canvas, anatomy: Anatomy, p: Tensor, course: Course) -> None:
    """Skin, fat, muscle wall, abdominal fat, and in the chest the lungs around the mediastinum."""
    trunk, hu = anatomy.trunk, anatomy.hu
    by_level = {s.level: s.centre_mm for s in anatomy.vertebrae}
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    sx, sy = course.at(z)
    neck_z = float(by_level[CERVICAL[6]][2]) + 10.0
    narrow = torch.sigmoid((z - neck_z) / 12.0)
    half_w = trunk["half_width"] * (1 - narrow) + 62.0 * narrow
    half_d = trunk["half_depth"] * (1 - narrow) + 64.0 * narrow
    back = trunk["back"] * (1 - narrow) + 52.0 * narrow
    mean_y = float(np.mean([c[1] for n, c in by_level.items() if n in LUMBAR]))
    u = x - 0.3 * sx
    v = y - ((0.55 * (sy - mean_y) + mean_y) - back + half_d)
    skin = _superellipse(u, v, half_w, half_d, trunk["shape"])
    phase = _phase(anatomy, 21)
    canvas.blend(skin, hu["skin"])
    canvas.blend(skin + 1.8, hu["fat"] + 6.0 * waves(p, phase, 23.0))
    fat = trunk["fat"] * (1 - 0.7 * narrow)
    wall = skin + fat * (1.0 + 0.35 * waves(p, phase, 160.0))
    canvas.blend(wall, hu["muscle"] + 8.0 * waves(p, phase, 11.0))
    cavity = smooth_max(wall + 13.0, torch.hypot(x - sx, 0.8 * (y - sy)) * -1.0 + 40.0, 8.0)
    dome_z = float(by_level.get(THORACIC[9], by_level[THORACIC[8]])[2]) - 10.0
    canvas.blend(smooth_max(cavity, (z - neck_z) + 10.0, 4.0), hu["fat"] + 8.0 * waves(p, phase, 31.0))
    _paint_lungs(canvas, anatomy, p, (sx, sy, wall, v / half_d), dome_z)


def _paint_lungs(
    canvas: Canvas, anatomy: Anatomy, p: Tensor, frame: tuple[Tensor, Tensor, Tensor, Tensor], dome_z: float
) -> None:
    sx, sy, wall, depth = frame
    hu = anatomy.hu
    by_level = {s.level: s.centre_mm for s in anatomy.vertebrae}
    apex = float(by_level[THORACIC[1]][2]) + 10.0
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    bowl = dome_z - 45.0 * depth.clamp(-1, 1).abs() + 18.0 * torch.cos((x - sx) / 48.0) - z
    cage = smooth_max(smooth_max(wall + 15.0, bowl, 10.0), z - apex, 25.0)
    middle = 18.0 + 26.0 * torch.sigmoid((y - sy - 25.0) / 18.0)
    spine_zone = 31.0 - torch.hypot(x - sx, y - sy + 4.0)
    lung = smooth_max(smooth_max(cage, middle - (x - sx).abs(), 8.0), spine_zone, 8.0)
    texture = (waves(p, _phase(anatomy, 22), 14.0) - 0.45).clamp_min(0.0) * 900.0
    canvas.blend(smooth_max(cage - 3.0, 4.0 - z + dome_z, 4.0), hu["organ"])
    canvas.blend(lung, hu["lung"] + texture)
    t6 = by_level[THORACIC[5]]
    heart = ellipsoid(p, (float(t6[0]) - 24.0, float(t6[1]) + 82.0, float(t6[2]) - 45.0), (52.0, 42.0, 55.0))
    canvas.blend(heart, hu["vein"] + 10.0)
    trachea = capsule(
        p, tuple(by_level[CERVICAL[5]] + np.array([0, 32, 0])), tuple(by_level[THORACIC[4]] + np.array([2, 40, 0])),
        (8.0, 8.0), (1.0, 1.0, 1.0),
    )  # fmt: skip
    canvas.blend(trachea, hu["air"])


def _phase(anatomy: Anatomy, stream: int) -> tuple[float, float, float]:
    a, b, c = np.random.default_rng([anatomy.seed, stream]).uniform(0, 6.28, 3)
    return float(a), float(b), float(c)


def _tube(
    canvas: Canvas,
    a: Point,
    b: Point,
    radius: float,
    hu: float,
    stretch: Point = (1.0, 1.0, 1.0),
    marbling: float = 0.0,
) -> None:
    """A bar of soft tissue; `marbling` (0 to 1) streaks it with fat as muscle of the old is."""
    box = canvas.box(np.array([a, b], dtype=np.float64), radius * max(stretch) + canvas.width + 2)
    if box is not None:
        p = canvas.points(box)
        texture = 7.0 * waves(p, (a[0], b[1], a[2]), 9.0) if hu > -200 else 0.0
        if marbling > 0.05:
            texture = texture - 260.0 * marbling * (waves(p, (a[1], 0.4, b[0]), 15.0) - 0.3).clamp(0.0, 0.5)
        canvas.blend(capsule(p, a, b, (radius, radius), stretch), hu + texture, box)


def _blob(canvas: Canvas, centre: Point, radii: Point, hu: float) -> None:
    box = canvas.box(np.array([centre], dtype=np.float64), max(radii) + canvas.width + 2)
    if box is not None:
        p = canvas.points(box)
        wobble = 0.12 * min(radii) * waves(p, (centre[0], centre[1], centre[2]), 1.6 * min(radii) + 6)
        canvas.blend(ellipsoid(p, centre, radii) + wobble, hu, box)


def paint_organs(canvas: Canvas, anatomy: Anatomy) -> None:
    """Liver, spleen, kidneys, bowel with gas and contrast, bladder, gluteal muscles."""
    rng = np.random.default_rng([anatomy.seed, 23])
    hu, trunk = anatomy.hu, anatomy.trunk
    by_level = {s.level: s.centre_mm for s in anatomy.vertebrae}
    l1, wide = by_level[LUMBAR[0]], trunk["half_width"] - trunk["fat"] - 25.0
    t11 = by_level.get(THORACIC[10], l1)
    j = rng.uniform
    depth = 2 * trunk["half_depth"] - trunk["back"] - trunk["fat"] - 20
    x, y, z = (float(c) for c in l1)
    _blob(
        canvas,
        (x + 0.58 * wide, y + 0.35 * depth, float(t11[2]) + j(-25, 15)),
        (0.52 * wide, 0.55 * depth, 78),
        hu["organ"],
    )
    _blob(canvas, (x - 0.72 * wide, y + 5, float(t11[2]) + j(-20, 20)), (30, 42, 52), hu["organ"] + j(-5, 25))
    for side in (-1.0, 1.0):
        _blob(canvas, (x + side * j(55, 70), y + j(-18, 4), z - 20 + j(-18, 14)), (25, 24, 52), hu["kidney"])
        _blob(canvas, (x + side * 52, y, z - 22), (9, 8, 16), hu["kidney"] * float(j(0.2, 1.6)))
    _blob(canvas, (x - 0.4 * wide, y + 0.55 * depth, z + 25), (45, 32, 38), float(j(0, 60)))
    bottom = float(l1[2]) - 260.0
    for _ in range(int(rng.integers(14, 30))):
        cx, cz = j(-0.85, 0.85) * wide, j(bottom, z + 20)
        cy = y + j(0.30, 0.92) * depth
        r = j(10, 24)
        kind = rng.random()
        filling = hu["bowel"] + j(-20, 25)
        if kind < 0.3 * trunk["gas"] + 0.05:
            filling = float(j(-1000, -750))
        elif kind > 0.92:
            filling = float(j(150, 420))
        _blob(canvas, (cx, cy, cz), (r, r * j(0.7, 1.2), r * j(0.7, 1.8)), filling)
    _blob(canvas, (0.0, 22.0, -120.0 + j(-10, 10)), (42, 34, 32), float(j(-5, 25)))
    _blob(canvas, (0.0, -32.0, -118.0), (19, 17, 45), float(j(-20, 50)) if rng.random() < 0.6 else -900.0)
    for side in (-1.0, 1.0):
        _blob(canvas, (side * 88, -72, -62), (52, 30, 78), hu["muscle"])
        _tube(canvas, (side * 108, 0, -150), (side * 100, 0, -420), 55.0, hu["muscle"], (1.2, 1.1, 1.0))
        _tube(canvas, (side * 90, 20, -10), (side * 95, 28, -95), 19.0, hu["muscle"])


def paint_along_spine(canvas: Canvas, anatomy: Anatomy) -> None:
    """Back muscles, psoas, aorta and cava, discs and the canal's contents, level by level."""
    hu, trunk = anatomy.hu, anatomy.trunk
    rng = np.random.default_rng([anatomy.seed, 24])
    column = anatomy.vertebrae
    sacral = anatomy.sacrum_axes @ np.array([0.0, -6.0, -40.0])
    pairs = list(itertools.pairwise(column))
    for upper, lower in pairs:
        _paint_muscles(canvas, upper, lower, anatomy)
        _paint_vessels(canvas, upper, lower, anatomy, rng)
    last = column[-1]
    for side in (-1.0, 1.0):
        a = tuple(float(c) for c in last.centre_mm + np.array([side * 26, -58, 0]))
        b = tuple(float(c) for c in sacral + np.array([side * 22, -36, -30]))
        _tube(canvas, a, b, trunk["erector"] * 0.8, hu["muscle"], (1.15, 0.85, 1.0), trunk["marbling"])
    below: list[VertebraShape | None] = [*column[1:], None]
    for upper, beneath in zip(column, below, strict=True):
        _paint_disc(canvas, upper, beneath, anatomy)
        _paint_canal(canvas, upper, beneath, anatomy)


def _local(shape: VertebraShape, right: float, anterior: float, up: float) -> Point:
    return tuple(float(c) for c in shape.centre_mm + shape.axes @ np.array([right, anterior, up]))


def _paint_muscles(canvas: Canvas, upper: VertebraShape, lower: VertebraShape, anatomy: Anatomy) -> None:
    hu, trunk = anatomy.hu, anatomy.trunk
    lumbar = lower.level in LUMBAR
    depth = 0.5 * lower.sizes["depth"] + lower.sizes["canal_depth"]
    radius = trunk["erector"] * (1.0 if lumbar else 0.72)
    for side in (-1.0, 1.0):
        for offset, back in ((0.95 * radius, depth + 0.62 * radius), (2.0 * radius, depth + 0.35 * radius)):
            a, b = _local(upper, side * offset, -back, 0), _local(lower, side * offset, -back, 0)
            _tube(
                canvas,
                a,
                b,
                0.95 * radius,
                hu["muscle"] - (12 if lumbar else 4),
                (1.0, 0.9, 1.0),
                trunk["marbling"],
            )
        if lumbar:
            grow = trunk["psoas"] * (0.55 + 0.13 * (lower.level - LUMBAR[0]))
            x = 0.5 * lower.sizes["width"] + 0.75 * grow
            a, b = _local(upper, side * (x - 3), -2.0, 0), _local(lower, side * x, 0.0, 0)
            _tube(canvas, a, b, grow, hu["muscle"], marbling=0.4 * trunk["marbling"])


def _paint_vessels(
    canvas: Canvas, upper: VertebraShape, lower: VertebraShape, anatomy: Anatomy, rng: np.random.Generator
) -> None:
    hu = anatomy.hu
    if lower.level not in (*THORACIC[4:], *LUMBAR):
        return
    ahead = 0.5 * lower.sizes["depth"] + 13.0
    low = lower.level in LUMBAR[3:]
    for sign, value in ((-1.0, hu["artery"]), (1.0, hu["vein"])):
        spread = 14.0 if not low else 20.0
        a, b = _local(upper, sign * 13.0, ahead, 0), _local(lower, sign * spread, ahead, 0)
        _tube(canvas, a, b, 10.0 if not low else 7.5, value)
        if sign < 0 and anatomy.trunk["calcified"] and rng.random() < 0.5:
            _blob(
                canvas,
                (b[0] + float(rng.uniform(-8, 8)), b[1] - 8.0, b[2]),
                (4.0, 1.8, 6.0),
                float(rng.uniform(350, 900)),
            )


def _paint_disc(canvas: Canvas, upper: VertebraShape, lower: VertebraShape | None, anatomy: Anatomy) -> None:
    s = upper.sizes
    top = np.asarray(_local(upper, 0, 0, -0.5 * (0.5 * s["height"] + 0.5 * s["anterior_height"])))
    bottom = (
        anatomy.sacrum_centre_mm
        if lower is None
        else lower.centre_mm + lower.axes[:, 2] * lower.sizes["height"] / 2
    )
    centre, thick = 0.5 * (top + bottom), 0.5 * float(np.linalg.norm(top - bottom)) + 3.0
    box = canvas.box(np.array([centre]), 0.5 * s["width"] + 6)
    if box is None:
        return
    local = rotate(canvas.points(box), upper.axes, -centre @ upper.axes)
    side = _superellipse(local[..., 0], local[..., 1], 0.5 * s["width"] + 1, 0.5 * s["depth"] + 1, 2.4)
    vacuum = np.random.default_rng([upper.seed, 5]).random() < 0.06
    canvas.blend(smooth_max(side, local[..., 2].abs() - thick, 2.0), anatomy.hu["disc"], box)
    if vacuum:
        canvas.blend(smooth_max(side + 9.0, local[..., 2].abs() - 1.2, 1.0), -700.0, box)


def _paint_canal(canvas: Canvas, upper: VertebraShape, lower: VertebraShape | None, anatomy: Anatomy) -> None:
    s, hu = upper.sizes, anatomy.hu
    back = 0.5 * s["depth"] + 0.5 * s["canal_depth"]
    a = _local(upper, 0, -back, 0.5 * s["height"])
    if lower is None:
        b = tuple(float(c) for c in anatomy.sacrum_axes @ np.array([0.0, -24.0, -30.0]))
    else:
        b = _local(lower, 0, -0.5 * lower.sizes["depth"] - 0.5 * lower.sizes["canal_depth"], 0)
    radius = 0.5 * s["canal_depth"]
    _tube(canvas, a, b, radius + 0.6, hu["fat"] + 30.0, (1.25, 1.0, 1.0))
    _tube(canvas, a, b, 0.8 * radius, hu["canal"], (1.1, 1.0, 1.0))
    if upper.level not in CERVICAL:
        for side in (-1.0, 1.0):
            _tube(
                canvas,
                _local(upper, side * 8, -back, -6),
                _local(upper, side * 30, -back + 6, -16),
                4.5,
                hu["fat"] + 20.0,
            )


def paint_table(canvas: Canvas, anatomy: Anatomy, p: Tensor) -> None:
    """A curved table top under the back: a carbon shell around foam."""
    trunk = anatomy.trunk
    by_level = [s.centre_mm for s in anatomy.vertebrae if s.level in LUMBAR]
    low = float(np.mean([c[1] for c in by_level])) - trunk["back"] - trunk["table_gap"] - 16.0
    curve = 0.00055 * (p[..., 0] ** 2)
    slab = smooth_max((p[..., 1] - low - curve).abs() - 14.0, p[..., 0].abs() - 230.0, 4.0)
    outside = canvas.hu < -700.0
    share = (0.5 - slab / canvas.width).clamp(0, 1) * outside
    shell = torch.where(slab > -3.0, 20.0, -930.0)
    canvas.hu.copy_(canvas.hu + share * (shell - canvas.hu))
