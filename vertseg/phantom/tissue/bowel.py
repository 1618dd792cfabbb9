"""Colon and small bowel with gas, fluid, contrast and faeces, and the vessels of the mesentery."""

from typing import Final

import numpy as np
from torch import Tensor

from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.tissue.grain import Grain
from vertseg.phantom.tissue.layers import Tube, lay_blob, lay_tube
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy, Array

FAECES_GRAIN_MM: Final = (3.0, 3.0, 3.0)


class _Abdomen:
    """Points of the belly by share of its width (right), of its depth (front) and height in levels."""

    def __init__(self, torso: Torso, frame: SpineFrame) -> None:
        self._torso, self._frame = torso, frame

    def point(self, place: float, right: float, front: float) -> Array:
        """(3,) patient mm; `front` runs from 0 at the body's front face to 1 at the muscle wall."""
        i = self._frame.at_place(place)
        middle = self._frame.centres[i]
        z = float(middle[2])
        t = self._torso
        wide = t.value("skin_w", z) - t.value("fat_side", z) - t.value("wall", z) - 2.0
        back = float(middle[1]) + float(self._frame.half_depth[i])
        reach = t.value("skin_front", z) - t.value("fat_front", z) - t.value("rectus", z) - 3.0
        # The belly is round: far to the side its front wall lies further back.
        reach = reach - 0.30 * (reach - back) * min(1.0, abs(right)) ** 2
        return np.array([0.3 * t.value("spine_x", z) + right * wide, back + front * (reach - back), z])

    def inside(self, spot: Array, margin_mm: float = 16.0) -> Array:
        """The spot (3,), moved back where it would come through the belly's front wall."""
        t, z = self._torso, float(spot[2])
        wall = t.value("skin_front", z) - t.value("fat_front", z) - t.value("rectus", z) - margin_mm
        wide = t.value("skin_w", z) - t.value("fat_side", z) - t.value("wall", z) - margin_mm
        right = float(np.clip(spot[0], -0.8 * wide, 0.8 * wide))
        wall -= 0.3 * (wall - float(np.interp(z, t.z, t.table["spine_y"]))) * (abs(right) / wide) ** 2
        return np.array([right, min(float(spot[1]), wall), z])


