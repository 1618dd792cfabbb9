"""Draw a patient: column, sizes, curvature, transitional levels, trunk and attenuations."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from vertseg.labels import CERVICAL, LUMBAR, SACRUM, T13, THORACIC, VERTEBRA_LEVELS
from vertseg.phantom.pathology.mix import add_pathology
from vertseg.phantom.patient.morphometry import SAGITTAL_TILT_DEG
from vertseg.phantom.patient.variation import Patient, draw_column_sizes, draw_patient
from vertseg.phantom.scanner.randomise import randomise_tissues
from vertseg.phantom.types import Anatomy, Array, ScanConfig, VertebraShape
from vertseg.phantom.vertebra.joints import match_facets

TRANSITIONAL_RATE = {"L6": 0.05, "L5_sacralised": 0.05, "T13": 0.02, "T12_missing": 0.03}
"""Share of patients, within what whole-spine CT found.

L6 (S1 lumbarised) 6.2 %, L5 sacralised 2.7 %, lumbar ribs 5.8 % of 226 (Nakajima et al., Insights Imaging
2014;5:77-83); 4.0 %, 12.3 % and 1.5 % of 551 (Skeletal Radiol 2025, doi 10.1007/s00256-025-04952-z); eleven pairs
of ribs in 8 %, thirteen in 0.4 % of 1,340 (synapse.koreamed.org 1158507).
"""

CASTELLVI_RATE = 0.06
"""Share of patients whose lowest vertebra has broadened transverse processes but is free (same sources)."""


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


def _tilts(levels: tuple[int, ...], patient: Patient, rng: np.random.Generator) -> dict[int, float]:
    """Lean (degrees) of every level and the sacrum: lordosis, kyphosis and the neck vary on their own.

    Lordosis T12-S1 comes out at 49 (SD 11) degrees: 37 (13) recumbent and 50 (11) standing were measured in 627
    volunteers (PMC6680033). Kyphosis grows after 40 (Vialle et al. 2005 for the young; about 3 degrees a decade).
    """
    curve = float(np.clip(rng.normal(0.8, 0.25), 0.25, 1.45))
    thorax = float(np.clip(rng.normal(0.95, 0.22) + 0.006 * max(0.0, patient.age - 40.0), 0.35, 1.8))
    neck, offset = float(rng.normal(1.0, 0.45)), float(rng.normal(0.0, 3.0))
    table, low, high = SAGITTAL_TILT_DEG, THORACIC[-1], THORACIC[0]
    tilts = {SACRUM: table[SACRUM] * (0.55 + 0.55 * curve) + float(rng.normal(0, 7))}
    base = table[low] * curve + offset
    top = base + thorax * (table[high] - table[low])
    for level in levels:
        if level in CERVICAL:
            tilts[level] = top + neck * (table[level] - table[high])
        elif level in THORACIC:
            tilts[level] = base + thorax * (table[level] - table[low])
        else:
            tilts[level] = table[level] * curve + offset
        tilts[level] += float(rng.normal(0, 1.5))
    return tilts


def _side_bends(n: int, patient: Patient, rng: np.random.Generator) -> tuple[Array, Array]:
    """Sideways lean and turn (degrees) of each of `n` vertebrae from foot to head.

    A curve of more than 10 degrees (Cobb) in one adult of eleven, more often with age: 8.85 % over 40 years
    (Kebaish et al., Spine 2011;36:731-6). Cobb's angle is about twice the sine's height.
    """
    sick = rng.random() < 0.06 + 0.002 * max(0.0, patient.age - 40.0)
    height = (
        float(rng.choice([-1.0, 1.0]) * (5.0 + rng.gamma(1.5, 3.0))) if sick else float(rng.normal(0, 1.8))
    )
    phase = float(rng.uniform(0, 6.28)) + 6.2832 * np.arange(n) / float(rng.uniform(8, 18))
    return height * np.sin(phase), 0.5 * height * np.cos(phase) + rng.normal(0, 1.2, n)


def _stack(rng: np.random.Generator, patient: Patient) -> tuple[list[VertebraShape], Array]:
    """Vertebrae from foot to head on the sacrum's endplate at the origin, and the sacrum's axes."""
    levels = column_levels(rng)
    column = draw_column_sizes(levels, patient, rng)
    tilts = _tilts(levels, patient, rng)
    sides, turns = _side_bends(len(levels), patient, rng)
    sacrum_axes = _axes(tilts[SACRUM], 0.0, 0.0)
    point, up = np.zeros(3), sacrum_axes[:, 2]
    stack: list[VertebraShape] = []
    for rank, (level, sizes) in enumerate(zip(reversed(levels), reversed(column), strict=True)):
        axes = _axes(tilts[level], float(sides[rank]), float(turns[rank]))
        mean_up = (up + axes[:, 2]) / np.linalg.norm(up + axes[:, 2])
        height = 0.5 * (sizes["height"] + sizes["anterior_height"])
        centre = point + mean_up * sizes["disc_below"] + axes[:, 2] * height / 2
        ribs, seed = _rib_length(level, rng), int(rng.integers(1 << 30))
        stack.append(VertebraShape(level, centre, axes, sizes, rib_mm=ribs, seed=seed))
        point, up = centre + axes[:, 2] * height / 2, axes[:, 2]
    if rng.random() < CASTELLVI_RATE:
        stack[0] = _castellvi(stack[0], rng)
    return stack, sacrum_axes


def _castellvi(shape: VertebraShape, rng: np.random.Generator) -> VertebraShape:
    """The lowest vertebra with broad transverse processes that come near the sacrum (Castellvi types I and II)."""
    grow = float(rng.uniform(1.25, 1.7))
    s = dict(shape.sizes)
    s["transverse_height"] *= grow
    s["transverse_base"] *= min(grow, 1.3)
    s["transverse_thickness"] *= min(grow, 1.3)
    s["transverse_up"] -= 4.0 * grow
    return replace(shape, sizes=s)


def trabecular_hu(patient: Patient, rng: np.random.Generator) -> float:
    """Trabecular HU of L1 at this age: 226 (SD 44) below 30 years, 2.5 a year less, 89 (SD 38) at the end.

    Jang et al., Radiology 2019;291:360-7 (20,374 adults, 120 kV); women stand a little higher until menopause.
    Below 160 osteoporosis is possible, below 110 likely (Pickhardt et al., Ann Intern Med 2013;158:588-95).
    """
    mean = max(89.0, 226.0 - 2.5 * max(0.0, patient.age - 28.0))
    if not patient.male and patient.age < 50.0:
        mean += 10.0
    spread = float(np.interp(patient.age, [30.0, 90.0], [44.0, 38.0]))
    return float(np.clip(rng.normal(mean, spread), 20.0, 340.0))


def _attenuation(strength: float, patient: Patient, rng: np.random.Generator) -> dict[str, float]:
    """HU of tissues: textbook means, spread by `strength` (0 to 1)."""
    u = rng.uniform
    contrast = float(u(80, 330)) if rng.random() < 0.5 else 0.0
    table = {
        "air": (-1000.0, 8.0), "fat": (-100.0, 18.0), "muscle": (52.0, 16.0), "organ": (55.0, 25.0),
        "disc": (80.0, 30.0), "canal": (25.0, 20.0), "cortical": (1000.0, 320.0), "lung": (-850.0, 50.0),
        "skin": (20.0, 40.0), "cartilage": (110.0, 40.0), "bowel": (25.0, 35.0),
    }  # fmt: skip
    hu = {name: mean + strength * spread * float(u(-1, 1)) for name, (mean, spread) in table.items()}
    hu["trabecular"] = trabecular_hu(patient, rng) if strength > 0 else 150.0
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
    patient = draw_patient(np.random.default_rng([seed, 3]))
    stack, sacrum_axes = _stack(rng, patient)
    hu = _attenuation(config.appearance, patient, rng)
    hu = randomise_tissues(hu, config.appearance, np.random.default_rng([seed, 40]))
    vertebrae = add_pathology(tuple(reversed(stack)), config, hu, np.random.default_rng([seed, 2]))
    anatomy = Anatomy(vertebrae, np.zeros(3), sacrum_axes, _trunk(rng), hu, seed, config.appearance)
    return replace(anatomy, vertebrae=_restack(anatomy))


def _restack(anatomy: Anatomy) -> tuple[VertebraShape, ...]:
    """Let vertebrae above a collapsed one sink by the height that it lost."""
    drop = np.zeros(3)
    moved: list[VertebraShape] = []
    for shape in reversed(anatomy.vertebrae):
        lost = shape.sizes.get("lost_mm", 0.0)
        moved.append(replace(shape, centre_mm=shape.centre_mm - drop - 0.5 * lost * shape.axes[:, 2]))
        drop = drop + lost * shape.axes[:, 2]
    return match_facets(tuple(reversed(moved)), anatomy.sacrum_axes)
