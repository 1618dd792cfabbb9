"""Hip bones and femora. Landmarks of one side in the neutral pelvis (right, front, up; mm) from the S1 endplate."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from vertseg.phantom.skeleton.bars import Bar, BoneUnion, Cup, Part, Plate
from vertseg.phantom.skeleton.pelvic_frame import joint_plane, pelvis_pose
from vertseg.phantom.types import Anatomy, Array

HIP: Final = (88.0, 20.0, -96.0)
"""Centre of the hip joint: about 100 mm from the middle of the S1 endplate, tilted 12 degrees forward
(pelvic thickness and tilt: Legaye et al., Eur Spine J 1998;7:99); hips 176 mm apart."""
HEAD_MM: Final = 23.5
HIP_GAP_MM: Final = 3.5

_CREST: Final = (
    (42, -66, -36, 7.0), (46, -70, -10, 7.0), (58, -60, 12, 5.5), (76, -42, 28, 4.6), (98, -14, 37, 4.8),
    (116, 18, 33, 5.6), (125, 44, 14, 5.6), (121, 62, -14, 6.0),
)  # fmt: skip
"""From the posterior superior spine along the crest to the anterior superior spine, with half thickness."""
_WAIST: Final = (
    (46, -56, -52, 8.0), (50, -54, -34, 9.0), (60, -40, -20, 6.0), (73, -24, -12, 2.6), (90, 0, -12, 2.0),
    (105, 24, -14, 2.4), (113, 42, -22, 4.0), (114, 56, -38, 6.0),
)  # fmt: skip
"""Through the iliac fossa, where the wing is thin."""
_BASE: Final = (
    (50, -46, -66, 7.0), (57, -34, -58, 10.0), (62, -24, -56, 10.0), (68, -10, -60, 9.0), (76, 4, -66, 9.0),
    (88, 16, -68, 10.0), (98, 32, -66, 9.0), (104, 50, -60, 7.0),
)  # fmt: skip
"""From the posterior inferior spine over the sciatic notch to above the socket and the anterior inferior spine."""


class _Side:
    """Landmarks of one side in patient mm."""

    def __init__(self, anatomy: Anatomy, side: float) -> None:
        self._matrix, self.scale = pelvis_pose(anatomy)
        self._origin, self._side = anatomy.sacrum_centre_mm, side
        rng = np.random.default_rng([anatomy.seed, 18])
        self._flare, self._rise = float(rng.uniform(-9, 9)), float(rng.uniform(-9, 9))

    def at(self, x: float, y: float, z: float) -> Array:
        """(3,) patient mm of a landmark; the wing flares and rises a little differently in each patient."""
        high = np.clip((z + 60.0) / 90.0, 0.0, 1.0)
        spot = np.array([x + self._flare * high * (x - 45.0) / 80.0, y, z + self._rise * high])
        return np.asarray(self._origin + self._matrix @ (spot * self.scale * [self._side, 1.0, 1.0]))

    def bar(
        self, a: tuple[float, ...], b: tuple[float, ...], radii: tuple[float, float], cortex: float = 1.3
    ) -> Bar:
        """A bar between two landmarks."""
        k = self.scale
        return Bar(
            tuple(self.at(*a[:3])), tuple(self.at(*b[:3])), (radii[0] * k, radii[1] * k), cortex=cortex
        )

    def direction(self, x: float, y: float, z: float) -> Array:
        """(3,) unit vector of this side."""
        v = self._matrix @ np.array([self._side * x, y, z])
        return np.asarray(v / np.linalg.norm(v))


def _wing(s: _Side) -> Iterator[Part]:
    rows = (_CREST, _WAIST, _BASE)
    for i in range(len(_CREST) - 1):
        for low, high in ((0, 1), (1, 2)):
            a, b, c, d = rows[low][i], rows[low][i + 1], rows[high][i], rows[high][i + 1]
            for three in ((a, b, c), (b, d, c)):
                corners = np.stack([s.at(*q[:3]) for q in three])
                yield Plate(corners, (three[0][3], three[1][3], three[2][3]), 1.2)


def hip_parts(anatomy: Anatomy, side: float) -> Iterator[Part]:
    """Wing, column over the socket, socket, ischium and pubis of one hip bone."""
    s = _Side(anatomy, side)
    yield from _wing(s)
    yield s.bar((60, -28, -50), (72, -6, -64), (11, 12))
    yield s.bar((72, -6, -64), (86, 16, -76), (12, 15))
    k = s.scale
    yield Cup(s.at(*HIP), (HEAD_MM + HIP_GAP_MM) * k, 34.0 * k, s.direction(0.72, 0.28, -0.63), 5.0 * k, 1.6)
    yield s.bar((68, 2, -112), (66, -12, -132), (11, 12))
    yield s.bar((66, -12, -132), (62, -12, -150), (13, 14))
    yield s.bar((62, -14, -112), (50, -24, -102), (7, 3.5))
    yield s.bar((61, -6, -156), (38, 26, -150), (8.5, 6.0))
    yield s.bar((38, 26, -150), (16, 48, -134), (6.0, 7.0))
    yield s.bar((72, 40, -88), (46, 54, -94), (9.5, 7.5))
    yield s.bar((46, 54, -94), (18, 60, -106), (7.5, 7.5))
    yield Plate(
        np.stack([s.at(11, 60, -106), s.at(11, 48, -136), s.at(26, 54, -116)]),
        (6.5 * k, 6.5 * k, 6.0 * k),
        1.2,
    )


def femur_parts(anatomy: Anatomy, side: float) -> tuple[list[Bar], list[Bar]]:
    """Spongy upper end and hollow shaft of one femur."""
    s = _Side(anatomy, side)
    k = s.scale
    head = tuple(s.at(*HIP))

    def down(x: float, y: float, z: float) -> tuple[float, ...]:
        return tuple(np.asarray(head) + np.array([side * x, y, z]) * k)

    bone = [
        Bar(head, head, (HEAD_MM * k, HEAD_MM * k), cortex=0.9),
        Bar(head, down(38, -8, -26), (15.5 * k, 17.0 * k), cortex=1.8),
        Bar(down(48, -14, -10), down(44, -8, -44), (13.0 * k, 16.0 * k), cortex=1.5),
        Bar(down(22, -14, -52), down(34, -6, -58), (8.0 * k, 13.0 * k), cortex=2.2),
    ]
    shaft = [Bar(down(40, -6, -48), down(24, 2, -340), (16.0 * k, 13.5 * k), cortex=5.5)]
    return bone, shaft


def build_hip(union: BoneUnion, anatomy: Anatomy, side: float) -> None:
    """Join one hip bone, with the gap of its sacroiliac joint and the socket carved."""
    for part in hip_parts(anatomy, side):
        union.add(part)
    union.carve(joint_plane(anatomy, side, outward=False))
    s = _Side(anatomy, side)
    ball = tuple(s.at(*HIP))
    radius = (HEAD_MM + HIP_GAP_MM) * s.scale
    union.carve(Bar(ball, ball, (radius, radius)))
