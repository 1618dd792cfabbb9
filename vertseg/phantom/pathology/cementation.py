"""Draw what a treatment left: cement deposits with their leaks, screws with rods."""

from dataclasses import replace
from typing import Final

import numpy as np

from vertseg.phantom.pathology.disease import CementFill, Screws, Strand
from vertseg.phantom.types import VertebraShape

LEAK_RATES: Final = {"disc": 0.25, "vein": 0.24, "canal": 0.12, "track": 0.08}
"""Share of treated vertebrae with cement by these ways. About half leak by some way on CT (54.7 % pooled,
PMC5895344; canal 7-16 %); their split is assumed. "track" is the tail that a withdrawn cannula leaves."""

BALLOON_SHARE: Final = 0.3
"""Share of deposits in a cavity made by a balloon, with smooth margins. Assumed."""

BIPEDICULAR_SHARE: Final = 0.5


def draw_cement(shape: VertebraShape, rng: np.random.Generator) -> CementFill:
    """A deposit around one or two cannula tips, and its leaks."""
    s = shape.sizes
    half = np.array([s["width"], s["depth"], 0.5 * (s["anterior_height"] + s["middle_height"])]) / 2
    sides = (-1.0, 1.0) if rng.random() < BIPEDICULAR_SHARE else (float(rng.choice([-1.0, 1.0])),)
    balloon = rng.random() < BALLOON_SHARE
    lobes: list[tuple[float, ...]] = []
    radius = float(rng.uniform(4.5, 9.0)) * float(np.clip(s["width"] / 42.0, 0.6, 1.1))
    for side in sides:
        reach = rng.uniform(0.22, 0.5) if len(sides) == 2 else rng.uniform(0.0, 0.35)
        tip = half * np.array([side * reach, rng.uniform(0.0, 0.5), rng.uniform(-0.2, 0.2)])
        for _ in range(1 if balloon else int(rng.integers(2, 5))):
            radii = radius * (rng.uniform(0.95, 1.25, 3) if balloon else rng.uniform(0.6, 1.1, 3))
            radii[2] = min(radii[2] * rng.uniform(0.9, 1.6), half[2] * rng.uniform(0.8, 1.1))
            centre = tip + rng.normal(0, 0.3, 3) * radius * (0.0 if balloon else 1.0)
            lobes.append(tuple(float(v) for v in (*centre, *radii)))
    strands = tuple(
        _leak(str(way), shape, (lobes[0], sides[0]), rng)
        for way in LEAK_RATES
        if rng.random() < LEAK_RATES[way]
    )
    phase = tuple(float(v) for v in rng.uniform(0, 6.28, 3))
    return CementFill(
        tuple(lobes), float(rng.uniform(1300, 3000)),
        float(rng.uniform(0.0, 0.4)) if balloon else float(rng.uniform(0.7, 2.0)), strands,
        (phase[0], phase[1], phase[2]),
    )  # fmt: skip


def _leak(
    way: str, shape: VertebraShape, start: tuple[tuple[float, ...], float], rng: np.random.Generator
) -> Strand:
    s, (lobe, side) = shape.sizes, start
    if way == "disc":
        end = 1.0 if rng.random() < 0.6 else -1.0
        plate = 0.5 * s["middle_height"]
        gap = 0.5 * s["disc_below"]
        a = (lobe[0], lobe[1], end * (plate - 3.0))
        b = (lobe[0] + float(rng.normal(0, 2)), lobe[1] + float(rng.normal(0, 2)), end * (plate + 0.6 * gap))
        c = (b[0] + float(rng.uniform(-8, 8)), b[1] + float(rng.uniform(-6, 6)), end * (plate + gap))
        return Strand("disc", (a, b, c), float(rng.uniform(1.0, 1.8)), (1.8, 1.8, 1.0))
    if way == "canal":
        return _canal_cast(shape, rng)
    if way == "vein":
        return _segmental_cast(shape, side, rng)
    angle = np.deg2rad(s["pedicle_angle"])
    right, back = side * 0.5 * (s["canal_width"] + s["pedicle_width"]), -0.5 * s["depth"] - 3.0
    up, length = 0.16 * s.get("sound_height", s["height"]), float(rng.uniform(8, 34))
    tail = (
        right + side * float(np.sin(angle)) * length,
        back - float(np.cos(angle)) * length,
        up + 0.12 * length,
    )
    return Strand(
        "track", ((lobe[0], lobe[1], lobe[2]), (right, back, up), tail), float(rng.uniform(0.8, 1.5))
    )


def _canal_cast(shape: VertebraShape, rng: np.random.Generator) -> Strand:
    """Through the basivertebral vein into the anterior epidural plexus, up and down behind the wall."""
    s = shape.sizes
    back, right = -0.5 * s["depth"], float(rng.normal(0, 1.0))
    behind = back - float(rng.uniform(0.8, 2.0))
    side = float(rng.choice([-1.0, 1.0])) * float(rng.uniform(2.0, 5.0))
    up, down = float(rng.uniform(1.0, 10.0)), float(rng.uniform(1.0, 8.0))
    points = (
        (right, back + float(rng.uniform(5, 12)), 0.0), (right, behind, 0.0), (right + side, behind, up),
        (right + 0.5 * side, behind, 0.0), (right + 0.8 * side, behind, -down),
    )  # fmt: skip
    return Strand("canal", points, float(rng.uniform(1.0, 1.9)))


def _segmental_cast(shape: VertebraShape, side: float, rng: np.random.Generator) -> Strand:
    """Out of the side of the body at its waist and along it, forward or back toward the foramen."""
    s = shape.sizes
    a, b = 0.5 * s["width"] * (1 - s["waist"]) + 1.5, 0.5 * s["depth"] * (1 - s["waist"]) + 1.5
    forward = rng.random() < 0.4
    first = np.deg2rad(rng.uniform(-20, 40))
    last = first + np.deg2rad(rng.uniform(30, 70)) * (1.0 if forward else -1.0)
    up, drift = float(rng.uniform(-0.12, 0.12) * s["height"]), float(rng.normal(0, 2.5))
    turns = np.linspace(first, last, 5)
    course = [(side * a * np.cos(t), b * np.sin(t), up + drift * i / 4) for i, t in enumerate(turns)]
    start = (0.55 * course[0][0], 0.55 * course[0][1] + 3.0, up)
    points = tuple((float(x), float(y), float(z)) for x, y, z in (start, *course))
    return Strand("vein", points, float(rng.uniform(0.9, 2.0)))


def with_screws(
    column: tuple[VertebraShape, ...], levels: tuple[int, ...], rng: np.random.Generator
) -> tuple[VertebraShape, ...]:
    """Screws of one make in these levels (head to foot), joined by rods to the next of them below."""
    radius, hu = float(rng.uniform(2.6, 3.5)), float(rng.uniform(3500, 10000))
    depth, rod = float(rng.uniform(0.55, 0.85)), float(rng.uniform(2.4, 3.1))
    sides = (-1.0, 1.0) if rng.random() < 0.9 else (float(rng.choice([-1.0, 1.0])),)
    below = dict(zip(levels, (*levels[1:], 0), strict=True))
    return tuple(
        replace(
            shape,
            screws=Screws(
                sides, min(radius, 0.42 * shape.sizes["pedicle_width"]), depth, rod, below[shape.level], hu
            ),
        )
        if shape.level in below
        else shape
        for shape in column
    )
