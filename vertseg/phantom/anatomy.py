"""Draw a patient: column, sizes, curvature, transitional levels, trunk and attenuations."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from vertseg.labels import LUMBAR, SACRUM, T13, THORACIC, VERTEBRA_LEVELS
from vertseg.phantom.morphometry import LEVEL_SIZES, SAGITTAL_TILT_DEG
from vertseg.phantom.pathology import add_pathology
from vertseg.phantom.types import Anatomy, Array, ScanConfig, VertebraShape

LIVING_HEIGHT_FACTOR = 1.12
"""Vertebral bodies of living adults on CT against the cadaver heights of the tables."""

TRANSITIONAL_RATE = {"L6": 0.04, "L5_sacralised": 0.03, "T13": 0.02, "T12_missing": 0.02}
"""Share of patients; lumbosacral transition is the commonest (Carrino et al., Radiology 2011;259:196)."""


def column_levels(rng: np.random.Generator) -> tuple[int, ...]:
    """Level numbers of one patient from head to foot, sacrum excluded."""
    levels = [n for n in VERTEBRA_LEVELS if n not in (T13, LUMBAR[-1])]
    u = rng.random()
    edges = np.cumsum(list(TRANSITIONAL_RATE.values()))
    if u < edges[0]:
        levels.append(LUMBAR[-1])
    elif u < edges[1]:
        levels.remove(LUMBAR[4])
    elif u < edges[2]:
        levels.insert(levels.index(LUMBAR[0]), T13)
    elif u < edges[3]:
        levels.remove(THORACIC[-1])
    return tuple(levels)


def _axes(tilt_deg: float, side_deg: float, turn_deg: float) -> Array:
    rotation = Rotation.from_euler("xyz", [-tilt_deg, side_deg, turn_deg], degrees=True)
    return np.asarray(rotation.as_matrix(), dtype=np.float64)


def _sizes(level: int, scale: float, rng: np.random.Generator) -> dict[str, float]:
    table = LEVEL_SIZES[level]
    sizes = {k: v * scale * float(rng.normal(1.0, 0.04)) for k, v in table.items() if k != "pedicle_angle"}
    sizes["pedicle_angle"] = table["pedicle_angle"] + float(rng.normal(0.0, 3.0))
    sizes["height"] *= LIVING_HEIGHT_FACTOR
    sizes["spinous_drop"] = table["spinous_drop"] + float(rng.normal(0.0, 2.5))
    sizes["anterior_height"] = sizes["height"] * float(rng.normal(1.0 if level in LUMBAR else 0.97, 0.03))
    sizes["middle_height"] = (
        0.5 * (sizes["height"] + sizes["anterior_height"]) * float(rng.normal(0.94, 0.02))
    )
    sizes["cortex"] = float(rng.uniform(0.2, 0.65))
    sizes["posterior_cortex"] = float(rng.uniform(0.4, 1.2))
    sizes["facet_gap"] = float(rng.uniform(0.8, 2.0))
    sizes["osteophyte"] = float(max(0.0, rng.normal(0.0, 2.0)))
    sizes["foramen"] = float(rng.uniform(1.2, 3.5))
    sizes["waist"] = float(rng.uniform(0.04, 0.14))
    sizes["concavity"] = float(rng.uniform(0.8, 2.2))
    return sizes


def _rib_length(level: int, rng: np.random.Generator) -> float:
    if level == T13:
        return float(rng.uniform(15, 60))
    if level not in THORACIC:
        return 0.0
    if level == THORACIC[-1]:
        return float(rng.uniform(25, 130))
    if level == THORACIC[-2]:
        return float(rng.uniform(110, 200))
    return 400.0


def _stack(rng: np.random.Generator) -> tuple[list[VertebraShape], Array]:
    """Vertebrae from foot to head on the sacrum's endplate at the origin, and the sacrum's axes."""
    levels = column_levels(rng)
    scale = float(rng.normal(1.06, 0.055))
    curve, offset = float(rng.uniform(0.45, 1.5)), float(rng.normal(0.0, 3.0))
    scoliosis = float(rng.normal(0.0, 4.0)) if rng.random() < 0.8 else float(rng.normal(0.0, 12.0))
    phase, wavelength = float(rng.uniform(0, 6.28)), float(rng.uniform(8, 18))
    disc_factor = float(rng.uniform(0.55, 1.1))
    sacrum_axes = _axes(SAGITTAL_TILT_DEG[SACRUM] * (0.55 + 0.55 * curve) + float(rng.normal(0, 7)), 0.0, 0.0)
    point, up = np.zeros(3), sacrum_axes[:, 2]
    stack: list[VertebraShape] = []
    for rank, level in enumerate(reversed(levels)):
        sizes = _sizes(level, scale, rng)
        tilt = SAGITTAL_TILT_DEG[level] * curve + offset + float(rng.normal(0, 1.5))
        side = scoliosis * np.sin(phase + 6.2832 * rank / wavelength)
        turn = 0.5 * scoliosis * np.cos(phase + 6.2832 * rank / wavelength) + float(rng.normal(0, 1.5))
        axes = _axes(tilt, float(side), float(turn))
        disc = sizes["disc"] * disc_factor * float(np.clip(rng.normal(1.0, 0.18), 0.25, 1.4))
        mean_up = (up + axes[:, 2]) / np.linalg.norm(up + axes[:, 2])
        height = 0.5 * (sizes["height"] + sizes["anterior_height"])
        centre = point + mean_up * disc + axes[:, 2] * height / 2
        sizes["disc_below"] = disc
        shape = VertebraShape(
            level, centre, axes, sizes, rib_mm=_rib_length(level, rng), seed=int(rng.integers(1 << 30))
        )
        stack.append(shape)
        point, up = centre + axes[:, 2] * height / 2, axes[:, 2]
    return stack, sacrum_axes


def _attenuation(strength: float, rng: np.random.Generator) -> dict[str, float]:
    """HU of tissues: textbook means, spread by `strength` (0 to 1)."""
    u = rng.uniform
    contrast = float(u(80, 330)) if rng.random() < 0.5 else 0.0
    table = {
        "air": (-1000.0, 8.0), "fat": (-100.0, 18.0), "muscle": (52.0, 16.0), "organ": (55.0, 25.0),
        "disc": (80.0, 30.0), "canal": (25.0, 20.0), "cortical": (1000.0, 320.0), "lung": (-850.0, 50.0),
        "skin": (20.0, 40.0), "cartilage": (110.0, 40.0), "bowel": (25.0, 35.0),
    }  # fmt: skip
    hu = {name: mean + strength * spread * float(u(-1, 1)) for name, (mean, spread) in table.items()}
    hu["trabecular"] = float(u(40, 270)) if strength > 0 else 150.0
    hu["artery"] = 42.0 + contrast * float(u(0.7, 1.0))
    hu["vein"] = 42.0 + contrast * float(u(0.3, 0.9))
    hu["kidney"] = 35.0 + contrast * float(u(0.5, 0.9))
    hu["organ"] += 0.25 * contrast
    hu["muscle"] += 0.04 * contrast
    return hu


def _trunk(rng: np.random.Generator) -> dict[str, float]:
    u = rng.uniform
    return {
        "half_width": float(u(135, 210)), "half_depth": float(u(92, 150)), "fat": float(u(8, 38)),
        "back": float(u(62, 100)), "psoas": float(u(13, 26)), "erector": float(u(18, 30)),
        "pelvis_scale": float(u(0.9, 1.1)), "arms": float(rng.random() < 0.3), "table": float(rng.random() < 0.8),
        "table_gap": float(u(-2, 12)), "rib_drop": float(u(0.25, 0.6)), "rib_radius": float(u(4.0, 5.6)),
        "gas": float(u(0.0, 1.0)), "calcified": float(rng.random() < 0.4), "shape": float(u(2.0, 2.9)),
        "marbling": float(u(0.0, 1.0)) ** 1.5,
    }  # fmt: skip


def draw_anatomy(seed: int, config: ScanConfig) -> Anatomy:
    """A patient for this seed; the same seed and config give the same patient on any device."""
    rng = np.random.default_rng([seed, 1])
    stack, sacrum_axes = _stack(rng)
    hu = _attenuation(config.appearance, rng)
    vertebrae = add_pathology(tuple(reversed(stack)), config, hu, np.random.default_rng([seed, 2]))
    anatomy = Anatomy(vertebrae, np.zeros(3), sacrum_axes, _trunk(rng), hu, seed)
    return replace(anatomy, vertebrae=_restack(anatomy))


def _restack(anatomy: Anatomy) -> tuple[VertebraShape, ...]:
    """Let vertebrae above a collapsed one sink by the height that it lost."""
    drop = np.zeros(3)
    moved: list[VertebraShape] = []
    for shape in reversed(anatomy.vertebrae):
        lost = shape.sizes.get("lost_mm", 0.0)
        moved.append(replace(shape, centre_mm=shape.centre_mm - drop - 0.5 * lost * shape.axes[:, 2]))
        drop = drop + lost * shape.axes[:, 2]
    return tuple(reversed(moved))
