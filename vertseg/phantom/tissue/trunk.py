"""Skin, subcutaneous fat, muscle wall and the fat inside it; lungs, heart and airways. World RAS, mm."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.shapes import coverage, smooth_max, waves
from vertseg.phantom.tissue.grain import Grain
from vertseg.phantom.tissue.layers import Layer, lay
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy

TRUNK_STEP_MM: Final = 6.0
SKIN_MM: Final = 1.8
LUNG_GRAIN_MM: Final = (1.6, 1.6, 1.6)


def phase_of(anatomy: Anatomy, stream: int) -> tuple[float, float, float]:
    """Three phases for `shapes.waves`, by patient and stream."""
    a, b, c = np.random.default_rng([anatomy.seed, stream]).uniform(0, 6.28, 3)
    return float(a), float(b), float(c)


def paint_trunk(canvas: Canvas, torso: Torso, anatomy: Anatomy, tissues: Tissues) -> None:
    """Skin, fat, wall of three muscle layers, rectus, cavity fat; diaphragm and lungs in the chest."""
    phase, broad = phase_of(anatomy, 21), phase_of(anatomy, 22)
    chest_z, neck_z = torso.t[min(torso.t, key=lambda n: abs(n - 10))], torso.neck_z

    def layers(p: Tensor) -> list[Layer]:
        rows = torso.at(p[..., 2])
        z = p[..., 2]
        skin, u, v = torso.skin_distance(p, rows)
        # A groove over the spinous processes between the two back muscles.
        skin = skin + 3.0 * torch.exp(-((u * 9.0) ** 2)) * (v < -0.3)
        behind, ahead = (-v).clamp(0, 1) ** 2, v.clamp(0, 1) ** 2
        flank = torch.exp(-(((u.abs() - 0.72) / 0.24) ** 2)) * (v < 0)
        thick = rows["fat_side"] + (rows["fat_back"] - rows["fat_side"]) * behind
        thick = thick + (rows["fat_front"] - rows["fat_side"]) * ahead + 0.35 * rows["fat_side"] * flank
        outer = skin + thick * (1.0 + 0.12 * waves(p, broad, 170.0))
        cage = torso.cage_distance(p, rows)[0]
        chest = torch.sigmoid((z - chest_z) / 14.0)
        outer = torch.maximum(outer, (cage - 24.0) * chest - 200.0 * (1 - chest))
        out = [
            Layer(skin, 25.0),
            Layer(skin + SKIN_MM, tissues.fat + 5.0 * waves(p, phase, 23.0)),
            Layer(outer, tissues.muscle),
        ]
        neck = torch.sigmoid((z - neck_z) / 8.0)
        wall = _wall_thickness(rows, u, v) * (1 - neck) + 14.0 * neck
        # The back muscles fill the gutter beside the column, so that the cavity begins in front of it.
        beside = (p[..., 0] - rows["spine_x"]).abs()
        gutter = rows["spine_y"] - 27.0 - p[..., 1] - 0.08 * (beside - 45.0).clamp(0.0, 50.0)
        # Below the crest the buttocks fill the wall as far as the wing of the hip bone.
        seat = torch.sigmoid((10.0 - z) / 9.0) * torch.sigmoid((0.2 - v) * 9.0)
        wall = wall + (26.0 + 14.0 * (u.abs() - 0.3).clamp(0.0, 0.5)) * seat
        inner = smooth_max(outer + wall, gutter, 10.0)
        inner = torch.maximum(inner, z - torso.neck_z + 4.0)
        planes = torch.minimum(_planes(outer, wall, v, chest + neck + seat), _buttock(outer, p, phase, seat))
        out.append(Layer(planes, tissues.fat + 18.0))
        out.append(Layer(inner, tissues.fat + 7.0 * waves(p, phase, 31.0)))
        return out

    lay(canvas, None, layers, TRUNK_STEP_MM)


def _wall_thickness(rows: dict[str, Tensor], u: Tensor, v: Tensor) -> Tensor:
    front = v > 0
    rectus = torch.sigmoid((0.46 - u.abs()) * 40.0) * front
    gap = torch.exp(-(((u.abs() - 0.49) / 0.03) ** 2)) * front
    midline = torch.exp(-((u / 0.03) ** 2)) * front
    thick = rows["wall"] * (1 - rectus) + rows["rectus"] * rectus
    return thick * (1 - 0.75 * torch.maximum(gap, midline)) + 1.5


def _planes(outer: Tensor, wall: Tensor, v: Tensor, above: Tensor) -> Tensor:
    """Thin fat between the three flat muscles of the flank, seldom thicker than a voxel."""
    first, second = (outer + 0.42 * wall).abs(), (outer + 0.74 * wall).abs()
    away = 40.0 * above + 12.0 * (v.abs() - 0.55).clamp_min(0.0)
    return torch.minimum(first, second) - 0.55 + away


def _buttock(outer: Tensor, p: Tensor, phase: tuple[float, float, float], seat: Tensor) -> Tensor:
    """Fat between gluteus maximus, medius and minimus, and clefts between the bundles of the maximus."""
    wavy = outer + 4.0 * waves(p, phase, 60.0)
    sheets = torch.minimum((wavy + 19.0).abs() - 0.9, (wavy + 36.0).abs() - 0.5)
    slant = p[..., 2] + 0.9 * p[..., 0].abs()
    clefts = torch.maximum(6.5 * (torch.sin(slant * (6.2832 / 26.0)) - 0.93).neg(), -wavy - 19.0)
    return torch.minimum(sheets, clefts) + 30.0 * (1 - seat)


class Chest:
    """Lungs, diaphragm and what they leave in the middle of the chest."""

    def __init__(self, torso: Torso, anatomy: Anatomy) -> None:
        rng = np.random.default_rng([anatomy.seed, 44])
        t = torso.t
        self.torso = torso
        # Domes lie near T10 in the breath held for a scan; the right one higher, over the liver.
        self.right_top = t[10] + float(rng.uniform(-14, 26))
        self.left_top = self.right_top - float(rng.uniform(4, 18))
        self.apex = t[2] + float(rng.uniform(6, 16))
        self.heart = (
            0.7 * torso.value("spine_x", t[8]) - float(rng.uniform(18, 32)),
            torso.value("cage_front", t[8]) - float(rng.uniform(48, 58)),
            self.left_top + float(rng.uniform(38, 50)),
        )

    def dome(self, p: Tensor, rows: dict[str, Tensor], u: Tensor, v: Tensor) -> Tensor:
        """Height (mm) of the diaphragm over or under a point, negative in the abdomen."""
        right = torch.sigmoid((p[..., 0] - rows["spine_x"]) / 12.0)
        top = self.left_top + (self.right_top - self.left_top) * right
        radial = ((u.abs() - 0.48) / 0.52) ** 2 * (u.abs() > 0.48) + (v - 0.1) ** 2 * 0.9
        back = (-v - 0.35).clamp_min(0.0)
        return p[..., 2] - (top - 58.0 * radial - 55.0 * back)

    def lung(self, p: Tensor, rows: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Distances (mm) to the lungs, to the cage's inner face, and the diaphragm's height."""
        cage, u, v = self.torso.cage_distance(p, rows)
        dome = self.dome(p, rows, u, v)
        inner = cage + 6.0
        space = smooth_max(smooth_max(inner, -dome, 8.0), p[..., 2] - self.apex, 16.0)
        x, y = p[..., 0] - rows["spine_x"], p[..., 1] - rows["spine_y"]
        middle = 15.0 + 20.0 * torch.sigmoid((y - 26.0) / 9.0) - 12.0 * torch.sigmoid((v - 0.82) * 20.0)
        column = 24.0 - torch.hypot(x, (y + 4.0) * 0.92)
        gutter = (-y - 14.0) * 0.9 + 20.0 - x.abs()
        keep_out = torch.maximum(
            torch.maximum(middle - x.abs(), column), torch.minimum(gutter, column + 14.0)
        )
        hx, hy, hz = ((p[..., i] - self.heart[i]) / r for i, r in enumerate((54.0, 46.0, 58.0)))
        heart = (1.0 - torch.sqrt(hx * hx + hy * hy + hz * hz + 0.3 * hx * hz)) * 48.0
        return smooth_max(space, smooth_max(keep_out, heart, 6.0), 5.0), inner, dome


