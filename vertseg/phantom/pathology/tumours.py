"""Draw lesions: metastases of three kinds, myeloma, and the benign lesions that look like them."""

from typing import Final, Literal

import numpy as np

from vertseg.phantom.types import Array, Lesion, VertebraShape

Place = Literal["body", "wall", "pedicle", "arch"]

PLACES: Final[dict[Place, float]] = {"body": 0.36, "wall": 0.38, "pedicle": 0.17, "arch": 0.09}
"""Where a metastasis sits; most begin in the back of the body and run into the pedicles (Algra et al.,
Radiology 1992;184:669-74). The shares are assumed."""

SIZES_MM: Final = ((0.28, 3.0, 6.0), (0.40, 6.0, 11.0), (0.24, 10.0, 16.0), (0.08, 17.0, 24.0))
"""Share, smallest and largest mean radius of lytic lesions; the last replaces the body. Assumed."""

SOFT_TISSUE_HU: Final = (30.0, 70.0)
LEAST_CONTRAST_HU: Final = 50.0
"""A lytic lesion is at least so much darker than the marrow, or nobody could see it."""

BREAK_RATE: Final = 0.7
"""Share of lytic lesions that touch the cortex and destroy it. Assumed."""


def marrow_level(hu: dict[str, float]) -> float:
    """HU of a body's marrow, from the patient's attenuations."""
    return hu["trabecular"] + 15.0


def lytic_hu(hu: dict[str, float], rng: np.random.Generator) -> float:
    """HU of tumour: soft tissue with a little contrast, darker than the marrow in any case."""
    tumour = float(rng.uniform(*SOFT_TISSUE_HU)) + 0.10 * max(0.0, hu["artery"] - 42.0)
    return min(tumour, marrow_level(hu) - LEAST_CONTRAST_HU)


def _place(shape: VertebraShape, where: Place, rng: np.random.Generator) -> Array:
    s = shape.sizes
    half = np.array([s["width"], s["depth"], 0.5 * (s["height"] + s["anterior_height"])]) / 2
    if where == "body":
        centre = half * rng.uniform(-0.7, 0.7, 3)
    elif where == "wall":
        centre = half * np.array([rng.uniform(-0.5, 0.5), rng.uniform(-1.0, -0.65), rng.uniform(-0.6, 0.6)])
    else:
        side = float(rng.choice([-1.0, 1.0]))
        lift = 0.16 * s.get("sound_height", s["height"])
        right = side * 0.5 * (s["canal_width"] + s["pedicle_width"])
        if where == "pedicle":
            centre = np.array([right, -half[1] - rng.uniform(-3.0, 6.0), lift + rng.uniform(-2.0, 2.0)])
        else:
            behind = s["canal_depth"] * rng.uniform(0.8, 1.2)
            centre = np.array(
                [right * rng.uniform(0.3, 1.0), -half[1] - behind - 2.0, rng.uniform(-6.0, 3.0)]
            )
    return centre


def _lobes(centre: Array, radii: Array, rng: np.random.Generator) -> tuple[tuple[float, ...], ...]:
    """One main lobe and up to four that grew out of it."""
    lobes = [(*centre, *radii)]
    for _ in range(int(rng.integers(0, 5))):
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        small = radii * rng.uniform(0.35, 0.75) * rng.uniform(0.8, 1.2, 3)
        lobes.append((*(centre + way * radii * rng.uniform(0.55, 1.0)), *small))
    return tuple(tuple(float(v) for v in lobe) for lobe in lobes)


def _radius(rng: np.random.Generator) -> float:
    shares = np.array([row[0] for row in SIZES_MM])
    _, low, high = SIZES_MM[int(rng.choice(len(SIZES_MM), p=shares / shares.sum()))]
    return float(rng.uniform(low, high))


