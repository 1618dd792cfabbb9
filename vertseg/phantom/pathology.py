"""Put lesions, wall defects, fractures and cement into a drawn column."""

from dataclasses import replace

import numpy as np

from vertseg.labels import LUMBAR, THORACIC
from vertseg.phantom.types import Lesion, ScanConfig, VertebraShape, WallHole

LESION_RATE = 0.22
SCLEROTIC_RATE = 0.07
WALL_HOLE_RATE = 0.09
FRACTURE_RATE = 0.16
CEMENT_RATE = 0.04


def draw_lesion(kind: str, shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator) -> Lesion:
    """A lesion somewhere in the vertebra, mostly in the body and in a third of cases at the wall."""
    s = shape.sizes
    half = np.array([s["width"], s["depth"], s["height"]]) / 2
    centre = half * rng.uniform(-0.7, 0.7, 3)
    if rng.random() < 0.35:
        centre[1] = -half[1] * rng.uniform(0.7, 1.0)
        centre[0] = half[0] * rng.uniform(-0.45, 0.45)
    elif rng.random() < 0.12:
        side = rng.choice([-1.0, 1.0])
        centre = np.array(
            [side * (s["canal_width"] / 2 + 4), -half[1] - rng.uniform(2, 18), rng.uniform(-4, 6)]
        )
    radius = rng.uniform(3.5, 0.75 * float(half[:2].mean()))
    radii = np.minimum(radius * rng.uniform(0.75, 1.3, 3), [0.9 * half[0], 0.9 * half[1], 1.1 * half[2]])
    level = {
        "lytic_lesion": rng.uniform(10, 95),
        "sclerotic_lesion": rng.uniform(420, 950),
        "cement": rng.uniform(1300, 2800),
    }[kind]
    # A lytic lesion must be darker than the marrow around it, or nobody could see it.
    if kind == "lytic_lesion":
        level = min(float(level), hu["trabecular"] - 45.0)
    breaks = kind == "lytic_lesion" and rng.random() < 0.7
    return Lesion(kind, centre, radii, float(level), bool(breaks), rng.uniform(0, 6.28, 3))


def draw_wall_hole(shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator) -> WallHole:
    """A hole of 2.5-6 mm radius between the pedicles, away from the basivertebral foramen."""
    s = shape.sizes
    radius = float(rng.uniform(2.5, 6.0))
    right = float(rng.uniform(-0.42, 0.42) * s["canal_width"])
    up = float(rng.uniform(-0.38, 0.38) * s["height"])
    return WallHole(right, up, radius, float(rng.uniform(0, 70)))


def fracture(shape: VertebraShape, rng: np.random.Generator) -> VertebraShape:
    """Wedge, biconcave or crush deformity of Genant grade 1 to plana (Genant 1993, JBMR 8:1137-48)."""
    s = dict(shape.sizes)
    kind = rng.choice(["wedge", "biconcave", "crush"], p=[0.5, 0.3, 0.2])
    loss = float(rng.choice([rng.uniform(0.2, 0.25), rng.uniform(0.25, 0.4), rng.uniform(0.4, 0.75)]))
    before = 0.5 * (s["height"] + s["anterior_height"])
    if kind == "wedge":
        s["anterior_height"] *= 1 - loss
        s["middle_height"] *= 1 - 0.6 * loss
    elif kind == "biconcave":
        s["middle_height"] *= 1 - loss
        s["anterior_height"] *= 1 - 0.25 * loss
    else:
        for key in ("height", "anterior_height", "middle_height"):
            s[key] *= 1 - loss
    s["lost_mm"] = before - 0.5 * (s["height"] + s["anterior_height"])
    s["rough"] = float(rng.uniform(0.5, 1.6))
    return replace(shape, sizes=s, height_loss=loss)


def _demo(shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator) -> VertebraShape:
    """The demonstration patient: L1 collapsed, L3 with a lytic lesion that broke the posterior wall."""
    if shape.level == LUMBAR[0]:
        s = dict(shape.sizes)
        before = 0.5 * (s["height"] + s["anterior_height"])
        s["anterior_height"], s["middle_height"] = 0.5 * s["anterior_height"], 0.62 * s["middle_height"]
        s["lost_mm"], s["rough"] = before - 0.5 * (s["height"] + s["anterior_height"]), 1.0
        return replace(shape, sizes=s, height_loss=0.5)
    if shape.level == LUMBAR[2]:
        depth = shape.sizes["depth"]
        lesion = Lesion(
            "lytic_lesion", np.array([5.0, -0.38 * depth, 1.0]), np.array([11.0, 11.0, 9.0]),
            min(35.0, hu["trabecular"] - 60.0), True, rng.uniform(0, 6.28, 3),
        )  # fmt: skip
        return replace(shape, lesions=(lesion,))
    return shape


def diseased(
    shape: VertebraShape, hu: dict[str, float], rate: float, rng: np.random.Generator
) -> VertebraShape:
    """The vertebra with a random mix of pathology; `rate` scales how often each occurs."""
    if rng.random() < FRACTURE_RATE * rate:
        shape = fracture(shape, rng)
    lesions: list[Lesion] = []
    if rng.random() < LESION_RATE * rate:
        lesions = [draw_lesion("lytic_lesion", shape, hu, rng) for _ in range(1 + int(rng.random() < 0.25))]
    if rng.random() < SCLEROTIC_RATE * rate:
        lesions.append(draw_lesion("sclerotic_lesion", shape, hu, rng))
    if rng.random() < CEMENT_RATE * rate:
        lesions.append(draw_lesion("cement", shape, hu, rng))
    hole = draw_wall_hole(shape, hu, rng) if rng.random() < WALL_HOLE_RATE * rate else None
    return replace(shape, lesions=tuple(lesions), wall_hole=hole)


def add_pathology(
    column: tuple[VertebraShape, ...], config: ScanConfig, hu: dict[str, float], rng: np.random.Generator
) -> tuple[VertebraShape, ...]:
    """The column with pathology on thoracic and lumbar levels, as the config asks."""
    sick: list[VertebraShape] = []
    for shape in column:
        treated = shape.level in THORACIC or shape.level in LUMBAR
        if config.case == "demo":
            sick.append(_demo(shape, hu, rng))
        elif treated and config.pathology > 0:
            sick.append(diseased(shape, hu, config.pathology, rng))
        else:
            sick.append(shape)
    return tuple(sick)