def paint_chest(canvas: Canvas, chest: Chest, anatomy: Anatomy, tissues: Tissues) -> None:
    """Muscle between the ribs, diaphragm, mediastinal fat, lungs with their vessels, heart."""
    torso = chest.torso
    corners = np.array([[-190.0, -190.0, torso.t[10] - 110.0], [190.0, 230.0, torso.neck_z + 10.0]])
    box = canvas.box(corners, 0.0)
    if box is None:
        return
    tile = Grain(canvas, LUNG_GRAIN_MM, (anatomy.seed, 45))

    def parenchyma(voxels: Box, distance: Tensor) -> Tensor:
        vessels = (tile.at(voxels) - 1.75).clamp_(0.0, 1.2).mul_(560.0)
        return vessels.add_(tissues.lung)

    def layers(p: Tensor) -> list[Layer]:
        rows = torso.at(p[..., 2])
        lung, inner, dome = chest.lung(p, rows)
        low = p[..., 2] - (torso.t[10] - 95.0)
        intercostal = smooth_max(inner - 10.0, -low, 6.0)
        diaphragm = smooth_max(torch.maximum(inner, dome.abs() - 2.2), -low, 6.0)
        middle = smooth_max(torch.maximum(inner, -dome), p[..., 2] - torso.neck_z + 8.0, 8.0)
        hx, hy, hz = ((p[..., i] - chest.heart[i]) / r for i, r in enumerate((49.0, 41.0, 53.0)))
        heart = (torch.sqrt(hx * hx + hy * hy + hz * hz + 0.3 * hx * hz) - 1.0) * 44.0
        heart = smooth_max(heart, 2.0 - dome, 6.0)
        chamber = torch.sqrt(((hx - 0.1) * 1.5) ** 2 + (hy * 1.5) ** 2 + (hz * 1.35) ** 2) - 1.0
        blood = 0.5 * (tissues.artery + tissues.vein)
        filled = coverage(chamber, 0.4) * (blood - 0.75 * blood - 18.0) + 0.75 * blood + 18.0
        return [
            Layer(intercostal, 0.5 * tissues.muscle - 5.0),
            Layer(middle, tissues.fat + 15.0),
            Layer(diaphragm, tissues.muscle),
            Layer(heart, filled),
            Layer(lung, parenchyma),
        ]

    lay(canvas, box, layers, TRUNK_STEP_MM)
