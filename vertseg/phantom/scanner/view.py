"""What part of the patient is scanned, how the patient lies, and on which voxels."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vertseg.labels import CERVICAL, LUMBAR, THORACIC
from vertseg.phantom.types import Anatomy, Array, ScanConfig

SLICES_MM = ((0.6, 0.06), (0.75, 0.08), (1.0, 0.2), (1.25, 0.12), (1.5, 0.08), (2.0, 0.12), (2.5, 0.08),
             (3.0, 0.12), (4.0, 0.04), (5.0, 0.1))  # fmt: skip
"""Slice thicknesses that scanners offer, with the share of scans (assumed: planning uses thin ones)."""

INCREMENTS = ((1.0, 0.5), (0.8, 0.15), (0.7, 0.1), (0.5, 0.25))
"""Increments in slice thicknesses, with the share of scans (assumed)."""

ODD_POSE_RATE = 0.015
"""Share of scans whose header tells another pose than the patient's: prone, on a side, or feet first (assumed)."""


@dataclass(frozen=True)
class Outside:
    """What a scanner writes beyond its circle: radius around the field's centre in mm, and the value in HU."""

    radius_mm: float
    hu: float


def draw_pose(rng: np.random.Generator) -> Array:
    """Patient on the table: mostly within 8 degrees, sometimes turned further. Returns 4x4 patient-from-world.

    An orientation that the header tells is undone on reading, so that a prone patient comes out upright with
    the table in front; only one that it tells wrongly is seen, in `ODD_POSE_RATE` of the scans.
    """
    spread = 7.0 if rng.random() < 0.85 else 16.0
    turn = Rotation.from_euler("xyz", rng.normal(0, spread / 2, 3), degrees=True)
    odd, which = rng.random() < ODD_POSE_RATE, int(rng.integers(4))
    if odd:
        prone, left, right, feet_first = ("z", 180.0), ("z", 90.0), ("z", -90.0), ("y", 180.0)
        axis, angle = (prone, left, right, feet_first)[which]
        turn = turn * Rotation.from_euler(axis, angle, degrees=True)
    pose = np.eye(4)
    pose[:3, :3] = turn.as_matrix()
    return pose


def draw_slices(rng: np.random.Generator) -> tuple[float, float]:
    """Slice thickness and increment in mm."""
    thick, share = zip(*SLICES_MM, strict=True)
    slice_mm = float(rng.choice(thick, p=np.asarray(share) / sum(share)))
    steps, often = zip(*INCREMENTS, strict=True)
    return slice_mm, slice_mm * float(rng.choice(steps, p=often))


def body_size(anatomy: Anatomy) -> tuple[float, float]:
    """Width and depth of the trunk in mm."""
    return 2 * anatomy.trunk["half_width"], 2 * anatomy.trunk["half_depth"]


def _heights(anatomy: Anatomy, config: ScanConfig, rng: np.random.Generator) -> tuple[float, float]:
    """Lowest and highest point of the scan, patient mm."""
    z = {s.level: float(s.centre_mm[2]) for s in anatomy.vertebrae}
    mode: str = config.field
    if mode == "random":
        mode = str(rng.choice(["lumbar", "thoracic", "whole"], p=[0.62, 0.26, 0.12]))
    if mode == "lumbar":
        top = z.get(THORACIC[int(rng.integers(6, 12))], z[THORACIC[10]]) + float(rng.uniform(-12, 12))
        return float(rng.choice([rng.uniform(-60, -20), rng.uniform(-200, -60)])), top
    if mode == "thoracic":
        top = z[CERVICAL[int(rng.integers(4, 7))]] + float(rng.uniform(-10, 40))
        lowest = int(rng.choice([THORACIC[-1], *LUMBAR[:3]]))
        return z[lowest] if THORACIC[-1] in z else z[LUMBAR[0]], top
    return float(rng.uniform(-150, -40)), z[CERVICAL[0]] + float(rng.uniform(0, 60))


def draw_extent(anatomy: Anatomy, config: ScanConfig, rng: np.random.Generator) -> tuple[Array, Array]:
    """Low and high corner of the field of view, patient mm.

    Half of the fields hold the whole body, off-centre by up to some centimetres so that skin may be cut;
    the others are reconstructed around the spine.
    """
    bottom, top = _heights(anatomy, config, rng)
    trunk = anatomy.trunk
    middle = np.mean([s.centre_mm[:2] for s in anatomy.vertebrae if bottom < s.centre_mm[2] < top], axis=0)
    if rng.random() < 0.55:
        margin = float(rng.uniform(-15, 35))
        wide, front = trunk["half_width"] + margin, 2 * trunk["half_depth"] - trunk["back"] + margin
        back = trunk["back"] + 35 + margin
        middle = middle + rng.normal(0, (12.0, 10.0))
    else:
        wide, front = float(rng.uniform(75, 130)), float(rng.uniform(60, 130))
        back = float(rng.uniform(75, 110))
        middle = middle + rng.normal(0, 6.0, 2)
    low = np.array([middle[0] - wide, middle[1] - back, bottom])
    return low, np.array([middle[0] + wide, middle[1] + front, top])


def draw_outside(size_mm: tuple[float, float], rng: np.random.Generator) -> Outside | None:
    """A circle in one of eight fields of the whole body: what was not measured is padded.

    Args:
        size_mm: width and depth of the field.
        rng: draws.
    """
    circle, value = rng.random() < 0.25, float(rng.choice([-1024.0, -2000.0, -3024.0], p=[0.8, 0.1, 0.1]))
    radius = 0.5 * max(size_mm) * float(rng.uniform(0.97, 1.05))
    return Outside(radius, value) if circle and max(size_mm) > 320 else None
