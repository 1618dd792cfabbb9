"""Draw fractures: deformity by Genant's grades, what broke, clefts, fragments in the canal; Schmorl nodes; wall holes."""

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from vertseg.phantom.pathology.disease import (
    Cleft,
    Crack,
    Dent,
    Fracture,
    FractureKind,
    Fragment,
    SchmorlNode,
    WallHole,
)
from vertseg.phantom.types import VertebraShape

GRADES: Final = (
    (0.10, 0.04, 0.18),
    (0.30, 0.20, 0.25),
    (0.30, 0.25, 0.40),
    (0.22, 0.40, 0.70),
    (0.08, 0.70, 0.90),
)
"""Share, least and largest height loss: Genant's grades 0-3 (J Bone Miner Res 1993;8:1137-48), then vertebra plana.
The shares are assumed."""

KINDS: Final[dict[FractureKind, float]] = {"wedge": 0.52, "biconcave": 0.28, "crush": 0.20}
"""Deformities of osteoporotic fractures; wedges are the most frequent. Assumed shares."""

CLEFT_RATE: Final = 0.22
"""Share of osteoporotic fractures of grade 1 and more that hold a cleft; series give 7-37 %. Assumed middle."""

GAS_SHARE: Final = 0.65
"""Share of clefts that hold gas; the others hold fluid. Assumed."""

LEAST_HEIGHT_MM: Final = 2.5

HOLE_AREA_MM2: Final = (5.0, 260.0)
"""Range of a wall hole's area, drawn evenly on a log scale. Assumed."""


def draw_loss(rng: np.random.Generator) -> float:
    """Share of height lost, by `GRADES`."""
    shares = np.array([row[0] for row in GRADES])
    _, low, high = GRADES[int(rng.choice(len(GRADES), p=shares / shares.sum()))]
    return float(rng.uniform(low, high))


def collapsed(shape: VertebraShape, kind: FractureKind, loss: float, rough_mm: float) -> VertebraShape:
    """The vertebra with its body's heights reduced; `loss` is the share lost at the worst place.

    The height before stays in `sizes["sound_height"]`, by which the posterior elements are drawn.
    """
    s = dict(shape.sizes)
    before = 0.5 * (s["height"] + s["anterior_height"])
    s["sound_height"] = s["height"]
    front, middle, back = {
        "wedge": (1.0, 0.62, 0.12), "biconcave": (0.3, 1.0, 0.08), "crush": (1.0, 1.0, 0.85), "burst": (1.0, 0.9, 0.35),
    }[kind]  # fmt: skip
    if loss > 0.6:
        # A body flattened in front cannot stand behind.
        middle, back = max(middle, 0.95), max(back, 0.75 * (loss - 0.6) / 0.3 + back)
    for key, share in (("anterior_height", front), ("middle_height", middle), ("height", back)):
        s[key] = max(LEAST_HEIGHT_MM, s[key] * (1 - loss * min(share, 1.0)))
    s["lost_mm"] = before - 0.5 * (s["height"] + s["anterior_height"])
    s["rough"] = min(rough_mm, 0.1 * s["middle_height"])
    s["concavity"] = min(s["concavity"], 0.25 * s["middle_height"])
    return replace(shape, sizes=s, height_loss=loss)


def osteoporotic_fracture(shape: VertebraShape, rng: np.random.Generator) -> VertebraShape:
    """Wedge, biconcave or crush fracture with impacted band, broken endplate, folded front and in some a cleft."""
    kinds = list(KINDS)
    kind = kinds[int(rng.choice(len(kinds), p=list(KINDS.values())))]
    loss = draw_loss(rng)
    if loss > 0.7:
        kind = "crush"
    shape = collapsed(shape, kind, loss, float(rng.uniform(0.3, 1.3)))
    s, fresh = shape.sizes, rng.random() < 0.65
    side = 1.0 if rng.random() < 0.75 else -1.0
    fracture = Fracture(
        kind,
        dents=_dents(shape, side, rng),
        cracks=(_endplate_crack(shape, side, rng),) if fresh and rng.random() < 0.7 else (),
        band_hu=float(rng.uniform(150, 450)) if fresh else float(rng.uniform(0, 130)),
        band_side=side,
        band_mm=float(rng.uniform(1.6, 3.8)),
        buckle_mm=float(rng.uniform(0.5, 2.5)) if rng.random() < 0.6 else 0.0,
        step_mm=float(rng.uniform(0.5, 2.5)) if rng.random() < 0.5 else 0.0,
        buckle_up_mm=side * float(rng.uniform(0.05, 0.3)) * s["anterior_height"],
        cleft=_cleft(shape, side, rng) if loss >= 0.2 and rng.random() < CLEFT_RATE else None,
    )
    if loss > 0.35 and rng.random() < 0.18:
        fracture = replace(fracture, fragment=_fragment(shape, rng))
    return replace(shape, fracture=fracture)


def burst_fracture(shape: VertebraShape, rng: np.random.Generator) -> VertebraShape:
    """Compression of front and back with an upright line through the body or a fragment in the canal, or both."""
    shape = collapsed(shape, "burst", float(rng.uniform(0.12, 0.6)), float(rng.uniform(0.5, 1.4)))
    cracks = [_endplate_crack(shape, 1.0, rng)]
    with_fragment = rng.random() < 0.6
    if not with_fragment or rng.random() < 0.6:
        cracks.append(_sagittal_crack(shape, rng))
    if rng.random() < 0.4:
        cracks.append(_sagittal_crack(shape, rng, oblique=True))
    fracture = Fracture(
        "burst",
        dents=_dents(shape, 1.0, rng),
        cracks=tuple(cracks),
        band_hu=float(rng.uniform(60, 260)),
        band_mm=float(rng.uniform(1.6, 3.0)),
        buckle_mm=float(rng.uniform(0.5, 2.0)),
        step_mm=float(rng.uniform(0.5, 3.0)),
        buckle_up_mm=float(rng.uniform(0.05, 0.3)) * shape.sizes["anterior_height"],
        fragment=_fragment(shape, rng) if with_fragment else None,
    )
    return replace(shape, fracture=fracture)