def paint_bowel(canvas: Canvas, torso: Torso, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Mesenteric vessels first, small bowel, then the colon as a frame around it, and the rectum."""
    corners = np.array([[-200.0, -40.0, -130.0], [200.0, 260.0, float(frame.world(5.5, 0, 0)[2])]])
    if canvas.box(corners, 0.0) is None:
        return
    rng = np.random.default_rng([anatomy.seed, 52])
    belly = _Abdomen(torso, frame)
    _paint_mesentery(canvas, belly, tissues, rng)
    _paint_small_bowel(canvas, belly, anatomy, tissues, rng)
    _paint_colon(canvas, belly, anatomy, rng)
    rectum = np.stack([frame.world(-1.6, 0, 24), frame.world(-3, 2, 26), np.array([0.0, -38.0, -135.0])])
    wide = float(rng.uniform(11, 20))
    lay_tube(canvas, Tube(rectum, np.array([wide, wide, 9.0])), 40.0)
    if rng.random() < 0.7:
        filling = -850.0 if rng.random() < 0.3 else 15.0
        lay_tube(canvas, Tube(rectum, np.array([wide - 3, wide - 3, 3.0])), filling)


def _paint_mesentery(canvas: Canvas, belly: _Abdomen, tissues: Tissues, rng: np.random.Generator) -> None:
    root = belly.point(3.6, 0.03, 0.5)
    for _ in range(26):
        end = belly.point(
            float(rng.uniform(-0.5, 3.8)), float(rng.uniform(-0.6, 0.6)), float(rng.uniform(0.25, 0.9))
        )
        bend = 0.5 * (root + end) + rng.normal(0, 10, 3)
        lay_tube(canvas, Tube(np.stack([root, bend, end]), np.array([2.6, 2.2, 1.4])), tissues.vein, 2.0)


def _paint_small_bowel(
    canvas: Canvas, belly: _Abdomen, anatomy: Anatomy, tissues: Tissues, rng: np.random.Generator
) -> None:
    opaque = rng.random() < 0.3
    for _ in range(int(rng.integers(26, 42))):
        place, right = float(rng.uniform(-1.2, 3.7)), float(rng.uniform(-0.66, 0.66))
        front = float(rng.uniform(0.3, 0.93))
        path = [belly.inside(belly.point(place, right, front))]
        heading = rng.normal(0, 1, 3)
        for _ in range(4):
            heading = 0.6 * heading + rng.normal(0, 1, 3) * [1.0, 0.5, 0.7]
            path.append(belly.inside(path[-1] + 17.0 * heading / np.linalg.norm(heading)))
        r = float(rng.uniform(9.0, 15.0)) * np.array([0.9, 1.0, 1.05, 1.0, 0.85])
        wall = 42.0 + 0.15 * (tissues.vein - 42.0)
        lay_tube(canvas, Tube(np.stack(path), r), wall)
        kind = rng.random()
        if kind < 0.10 * (0.3 + anatomy.trunk["gas"]):
            lay_tube(canvas, Tube(np.stack(path), r - 2.2), -900.0)
        elif kind < 0.85:
            filling = float(rng.uniform(150, 380)) if opaque else float(rng.uniform(8, 38))
            lay_tube(canvas, Tube(np.stack(path), r - 2.4), filling)


class _Faeces:
    """Gas over faeces over fluid: speckled by gas, with a level where gas stands in front (the patient is supine)."""

    def __init__(self, tile: Grain, base: float, airy: float) -> None:
        self._tile, self._base, self._airy = tile, base, airy

    def __call__(self, box: Box, distance: Tensor) -> Tensor:
        bubbles = (self._tile.at(box) - 1.2 + self._airy).clamp_(0.0, 0.7).mul_(-750.0)
        return bubbles.add_(self._base)


def _paint_colon(canvas: Canvas, belly: _Abdomen, anatomy: Anatomy, rng: np.random.Generator) -> None:
    sag = float(rng.uniform(-0.8, 1.0))
    spots = (
        (0.4, 0.78, 0.28), (1.4, 0.84, 0.22), (2.6, 0.84, 0.18), (3.6, 0.8, 0.3), (3.4, 0.55, 0.68), (3.0 - sag, 0.25, 0.86),
        (2.8 - sag, -0.1, 0.88), (3.3 - 0.5 * sag, -0.45, 0.8), (4.6, -0.78, 0.45), (3.8, -0.88, 0.12), (2.6, -0.9, 0.06),
        (1.4, -0.9, 0.14), (0.2, -0.74, 0.34), (-0.6, -0.5, 0.5), (-0.2, -0.2, 0.55), (-1.0, 0.05, 0.42),
    )  # fmt: skip
    jitter = rng.normal(0, 1, (len(spots), 3)) * [0.12, 0.035, 0.05]
    path = np.stack([belly.point(*(s + j)) for s, j in zip(np.array(spots), jitter, strict=True)])
    widths = np.array([27, 26, 23, 21, 19, 20, 19, 17, 17, 13, 12, 12, 14, 14, 13, 12.0])
    widths = widths * rng.uniform(0.8, 1.2, len(spots))
    fine = np.linspace(0, len(spots) - 1, 3 * len(spots))
    path = np.stack([np.interp(fine, np.arange(len(spots)), path[:, i]) for i in range(3)], axis=1)
    # Haustra: the wall bulges between its bands every 3 cm or so.
    radii = np.interp(fine, np.arange(len(spots)), widths) * (1.0 + 0.14 * np.sin(fine * 6.2832 * 0.66))
    tile = Grain(canvas, FAECES_GRAIN_MM, (anatomy.seed, 54))
    piece = 6
    for i in range(0, len(path) - 1, piece):
        run = slice(i, min(i + piece + 1, len(path)))
        lay_tube(canvas, Tube(path[run], radii[run]), 38.0)
        kind = rng.random()
        inner = Tube(path[run], radii[run] - 2.6)
        if kind < 0.25 + 0.35 * anatomy.trunk["gas"]:
            lay_tube(canvas, inner, _Faeces(tile, float(rng.uniform(-20, 30)), 0.0))
            gas = Tube(path[run] + np.array([0.0, 4.0, 0.0]), np.maximum(radii[run] - 7.0, 3.0))
            lay_tube(canvas, gas, -980.0)
        else:
            base = float(rng.uniform(200, 420)) if kind > 0.93 else float(rng.uniform(0, 55))
            lay_tube(canvas, inner, _Faeces(tile, base, float(rng.uniform(0.0, 0.9))))
    lay_blob(canvas, tuple(float(c) for c in path[0] + [0, 4, -16]), (21.0, 20.0, 22.0), 25.0)
