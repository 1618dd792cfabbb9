"""The outline of the body and of the rib cage, height by height. World RAS, mm."""

from typing import Final

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR, THORACIC
from vertseg.phantom.types import Anatomy, Array, VertebraShape

STEP_MM: Final = 5.0

CHANNELS: Final = (
    "spine_x", "spine_y", "skin_w", "skin_front", "skin_back", "fat_side", "fat_front", "fat_back",
    "cage_w", "cage_front", "cage_back", "wall", "rectus",
)  # fmt: skip

_CAGE_WIDTH: Final = ((1, 0.36), (2, 0.54), (3, 0.70), (4, 0.80), (6, 0.93), (8, 1.0), (10, 1.0), (12, 0.93))
"""Half width of the rib cage at thoracic levels, as a share of the widest (axial CT of adults)."""
_CAGE_DEPTH: Final = ((1, 0.50), (2, 0.58), (3, 0.66), (4, 0.74), (6, 0.88), (8, 0.97), (10, 1.0), (12, 1.0))


def _spinous_tip(shape: VertebraShape) -> Array:
    s = shape.sizes
    back = -s["depth"] / 2 - max(s["spinous_length"], s["canal_depth"] + 9.0)
    return np.asarray(shape.centre_mm + shape.axes @ np.array([0.0, back, -6.0 - s["spinous_drop"]]))


