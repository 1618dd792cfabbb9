"""The sacrum and coccyx: bodies, alae, canal, foramina, crest. World RAS, mm."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation
from torch import Tensor

from vertseg.labels import SACRUM
from vertseg.phantom.shapes import rotate
from vertseg.phantom.skeleton.bars import Bar, BoneUnion, Plate, to_world
from vertseg.phantom.skeleton.pelvic_frame import joint_plane
from vertseg.phantom.types import Anatomy, Array, VertebraShape
from vertseg.phantom.vertebra.distances import body_distance


def sacrum_segments(anatomy: Anatomy) -> list[VertebraShape]:
    """Bodies of S1-S5 as vertebra-like shapes: S1 leans as the anatomy says, the lower ones turn forward."""
    rng = np.random.default_rng([anatomy.seed, 11])
    k = float(rng.uniform(0.94, 1.12))
    slope = float(np.rad2deg(np.arctan2(anatomy.sacrum_axes[1, 2], anatomy.sacrum_axes[2, 2])))
    turns = np.cumsum(
        [0.0, rng.uniform(-2, 12), rng.uniform(-22, -2), rng.uniform(-30, -10), rng.uniform(-30, -10)]
    )
    rows = ((51, 33, 30), (39, 23, 25), (31, 17, 21), (27, 13, 18), (22, 10, 15))
    gap, point, up = float(rng.uniform(1.0, 4.0)), anatomy.sacrum_centre_mm, anatomy.sacrum_axes[:, 2]
    segments = []
    for i, ((width, depth, height), turn) in enumerate(zip(rows, turns, strict=True)):
        axes = Rotation.from_euler("x", -(slope + turn), degrees=True).as_matrix()
        mean_up = (up + axes[:, 2]) / np.linalg.norm(up + axes[:, 2])
        centre = point - mean_up * (0.0 if i == 0 else gap / (1 + i)) - axes[:, 2] * k * height / 2
        sizes = {
            "width": k * width, "depth": k * depth, "height": k * height * 0.92, "anterior_height": k * height,
            "middle_height": k * height * 0.93, "waist": 0.03, "concavity": 0.8, "osteophyte": 0.0,
        }  # fmt: skip
        segments.append(VertebraShape(SACRUM, centre, axes, sizes, seed=anatomy.seed + i))
        point, up = centre - axes[:, 2] * k * height / 2, axes[:, 2]
    return segments


@dataclass(frozen=True)
class SacralBody:
    """The body of one segment as a part of the sacrum."""

    shape: VertebraShape
    cortex: float = 0.6

    def extent(self) -> tuple[Array, float]:
        """Its centre and half diagonal."""
        s = self.shape.sizes
        return self.shape.centre_mm[None], 0.6 * max(s["width"], s["anterior_height"])

    def distance(self, p: Tensor) -> Tensor:
        """Distance (mm) at points (..., 3)."""
        axes = self.shape.axes
        return body_distance(rotate(p, axes, -self.shape.centre_mm @ axes), self.shape)[0]


_REACH = (64.0, 60.0, 44.0, 30.0, 20.0)
"""How far (mm) the lateral mass of each segment goes before the sacroiliac joint cuts it."""


def _lateral_mass(shape: VertebraShape, i: int) -> Iterator[Bar | Plate]:
    s = shape.sizes
    half_w, half_d, half_h = s["width"] / 2, s["depth"] / 2, s["height"] / 2
    for side in (-1.0, 1.0):

        def at(right: float, front: float, up: float, m: float = side) -> tuple[float, ...]:
            return to_world(shape.axes, shape.centre_mm, (m * right, front, up))

        if i < 3:
            # The ala: thick toward the joint, its upper face falling off laterally and forward.
            r = (0.66, 0.66, 0.62)[i] * half_h
            yield Bar(at(0.6 * half_w, -2, 1), at(_REACH[i], -12, -7), (r, r + 1.5), cortex=0.7)
            yield Bar(at(0.7 * half_w, -half_d, 1), at(_REACH[i] - 10, -half_d - 15, -5), (r, r), cortex=0.7)
        else:
            yield Bar(
                at(0.6 * half_w, -2, 1), at(_REACH[i], -3, -3), (0.75 * half_d, 0.6 * half_d), cortex=0.7
            )
        # Plate behind the canal, from the lateral mass to the median crest.
        back = -half_d - (17.0, 14.0, 11.0, 8.0, 5.0)[i]
        corners = (at(0.85 * half_w, -half_d - 7, half_h), at(0.85 * half_w, -half_d - 7, -half_h))
        crest = (at(0, back, 0.8 * half_h), at(0, back, -half_h))
        if i < 4:
            yield Plate(np.array([corners[0], corners[1], crest[0]]), (4.0, 4.0, 2.4), 0.9)
            yield Plate(np.array([corners[1], crest[0], crest[1]]), (4.0, 2.4, 2.4), 0.9)


def build_sacrum(union: BoneUnion, anatomy: Anatomy) -> None:
    """Join the sacrum: bodies, alae, posterior plates, crest; canal, foramina and joint gaps carved."""
    segments = sacrum_segments(anatomy)
    for i, shape in enumerate(segments):
        union.add(SacralBody(shape))
        for part in _lateral_mass(shape, i):
            union.add(part)
        half_d, half_h = shape.sizes["depth"] / 2, shape.sizes["height"] / 2
        if i < 4:
            back = -half_d - (21.0, 18.0, 14.0, 10.0)[i]
            tip = to_world(shape.axes, shape.centre_mm, (0, back - 3, -0.5 * half_h))
            top = to_world(shape.axes, shape.centre_mm, (0, back + 2, 0.5 * half_h))
            union.add(Bar(top, tip, (3.4, 4.0 - 0.5 * i), cortex=1.0))
    for i, shape in enumerate(segments[:4]):
        half_d, half_h = shape.sizes["depth"] / 2, shape.sizes["height"] / 2
        # Sacral canal, triangular at S1 and a slit at S4.
        size = (8.5, 7.0, 5.0, 3.5)[i]
        high = to_world(shape.axes, shape.centre_mm, (0, -half_d - 0.72 * size, half_h + 4))
        low = to_world(shape.axes, shape.centre_mm, (0, -half_d - 0.66 * size, -half_h - 2))
        union.carve(Bar(high, low, (size, size * 0.85), (1.35, 0.8, 0.8)))
        for side in (-1.0, 1.0):
            # A foramen opens in front and behind the nerve's passage, between two segments.
            x = side * (0.5 * shape.sizes["width"] * (0.78, 0.86, 0.9, 0.95)[i])
            front = to_world(shape.axes, shape.centre_mm, (x * 1.05, half_d + 6, -half_h - 1))
            middle = to_world(shape.axes, shape.centre_mm, (x * 0.85, -half_d - 2, -half_h + 2))
            rear = to_world(shape.axes, shape.centre_mm, (x * 0.92, -half_d - 26, -half_h - 1))
            r = (5.8, 5.2, 4.4, 3.4)[i]
            union.carve(Bar(front, middle, (r + 1.0, r - 0.5)))
            union.carve(Bar(middle, rear, (r - 0.5, 0.55 * r)))
    for side in (-1.0, 1.0):
        union.carve(joint_plane(anatomy, side, outward=True))


def coccyx_bars(anatomy: Anatomy) -> list[Bar]:
    """Three small segments below S5 that bend forward."""
    rng = np.random.default_rng([anatomy.seed, 17])
    last = sacrum_segments(anatomy)[-1]
    direction = -last.axes[:, 2]
    point = last.centre_mm + direction * (last.sizes["height"] / 2 + 3.0)
    bars = []
    bend = Rotation.from_euler("x", float(rng.uniform(6, 26)), degrees=True)
    for radius in (5.6, 4.4, 3.2):
        end = point + 7.0 * direction
        bars.append(Bar(tuple(point), tuple(end), (radius, radius * 0.8), (1.35, 0.8, 1.0), 0.7))
        direction = bend.apply(direction)
        point = end + 4.5 * direction
    return bars