def draw_metastasis(
    kind: Literal["lytic_lesion", "sclerotic_lesion", "mixed_lesion"],
    shape: VertebraShape,
    hu: dict[str, float],
    rng: np.random.Generator,
) -> Lesion:
    """A metastasis: place, size, lobes, what it does to the cortex and how far it grows out of the bone."""
    s = shape.sizes
    names = list(PLACES)
    where = names[int(rng.choice(len(names), p=list(PLACES.values())))]
    radius = _radius(rng)
    if where == "arch":
        radius = min(radius, 8.0)
    if kind == "mixed_lesion":
        radius = max(radius, 7.0)
    half = np.array([s["width"], s["depth"], 0.5 * (s["height"] + s["anterior_height"])]) / 2
    centre = _place(shape, where, rng)
    if radius > 16.0:
        centre = half * np.array([rng.uniform(-0.2, 0.2), rng.uniform(-0.4, 0.1), rng.uniform(-0.2, 0.2)])
    radii = np.minimum(radius * rng.uniform(0.75, 1.3, 3), 1.05 * half)
    lobes, phase = _lobes(centre, radii, rng), rng.uniform(0, 6.28, 3)
    dense = max(float(rng.uniform(420, 1000)), 1.45 * marrow_level(hu) + 220.0)
    if kind == "sclerotic_lesion":
        return Lesion(kind, centre, radii, dense, False, phase, lobes)
    dark, breaks = lytic_hu(hu, rng), bool(rng.random() < BREAK_RATE)
    if kind == "mixed_lesion":
        return Lesion(kind, centre, radii, dense, breaks, phase, lobes, lytic_hu=dark)
    large = radius > 8.0
    return Lesion(
        kind, centre, radii, dark, breaks, phase, lobes,
        expands_mm=float(rng.uniform(1.0, 5.0)) if large and rng.random() < 0.35 else 0.0,
        extends_mm=float(rng.uniform(1.5, 9.0)) if breaks and rng.random() < (0.5 if large else 0.2) else 0.0,
        shell_left=float(rng.uniform(0.1, 0.55)) if rng.random() < 0.5 else 0.0,
        rim_hu=max(300.0, marrow_level(hu) + 130.0) if rng.random() < 0.18 else 0.0,
    )  # fmt: skip


def draw_myeloma(shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Punched-out holes of 3-10 mm without any rim, mostly in the body, that scallop the cortex from inside."""
    lesions = []
    for _ in range(int(rng.integers(2, 9))):
        where: Place = "body" if rng.random() < 0.75 else "pedicle"
        radii = float(rng.uniform(2.2, 5.0)) * rng.uniform(0.85, 1.2, 3)
        centre = _place(shape, where, rng)
        breaks = bool(rng.random() < 0.4)
        lesions.append(
            Lesion("lytic_lesion", centre, radii, lytic_hu(hu, rng), breaks, rng.uniform(0, 6.28, 3))
        )
    return tuple(lesions)


def draw_hemangioma(shape: VertebraShape, rng: np.random.Generator) -> Lesion:
    """A hemangioma of 8 mm to the whole body, tall rather than wide."""
    s = shape.sizes
    half = np.array([s["width"], s["depth"], 0.5 * (s["height"] + s["anterior_height"])]) / 2
    share = float(rng.choice([rng.uniform(0.25, 0.55), rng.uniform(0.55, 1.0)]))
    radii = half * share * np.array([1.0, 1.0, 1.0]) * rng.uniform(0.85, 1.1, 3)
    radii[2] = half[2] * min(1.15, 1.5 * share)
    centre = half * (1 - share) * rng.uniform(-0.9, 0.9, 3)
    return Lesion("hemangioma", centre, radii, float(rng.uniform(-60, 45)), False, rng.uniform(0, 6.28, 3))


def draw_osteoid_osteoma(shape: VertebraShape, rng: np.random.Generator) -> Lesion:
    """A nidus of 4-14 mm, in nine of ten in the posterior elements."""
    where: Place = str(rng.choice(["arch", "pedicle", "body"], p=[0.6, 0.3, 0.1]))  # type: ignore[assignment]
    radius = float(rng.uniform(2.0, 6.5))
    return Lesion(
        "osteoid_osteoma", _place(shape, where, rng), np.full(3, radius), float(rng.uniform(50, 110)), False,
        rng.uniform(0, 6.28, 3), rim_hu=float(rng.uniform(650, 1000)),
    )  # fmt: skip


def draw_fat_voids(shape: VertebraShape, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """One to three fatty holes of 5-14 mm in thin marrow."""
    voids = []
    for _ in range(int(rng.integers(1, 4))):
        radii = float(rng.uniform(2.5, 7.0)) * rng.uniform(0.7, 1.3, 3)
        voids.append(
            Lesion(
                "fat_void",
                _place(shape, "body", rng),
                radii,
                float(rng.uniform(-75, -15)),
                False,
                rng.uniform(0, 6.28, 3),
            )
        )
    return tuple(voids)