class Torso:
    """Outline tables along z; skin and cage are superellipses around a centre that moves with the column.

    Args:
        anatomy: the patient.
        device: torch device of the points.

    Attributes:
        z: (K,) heights of the table, mm.
        table: channel name -> (K,) values, mm.
        exponent: of the superellipses (back half, front half).
    """

    def __init__(self, anatomy: Anatomy, device: torch.device) -> None:
        trunk = anatomy.trunk
        rng = np.random.default_rng([anatomy.seed, 43])
        by_level = {s.level: s for s in anatomy.vertebrae}
        top = float(anatomy.vertebrae[0].centre_mm[2])
        self.z = np.arange(-460.0, top + 260.0, STEP_MM)
        self.level_z = {n: float(s.centre_mm[2]) for n, s in by_level.items()}
        chest = [n for n in THORACIC if n in by_level]
        self.t = {n - THORACIC[0] + 1: self.level_z[n] for n in chest}
        self.neck_z = self.level_z[CERVICAL[6]] + 6.0
        c: dict[str, Array] = {}
        course = np.array([s.centre_mm for s in reversed(anatomy.vertebrae)])
        below = np.array([[0, -48, -460.0], [0, -48, -110.0], [0, -30, -50.0]])
        path = np.concatenate([below, course, course[-1:] + [[0, 0, 60]], course[-1:] + [[0, 0, 260]]])
        c["spine_x"], c["spine_y"] = (np.interp(self.z, path[:, 2], path[:, i]) for i in (0, 1))
        self._skin(c, anatomy, rng)
        self._cage(c, trunk)
        self.table = c
        self.exponent = (float(rng.uniform(2.15, 2.6)), float(np.clip(trunk["shape"] - 0.25, 1.9, 2.5)))
        self.device = device
        stacked = np.stack([c[name] for name in CHANNELS], axis=1)
        self._table = torch.tensor(stacked, dtype=torch.float32, device=device)

    def _along(self, *knots: tuple[float, float], smooth_mm: float = 12.0) -> Array:
        points = sorted(knots)
        values = np.interp(self.z, [k[0] for k in points], [k[1] for k in points])
        return np.asarray(gaussian_filter1d(values, smooth_mm / STEP_MM, mode="nearest"))

    def _skin(self, c: dict[str, Array], anatomy: Anatomy, rng: np.random.Generator) -> None:
        trunk, t, neck = anatomy.trunk, self.t, self.neck_z
        fat, lumbar = trunk["fat"], self.level_z[LUMBAR[2]]
        fat_back = 5.0 + 0.9 * max(0.0, trunk["back"] - 66.0)
        tips = np.array([_spinous_tip(s) for s in reversed(anatomy.vertebrae)])
        order = np.argsort(tips[:, 2])
        tip_y = np.interp(self.z, tips[order, 2], tips[order, 1])
        # Below the column: the sacrum's back, then the buttocks.
        low = float(tips[order[0], 2])
        seat = np.interp(self.z, [-150.0, -95.0, -45.0, low], [-84.0, -88.0, -74.0, float(tips[order[0], 1])])
        tip_y = np.where(self.z < low, seat, tip_y)
        on_back = self._along(
            (-150, 1.6), (-60, 1.25), (0, 1.1), (lumbar, 1.0), (t[10], 0.6), (t[3], 0.6), (neck, 0.5)
        )
        c["fat_back"] = np.clip(fat_back * on_back, 5.0, 55.0)
        bare = minimum_filter1d(tip_y, int(30 / STEP_MM)) - 0.75 * c["fat_back"] - 3.0
        # Lying flattens the back: hollows are filled by what sinks into them.
        lain = np.minimum(bare, gaussian_filter1d(bare, 90.0 / STEP_MM, mode="nearest") + 8.0)
        lain = np.where(self.z > neck, tip_y - 9.0, lain)
        c["skin_back"] = np.asarray(gaussian_filter1d(lain, 16.0 / STEP_MM, mode="nearest"))
        wide = trunk["half_width"]
        hips = max(168.0 * trunk["pelvis_scale"] + 0.4 * fat, 0.98 * wide)
        shoulder = max(wide, 165.0)
        c["skin_w"] = self._along(
            (-460, hips), (-60, hips), (lumbar - 30, 0.98 * wide), (lumbar + 20, 0.96 * wide), (t[9], wide),
            (t[5], wide), (t[3], shoulder), (t[1], shoulder * 0.86), (neck + 6, 74.0), (neck + 50, 62.0),
            (self.z[-1] - 190, 66.0), (self.z[-1] - 150, 78.0), (self.z[-1], 78.0), smooth_mm=9.0,
        )  # fmt: skip
        # Nobody is as flat as two independent draws can make him.
        depth = 2 * float(np.clip(trunk["half_depth"], 0.62 * wide, 0.86 * wide))
        deep = float(np.interp(lumbar, self.z, c["skin_back"])) + depth
        belly = float(rng.normal(0.0, 8.0)) + 0.25 * fat
        t9 = deep - 4.0
        at = {n: float(np.interp(h, self.z, c["skin_back"])) for n, h in t.items()}
        upper = float(np.clip(depth, 238.0, 285.0))
        c["skin_front"] = self._along(
            (-460, deep - 46), (-120, deep - 34), (-40, deep - 6), (lumbar, deep + belly), (t[9], t9),
            (t[7], at[7] + 0.93 * upper), (t[5], at[5] + 0.87 * upper), (t[3], at[3] + 0.74 * upper),
            (t[1], at[1] + 0.60 * upper), (neck + 25, float(np.interp(neck, self.z, c["spine_y"])) + 58.0),
            (self.z[-1] - 190, float(c["spine_y"][-1]) + 60.0), (self.z[-1] - 150, float(c["spine_y"][-1]) + 98.0),
        )  # fmt: skip
        c["fat_side"] = self._along(
            (-460, 1.2 * fat + 8), (-60, 1.35 * fat + 8), (lumbar, 1.05 * fat), (t[9], 0.75 * fat), (t[3], 0.6 * fat),
            (neck, 5.0),
        )  # fmt: skip
        c["fat_front"] = self._along(
            (-460, fat), (-90, 1.2 * fat), (lumbar, fat), (t[9], 0.75 * fat), (t[5], 0.6 * fat), (neck, 4.0)
        )
        strong = 0.85 + 0.3 * float(rng.random())
        c["wall"] = self._along(
            (-60, 22.0 * strong), (lumbar, 19.0 * strong), (t[12 if 12 in t else 11], 16.0)
        )
        c["rectus"] = self._along((-60, 12.0 * strong), (lumbar, 9.5 * strong), (t[9], 8.0))

    def _cage(self, c: dict[str, Array], trunk: dict[str, float]) -> None:
        t = self.t
        widest = float(np.clip(trunk["half_width"] - 0.7 * trunk["fat"] - 14.0, 112.0, 160.0))
        width = self._along(*((t[n], s * widest) for n, s in _CAGE_WIDTH if n in t))
        c["cage_w"] = np.minimum(width, c["skin_w"] - c["fat_side"] * 0.7 - 10.0)
        # The angles of the ribs lie about as far behind as the laminae reach.
        c["cage_back"] = self._along(
            *((z, float(np.interp(z, self.z, c["spine_y"])) - 44.0) for z in t.values())
        )
        room = c["skin_front"] - c["fat_front"] - 11.0 - c["cage_back"]
        depth = self._along(*((t[n], s * 215.0) for n, s in _CAGE_DEPTH if n in t))
        c["cage_front"] = c["cage_back"] + np.minimum(room, depth)

    def at(self, z: Tensor) -> dict[str, Tensor]:
        """Every channel at heights z (mm), by name."""
        place = ((z - float(self.z[0])) / STEP_MM).clamp(0, len(self.z) - 1.001)
        low = place.long()
        share = (place - low)[..., None]
        rows = self._table[low] * (1 - share) + self._table[low + 1] * share
        return dict(zip(CHANNELS, rows.unbind(-1), strict=True))

    def value(self, name: str, z: float) -> float:
        """One channel at one height."""
        return float(np.interp(z, self.z, self.table[name]))

    def skin_distance(self, p: Tensor, rows: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Distance (mm) to the skin, and sideways and forward place on it as shares (-1 to 1 inside)."""
        return self._outline(p, rows, "skin_w", "skin_front", "skin_back", 0.35)

    def cage_distance(self, p: Tensor, rows: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Distance (mm) to the surface through the middle of the ribs, and place on it as shares."""
        return self._outline(p, rows, "cage_w", "cage_front", "cage_back", 0.7)

    def _outline(
        self, p: Tensor, rows: dict[str, Tensor], wide: str, front: str, back: str, follow: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        middle, half = 0.5 * (rows[front] + rows[back]), 0.5 * (rows[front] - rows[back])
        u, v = p[..., 0] - follow * rows["spine_x"], p[..., 1] - middle
        a, b = (u / rows[wide]).abs() + 1e-4, v / half
        n = torch.where(b < 0, self.exponent[0], self.exponent[1])
        k = (a**n + (b.abs() + 1e-4) ** n) ** (1.0 / n)
        return (k - 1.0) * torch.sqrt(u * u + v * v + 1.0) / k.clamp_min(0.25), u / rows[wide], b

    def cage_points(self, z: Array, angle: Array, side: float) -> Array:
        """(K, 3) points on the cage at heights z (K,); `angle` (K,) runs from -pi/2 (back) over 0 to pi/2 (front)."""
        wide, front, back, spine = (
            np.interp(z, self.z, self.table[n]) for n in ("cage_w", "cage_front", "cage_back", "spine_x")
        )
        n = np.where(angle < 0, self.exponent[0], self.exponent[1])
        c, s = np.abs(np.cos(angle)), np.sin(angle)
        r = (c**n + np.abs(s) ** n) ** (-1.0 / n)
        x = 0.7 * spine + side * wide * r * c
        return np.stack([x, 0.5 * (front + back) + 0.5 * (front - back) * r * s, z], axis=1)

    def cage_point(self, z: float, angle: float, side: float) -> Array:
        """(3,) one such point."""
        return np.asarray(self.cage_points(np.array([z]), np.array([angle]), side)[0])
