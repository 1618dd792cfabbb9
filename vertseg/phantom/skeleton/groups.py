"""The bones apart from the vertebrae, in the order of painting: what each is built of, labelled and filled with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from vertseg.labels import COCCYX, SACRUM, LocateClass
from vertseg.phantom.skeleton.bars import BoneUnion, Part
from vertseg.phantom.skeleton.pelvis import build_hip, femur_parts
from vertseg.phantom.skeleton.ribs import rib_bars, sternum_parts
from vertseg.phantom.skeleton.sacrum import build_sacrum, coccyx_bars
from vertseg.phantom.skeleton.shoulder import arm_parts, shoulder_parts, shoulder_points
from vertseg.phantom.skeleton.skull import skull_parts
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy


@dataclass(frozen=True)
class BoneGroup:
    """Bones that are painted together.

    Attributes:
        build: joins the parts to a union.
        kind: class of the voxels.
        level: VerSe number, 0 for none.
        marrow_hu: HU between the cortices.
    """

    build: Callable[[BoneUnion], None]
    kind: LocateClass
    level: int
    marrow_hu: float


def _joined(parts: Iterable[Part]) -> Callable[[BoneUnion], None]:
    def build(union: BoneUnion) -> None:
        for part in parts:
            union.add(part)

    return build


def _hip(anatomy: Anatomy, side: float) -> Callable[[BoneUnion], None]:
    return lambda union: build_hip(union, anatomy, side)


def bone_groups(anatomy: Anatomy, torso: Torso) -> list[BoneGroup]:
    """Groups of bones; two bones that meet in a joint are never in one group unless a gap is carved."""
    rng = np.random.default_rng([anatomy.seed, 31])
    spongy, fat = anatomy.hu["trabecular"], anatomy.hu["fat"] + 40.0
    other = LocateClass.OTHER_BONE
    hips, rib, girdle = (spongy * float(rng.uniform(*r)) for r in ((0.3, 0.9), (0.6, 1.3), (0.4, 1.0)))
    sacral = spongy * float(rng.uniform(0.5, 1.0))
    groups = [
        BoneGroup(_joined(rib_bars(torso, anatomy)), other, 0, rib),
        BoneGroup(_joined(sternum_parts(torso)), other, 0, girdle),
        BoneGroup(_joined(skull_parts(anatomy)), other, 0, 0.9 * spongy),
    ]
    for side in (-1.0, 1.0):
        groups.append(BoneGroup(_hip(anatomy, side), other, 0, hips))
        ends, shaft = femur_parts(anatomy, side)
        groups += [BoneGroup(_joined(ends), other, 0, 1.2 * hips), BoneGroup(_joined(shaft), other, 0, fat)]
        points = shoulder_points(torso, anatomy, side)
        if points is not None:
            ends, shaft = arm_parts(points)
            groups += [
                BoneGroup(_joined(shoulder_parts(points)), other, 0, girdle),
                BoneGroup(_joined(ends), other, 0, girdle),
                BoneGroup(_joined(shaft), other, 0, fat),
            ]
    groups.append(BoneGroup(lambda u: build_sacrum(u, anatomy), LocateClass.SACRUM, SACRUM, sacral))
    groups.append(BoneGroup(_joined(coccyx_bars(anatomy)), LocateClass.SACRUM, COCCYX, sacral))
    return groups
