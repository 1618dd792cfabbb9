"""Aorta, cava, iliac and other vessels near the column, with plaques; oesophagus, trachea and bronchi."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import rotate, stack_points
from vertseg.phantom.tissue.layers import Layer, Tube, lay, lay_blob, lay_tube
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.types import Anatomy, Array


@dataclass(frozen=True)
class Vessel:
    """A named vessel: its tube and whether it carries arterial blood."""

    name: str
    tube: Tube
    arterial: bool


def _path(frame: SpineFrame, *spots: tuple[float, float, float]) -> Array:
    """(K, 3) patient mm of (place, mm right of the middle, mm in front of the body's front face)."""
    out = []
    for place, right, ahead in spots:
        i = frame.at_place(place)
        out.append(frame.world(place, right, float(frame.half_depth[i]) + ahead))
    return np.stack(out)


def vessels_of(frame: SpineFrame, anatomy: Anatomy, age: float) -> list[Vessel]:
    """Vessels along the column from the arch to the groin.

    The aorta descends left of the column, comes in front of it at T12 and divides at L4; the cava begins
    right of it at L5 (both: anatomy texts; the division lies at L4 in about two thirds of adults). The
    aorta's radius grows from about 9 to 12 mm with age.
    """
    rng = np.random.default_rng([anatomy.seed, 49])
    r = 8.6 + 0.035 * (age - 30) + float(rng.normal(0, 0.7))
    sway = float(rng.normal(0, 2.5)) * np.clip((age - 40) / 30, 0.2, 1.5)
    split = 2.0 + float(rng.normal(0, 0.3)) + 0.1
    aorta = _path(
        frame, (13.6, -20, -4), (12.5, -27, -12), (11, -26, -8), (9.5, -22, -1), (8, -16, 6), (7, -11, r),
        (6, -8 + sway, r + 2.5), (5, -10 - sway, r + 2), (4, -12 + sway, r + 2), (3, -11 - sway, r + 2), (split, -6, r + 2),
    )  # fmt: skip
    radii = np.interp(np.arange(11), [0, 4, 10], [r * 1.28, r * 1.2, r * 0.84])
    out = [Vessel("aorta", Tube(aorta, radii), True)]
    arch = np.stack(
        [aorta[0], aorta[0] + [6.0, 24.0, 14.0], aorta[0] + [28.0, 46.0, 8.0], aorta[0] + [40, 52, -36]]
    )
    out.append(Vessel("arch", Tube(arch, np.full(4, r * 1.4)), True))
    junction = split - 0.55
    cava = _path(
        frame,
        (9.2, 26, 42),
        (7.6, 28, 30),
        (6.5, 26, 18),
        (5, 22, 12),
        (4, 19, 9.5),
        (3, 18, 9),
        (junction, 14, 9),
    )
    flat = float(rng.uniform(0.7, 1.0))
    width = np.array([12.5, 12.0, 11.5, 10.5, 10.0, 10.0, 9.5]) * float(rng.uniform(0.9, 1.1))
    out.append(Vessel("cava", Tube(cava, width * flat**0.5, (1.0 / flat**0.5, flat**0.5, 1.0)), False))
    union = _path(frame, (junction, 14, 9))[0]
    for side in (-1.0, 1.0):
        out += _paired(frame, side, aorta[-1], union)
    azygos = _path(frame, (13.0, 10, 4), (11, 8, 3.5), (8, 6, 3.5), (6, 7, 3.5))
    out.append(Vessel("azygos", Tube(azygos, np.full(4, float(rng.uniform(2.6, 4.4)))), False))
    hemi = _path(frame, (9.0, -9, 2.5), (7.5, -9, 2.5), (6, -8, 2.5))
    out.append(Vessel("hemiazygos", Tube(hemi, np.full(3, 2.4)), False))
    top = _path(frame, (5.4, -4, 24), (5.0, -2, 44), (3.6, 6, 48), (2.4, 12, 50))
    out.append(Vessel("superior mesenteric artery", Tube(top, np.array([4.2, 4.0, 3.6, 3.0])), True))
    out.append(
        Vessel("superior mesenteric vein", Tube(top[1:] + [12, 2, 0], np.array([5.5, 5.2, 4.5])), False)
    )
    return out


def _paired(frame: SpineFrame, side: float, division: Array, union: Array) -> list[Vessel]:
    """Iliac and neck vessels of one side (+1 right), from the aorta's division and the cava's union, (3,) mm."""
    out = []
    groin = np.array([side * 62.0, 52.0, -92.0])
    deep = _path(frame, (0.5, side * 33, 10))[0]
    brim = np.array([side * 56.0, deep[1] + 6.0, deep[2] - 42.0])
    artery = np.stack([division, _path(frame, (1.3, side * 18, 9))[0], deep, brim, groin])
    out.append(Vessel("iliac artery", Tube(artery, np.array([6.4, 5.8, 5.4, 4.8, 4.4])), True))
    vein = np.stack([union, _path(frame, (0.8, side * 20 + 4, 5))[0], deep, brim, groin]) + [
        side * 1.0,
        -9.0,
        -5.0,
    ]
    vein[0] = union
    out.append(Vessel("iliac vein", Tube(vein, np.array([8.0, 7.6, 7.0, 6.4, 6.0])), False))
    inner = np.stack([deep, _path(frame, (-1.2, side * 30, 10))[0], _path(frame, (-2.6, side * 34, 14))[0]])
    out.append(Vessel("internal iliac artery", Tube(inner, np.array([4.2, 3.6, 3.0])), True))
    out.append(
        Vessel("internal iliac vein", Tube(inner + [side * 3, -7, 0], np.array([4.8, 4.2, 3.6])), False)
    )
    neck = _path(frame, (17.0, side * 18, 22), (19.0, side * 22, 20), (22.0, side * 27, 16))
    out.append(Vessel("carotid", Tube(neck, np.array([4.2, 3.8, 3.4])), True))
    out.append(Vessel("jugular", Tube(neck + [side * 10, 2, 0], np.array([6.0, 6.0, 5.0])), False))
    out.append(
        Vessel(
            "vertebral",
            Tube(_path(frame, (18, side * 17, -8), (23, side * 17, -8)), np.full(2, 2.0)),
            True,
        )
    )
    return out


def _paint_segmental(canvas: Canvas, frame: SpineFrame, place: float, blood: float) -> None:
    """Lumbar or intercostal vessels of one level, hugging the waist of its body on both sides."""
    i = frame.at_place(place)
    centre, axes = frame.centres[i], frame.axes[i]
    w, d = float(frame.half_width[i]), float(frame.half_depth[i])
    spots = (
        (0.0, d + 3.0, 0.0),
        (0.62 * w, 0.72 * d + 2.0, 0.0),
        (w + 1.5, 0.0, 0.0),
        (w + 6, -0.9 * d, 0.0),
    )
    corners = np.array([[u, v, n] for u in (-w - 6, w + 6) for v in (-d, d + 3) for n in (-1.0, 1.0)])
    box = (
        canvas.box(centre + corners @ axes.T, 2.0 + canvas.width) if canvas.sees(centre[None], 40.0) else None
    )
    if box is None:
        return

    def layers(p: Tensor) -> list[Layer]:
        u, v, n = rotate(p, axes, -centre @ axes).unbind(-1)
        q = stack_points(u.abs(), v, n)
        return [Layer(Tube(np.array(spots), np.array([1.7, 1.6, 1.6, 1.5])).distance(q), blood)]

    lay(canvas, box, layers, 1.5)


def paint_vessels(canvas: Canvas, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Blood with a wall, crura of the diaphragm beside the aorta, plaques in the old."""
    for side, low in ((1.0, 3.0), (-1.0, 3.6)):
        path = _path(
            frame,
            (low, side * 10, 1.5),
            (4.5, side * 12 - 1, 4.5),
            (6, side * 12 - 6, 8),
            (7.2, side * 15 - 8, 16),
        )
        lay_tube(canvas, Tube(path, np.array([2.0, 4.0, 4.5, 4.0]), (0.8, 1.5, 1.0)), tissues.muscle)
    vessels = vessels_of(frame, anatomy, tissues.age)
    for vessel in vessels:
        blood = tissues.artery if vessel.arterial else tissues.vein
        lay_tube(canvas, vessel.tube, blood, 3.0)
    for place in range(1, 15):
        _paint_segmental(canvas, frame, float(place), 0.5 * (tissues.artery + tissues.vein))
    _paint_plaques(canvas, vessels, anatomy, tissues)


def _paint_plaques(canvas: Canvas, vessels: list[Vessel], anatomy: Anatomy, tissues: Tissues) -> None:
    rng = np.random.default_rng([anatomy.seed, 50])
    # Abdominal aortic chalk is seldom before 45 and the rule after 75.
    burden = float(np.clip((tissues.age - 48.0) / 30.0, 0.0, 1.0)) * float(rng.uniform(0.1, 1.0))
    for vessel in vessels:
        if not vessel.arterial or vessel.name not in ("aorta", "iliac artery", "arch"):
            continue
        points, radii = vessel.tube.points, vessel.tube.radii
        for i in range(len(points) - 1):
            low_down = 1.0 if vessel.name == "iliac artery" or i >= 6 else 0.35
            for _ in range(int(rng.poisson(3.0 * burden * low_down))):
                share = float(rng.random())
                along = points[i + 1] - points[i]
                spot = points[i] + share * along
                turn = float(rng.uniform(0, 2 * np.pi))
                across = np.array([np.cos(turn), np.sin(turn), 0.0])
                across -= (across @ along) / (along @ along) * along
                r = float(radii[i] + share * (radii[i + 1] - radii[i]))
                spot = spot + across / np.linalg.norm(across) * r
                size = float(rng.uniform(1.2, 3.2))
                radius = (size, size, size * float(rng.uniform(1.0, 2.4)))
                lay_blob(canvas, tuple(float(c) for c in spot), radius, float(rng.uniform(250, 900)), 0.2)


def paint_airway(canvas: Canvas, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Larynx and trachea, main bronchi, oesophagus behind them, thyroid."""
    rng = np.random.default_rng([anatomy.seed, 51])
    gullet = _path(
        frame,
        (20, 0, 6),
        (17, -2, 7),
        (14, -3, 8),
        (12, -4, 11),
        (9.5, -6, 16),
        (8.0, -12, 26),
        (7.2, -26, 38),
    )
    lay_tube(canvas, Tube(gullet, np.full(7, 7.0), (1.25, 0.8, 1.0)), tissues.muscle - 8.0)
    if rng.random() < 0.4:
        lay_tube(canvas, Tube(gullet[1:5], np.full(4, 2.6)), -600.0, 2.0)
    windpipe = _path(frame, (23.5, 0, 14), (20, 0, 22), (18.5, 1, 24), (16, 2, 24), (13.4, 3, 27))
    lay_tube(canvas, Tube(windpipe, np.full(5, 10.5)), 55.0)
    for side in (-1.0, 1.0):
        lobe = windpipe[2] + np.array([side * 16.0, -1.0, -4.0])
        lay_blob(canvas, tuple(float(c) for c in lobe), (9.0, 9.0, 20.0), tissues.muscle + 50.0)
        bronchus = np.stack(
            [windpipe[-1], windpipe[-1] + [side * 30.0, -10.0, -24.0], windpipe[-1] + [side * 52, -16, -52]]
        )
        lay_tube(canvas, Tube(bronchus, np.array([8.5, 7.5, 4.5])), 30.0)
        lay_tube(canvas, Tube(bronchus, np.array([6.8, 5.8, 2.8])), -1000.0, 2.5)
        root = bronchus[1] + np.array([side * 4.0, 6.0, -6.0])
        lay_blob(
            canvas,
            tuple(float(c) for c in root),
            (14.0, 15.0, 19.0),
            0.5 * (tissues.artery + tissues.vein),
            0.3,
        )
    lay_tube(canvas, Tube(windpipe, np.full(5, 8.0)), -1000.0)