def _dents(shape: VertebraShape, side: float, rng: np.random.Generator) -> tuple[Dent, ...]:
    s = shape.sizes
    deepest = min(4.0, 0.16 * s["middle_height"])
    dents = []
    for _ in range(int(rng.integers(0, 3))):
        radii = (float(rng.uniform(0.18, 0.4) * s["width"]), float(rng.uniform(0.18, 0.4) * s["depth"]))
        right, forward = rng.uniform(-0.25, 0.25) * s["width"], rng.uniform(-0.15, 0.3) * s["depth"]
        dents.append(Dent(side, float(right), float(forward), radii, float(rng.uniform(0.3, 1.0) * deepest)))
    return tuple(dents)


def _endplate_crack(shape: VertebraShape, side: float, rng: np.random.Generator) -> Crack:
    s, angle = shape.sizes, float(rng.uniform(0, np.pi))
    where: Literal["upper", "lower"] = "upper" if side > 0 else "lower"
    point = (float(rng.uniform(-0.2, 0.2) * s["width"]), float(rng.uniform(-0.1, 0.3) * s["depth"]), 0.0)
    normal = (float(np.cos(angle)), float(np.sin(angle)), float(rng.normal(0, 0.35)))
    return Crack(point, normal, float(rng.uniform(0.8, 2.0)), where, float(rng.uniform(20, 70)))


def _sagittal_crack(shape: VertebraShape, rng: np.random.Generator, oblique: bool = False) -> Crack:
    s = shape.sizes
    right = float(rng.uniform(-0.28, 0.28) * s["canal_width"])
    lean = float(rng.normal(0, 0.7 if oblique else 0.15))
    normal = (1.0, float(rng.normal(0, 0.25)), lean)
    point = (right, -0.5 * s["depth"], float(rng.uniform(-0.2, 0.2) * s["height"]))
    return Crack(point, normal, float(rng.uniform(0.8, 2.2)), "body", float(rng.uniform(20, 60)))


def _fragment(shape: VertebraShape, rng: np.random.Generator) -> Fragment:
    s = shape.sizes
    half = float(rng.uniform(0.28, 0.48) * s["canal_width"])
    room = 0.45 * s["canal_width"] - half
    shift = float(min(rng.uniform(2.0, 8.0), 0.55 * s["canal_depth"]))
    return Fragment(
        float(rng.uniform(-1, 1) * max(room, 0.0)), half, float(rng.uniform(0.4, 0.7) * s["height"]),
        max(float(rng.uniform(0.25, 0.45) * s["depth"]), shift + 4.0), shift, float(rng.uniform(1.0, 2.4)),
    )  # fmt: skip


def _cleft(shape: VertebraShape, side: float, rng: np.random.Generator) -> Cleft:
    s = shape.sizes
    tall = float(np.clip(rng.uniform(0.06, 0.2) * s["middle_height"], 0.9, 3.5))
    centre = (
        float(rng.uniform(-0.1, 0.1) * s["width"]), float(rng.uniform(0.0, 0.22) * s["depth"]),
        side * float(rng.uniform(0.0, 0.18)) * s["middle_height"],
    )  # fmt: skip
    radii = (float(rng.uniform(0.2, 0.4) * s["width"]), float(rng.uniform(0.16, 0.32) * s["depth"]), tall)
    gas = rng.random() < GAS_SHARE
    hu = float(rng.uniform(-900, -500)) if gas else float(rng.uniform(0, 25))
    return Cleft(centre, radii, hu, float(rng.uniform(280, 550)))


def draw_schmorl(
    shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator
) -> tuple[SchmorlNode, ...]:
    """One to three nodes in the middle and back of the endplates, more often in lower ones."""
    s = shape.sizes
    nodes = []
    for _ in range(int(rng.integers(1, 4))):
        radius = float(rng.uniform(2.5, 7.0))
        right, forward = float(rng.normal(0, 0.12) * s["width"]), float(rng.uniform(-0.28, 0.22) * s["depth"])
        side, depth = 1.0 if rng.random() < 0.4 else -1.0, float(rng.uniform(2.0, min(6.5, 1.3 * radius)))
        rim = float(rng.uniform(300, 620))
        nodes.append(SchmorlNode(right, forward, side, radius, depth, rim, hu["disc"]))
    return tuple(nodes)


def draw_wall_hole(shape: VertebraShape, rng: np.random.Generator) -> WallHole:
    """A hole between the pedicles, of an area drawn from `HOLE_AREA_MM2`."""
    s = shape.sizes
    area = float(np.exp(rng.uniform(*np.log(HOLE_AREA_MM2))))
    limit = 0.45 * min(s["canal_width"], s["height"])
    radius = min(float(np.sqrt(area / np.pi)), limit)
    stretch = float(np.exp(rng.normal(0, 0.25)))
    room = np.array(
        [0.46 * s["canal_width"] - radius * np.sqrt(stretch), 0.46 * s["height"] - radius / np.sqrt(stretch)]
    )
    right, up = rng.uniform(-1, 1, 2) * np.maximum(room, 0.0)
    return WallHole(
        float(right), float(up), radius, float(rng.uniform(15, 70)), stretch,
        float(rng.uniform(0.15, 0.3) * min(radius, 5.0)), float(rng.uniform(2.0, 6.0)),
    )  # fmt: skip
