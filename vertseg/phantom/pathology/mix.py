"""What a patient suffers from, and which of the vertebrae bear it.

Pathology is drawn by patient: one who has metastases has several of a kind, one with thin bones several
fractures. Rates without a source are assumptions about those who come for a vertebroplasty's planning CT.
"""

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from vertseg.labels import LUMBAR, THORACIC, column_position, level_number
from vertseg.phantom.pathology.cementation import draw_cement, with_screws
from vertseg.phantom.pathology.disease import Dent, Fracture
from vertseg.phantom.pathology.fractures import (
    burst_fracture,
    collapsed,
    draw_schmorl,
    draw_wall_hole,
    osteoporotic_fracture,
)
from vertseg.phantom.pathology.tumours import (
    draw_fat_voids,
    draw_hemangioma,
    draw_metastasis,
    draw_myeloma,
    draw_osteoid_osteoma,
    lytic_hu,
)  # fmt: skip
from vertseg.phantom.types import Anatomy, Lesion, ScanConfig, VertebraShape
from vertseg.phantom.vertebra.joints import match_facets

Condition = Literal["sound", "osteoporotic", "metastatic", "myeloma", "trauma", "treated"]
Sickness = Literal[
    "lytic", "sclerotic", "mixed", "myeloma", "osteoporotic", "burst", "wall_hole", "treated", "mimic"
]

PATIENT_MIX: Final[dict[Condition, float]] = {
    "sound": 0.28, "osteoporotic": 0.23, "metastatic": 0.21, "myeloma": 0.06, "trauma": 0.08, "treated": 0.14,
}  # fmt: skip
"""Share of patients; assumed."""

THIN_MARROW_HU: Final = 110.0
"""Marrow below this is osteoporotic (L1 at or below 110 HU: Pickhardt et al., Ann Intern Med 2013;158:588-95)."""

FRACTURE_WEIGHT: Final = {"T7": 2.0, "T8": 2.2, "T11": 2.0, "T12": 3.5, "L1": 3.8, "L2": 2.2, "L3": 1.6}
"""How much likelier than elsewhere these levels break: two peaks, about T7-T8 and T12-L1 (Ismail et al.,
Osteoporos Int 1999;9:206-13). The weights are assumed."""

BURST_WEIGHT: Final = {"T12": 4.0, "L1": 8.0, "L2": 4.0, "T11": 1.5, "L3": 1.5, "L4": 0.8}
"""Burst fractures sit at the thoracolumbar junction (Denis, Spine 1983;8:817-31). Assumed weights."""

HEMANGIOMA_RATE: Final = 0.012
"""Of a vertebra; about one patient in ten has one (autopsies; e.g. Pastushyn et al., Surg Neurol 1998;50:535-47)."""

SCHMORL_RATE: Final = 0.07
OSTEOID_OSTEOMA_RATE: Final = 0.003
FAT_VOID_RATE: Final = 0.25
"""Of a vertebra with thin marrow. These three are assumed."""

SCREW_SHARE: Final = 0.25
"""Of treated patients, screws with rods. Assumed."""

SICK_SHARE: Final = 0.345
"""How often `diseased` gives a vertebra something at rate 1."""

CROP_MIX: Final[dict[Sickness, float]] = {
    "lytic": 0.41, "sclerotic": 0.07, "mixed": 0.11, "myeloma": 0.04, "osteoporotic": 0.065, "burst": 0.10,
    "wall_hole": 0.07, "treated": 0.105, "mimic": 0.03,
}  # fmt: skip
"""What a sick vertebra that is looked at by itself has. Set so that each finding shows often enough to be learned
(see `tests/phantom/test_pathology.py`), not by any incidence."""


def with_sickness(
    shape: VertebraShape, sickness: Sickness, hu: dict[str, float], rng: np.random.Generator
) -> VertebraShape:
    """The vertebra with one kind of pathology."""
    if sickness in ("lytic", "mixed", "sclerotic"):
        return _with_metastases(shape, sickness, hu, rng)
    if sickness == "myeloma":
        shape = replace(shape, lesions=(*shape.lesions, *draw_myeloma(shape, hu, rng)))
        return osteoporotic_fracture(shape, rng) if rng.random() < 0.2 else shape
    if sickness == "osteoporotic":
        return osteoporotic_fracture(shape, rng)
    if sickness == "burst":
        return burst_fracture(shape, rng)
    if sickness == "wall_hole":
        return replace(shape, wall_hole=draw_wall_hole(shape, rng))
    if sickness == "treated":
        before: Sickness = "osteoporotic" if rng.random() < 0.65 else "lytic"
        shape = with_sickness(shape, before, hu, rng)
        if shape.fracture is not None:
            # What was hollow is filled now.
            shape = replace(shape, fracture=replace(shape.fracture, cleft=None))
        return replace(shape, cement=draw_cement(shape, rng))
    return with_mimics(shape, hu, rng, often=6.0)


def _with_metastases(
    shape: VertebraShape, sickness: Sickness, hu: dict[str, float], rng: np.random.Generator
) -> VertebraShape:
    if sickness == "lytic":
        if rng.random() < 0.22:
            # A pathologic fracture: the bone gave way where the tumour had eaten it.
            shape = osteoporotic_fracture(shape, rng)
        count = 1 + int(rng.random() < 0.3) + int(rng.random() < 0.1)
        new = [draw_metastasis("lytic_lesion", shape, hu, rng) for _ in range(count)]
    elif sickness == "mixed":
        new = [draw_metastasis("mixed_lesion", shape, hu, rng)]
    else:
        new = [draw_metastasis("sclerotic_lesion", shape, hu, rng) for _ in range(int(rng.integers(1, 4)))]
    return replace(shape, lesions=(*shape.lesions, *new))


def with_mimics(
    shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator, often: float = 1.0
) -> VertebraShape:
    """The vertebra with what healthy and aged spines have and must not be taken for a metastasis."""
    lesions = list(shape.lesions)
    if rng.random() < HEMANGIOMA_RATE * often:
        lesions.append(draw_hemangioma(shape, rng))
    elif rng.random() < OSTEOID_OSTEOMA_RATE * often:
        lesions.append(draw_osteoid_osteoma(shape, rng))
    elif hu["trabecular"] < THIN_MARROW_HU and rng.random() < FAT_VOID_RATE * often:
        lesions.extend(draw_fat_voids(shape, rng))
    if rng.random() < SCHMORL_RATE * often:
        shape = replace(shape, schmorl=draw_schmorl(shape, hu, rng))
    return replace(shape, lesions=tuple(lesions))


def diseased(
    shape: VertebraShape, hu: dict[str, float], rate: float, rng: np.random.Generator
) -> VertebraShape:
    """A healthy vertebra given something of `CROP_MIX`; `rate` scales how often, otherwise it may get a mimic."""
    if rng.random() < min(1.0, SICK_SHARE * rate):
        names = list(CROP_MIX)
        shape = with_sickness(shape, names[int(rng.choice(len(names), p=list(CROP_MIX.values())))], hu, rng)
        return with_mimics(shape, hu, rng) if not shape.lesions and shape.fracture is None else shape
    return with_mimics(shape, hu, rng, often=4.0)


def healed(shape: VertebraShape) -> VertebraShape:
    """The vertebra without the pathology that does not change its shape."""
    return replace(shape, lesions=(), wall_hole=None, schmorl=(), cement=None, screws=None)


def redrawn(anatomy: Anatomy, level: int, rate: float, rng: np.random.Generator) -> Anatomy:
    """The patient with the vertebra of `level` redrawn by `diseased`; those above sink onto it if it collapses.

    A vertebra that is broken, treated or of the neck stays as it is.
    """
    column = list(anatomy.vertebrae)
    at = next(i for i, s in enumerate(column) if s.level == level)
    old = column[at]
    if old.height_loss > 0 or old.cement is not None or level not in (*THORACIC, *LUMBAR):
        return anatomy
    new = replace(diseased(healed(old), anatomy.hu, rate, rng), screws=old.screws)
    lost = new.sizes.get("lost_mm", 0.0) * old.axes[:, 2]
    column[at] = replace(new, centre_mm=new.centre_mm - 0.5 * lost)
    above = [replace(s, centre_mm=s.centre_mm - lost) for s in column[:at]]
    fixed = (*above, *column[at:])
    if new.height_loss > 0:
        fixed = match_facets(fixed, anatomy.sacrum_axes)
    if new.cement is not None and rng.random() < 0.5 * SCREW_SHARE:
        fixed = with_screws(fixed, _fixed_levels(fixed, at), rng)
    return replace(anatomy, vertebrae=fixed)


def _fixed_levels(column: tuple[VertebraShape, ...], at: int) -> tuple[int, ...]:
    """The treated levels above and below a vertebra, within the thoracic and lumbar spine."""
    near = [column[i].level for i in (at - 1, at + 1) if 0 <= i < len(column)]
    return tuple(n for n in near if n in THORACIC or n in LUMBAR)


def _weights(hu: dict[str, float]) -> np.ndarray:
    thin = hu["trabecular"] < THIN_MARROW_HU
    lean = {
        "osteoporotic": 2.0 if thin else 0.35,
        "trauma": 0.4 if thin else 1.6,
        "sound": 0.8 if thin else 1.2,
    }
    weights = np.array([share * lean.get(name, 1.0) for name, share in PATIENT_MIX.items()])
    return np.asarray(weights / weights.sum())


def _pick(levels: list[int], count: int, weight: dict[int, float], rng: np.random.Generator) -> set[int]:
    w = np.array([weight.get(n, 1.0) for n in levels])
    return {int(n) for n in rng.choice(levels, size=min(count, len(levels)), replace=False, p=w / w.sum())}


def _plan(condition: Condition, levels: list[int], rng: np.random.Generator) -> dict[int, Sickness]:
    """Which level of a patient gets what."""
    if condition == "osteoporotic":
        broken = _pick(levels, 1 + int(rng.poisson(1.3)), _by_number(FRACTURE_WEIGHT), rng)
        return dict.fromkeys(broken, "osteoporotic")
    if condition == "metastatic":
        main = ("lytic", "mixed", "sclerotic")[int(rng.choice(3, p=[0.55, 0.25, 0.2]))]
        plan: dict[int, Sickness] = {}
        for n in _pick(levels, int(rng.integers(2, 9)), {}, rng):
            other = ("lytic", "mixed", "sclerotic")[int(rng.integers(0, 3))]
            plan[n] = main if rng.random() < 0.75 else other  # type: ignore[assignment]
        return plan
    if condition == "myeloma":
        return dict.fromkeys(_pick(levels, int(rng.integers(4, len(levels))), {}, rng), "myeloma")
    if condition == "trauma":
        return dict.fromkeys(
            _pick(levels, 1 + int(rng.random() < 0.25), _by_number(BURST_WEIGHT), rng), "burst"
        )
    if condition == "treated":
        treated = _pick(levels, 1 + int(rng.poisson(0.8)), _by_number(FRACTURE_WEIGHT), rng)
        rest = [n for n in levels if n not in treated]
        plan = dict.fromkeys(
            _pick(rest, int(rng.poisson(0.8)), _by_number(FRACTURE_WEIGHT), rng), "osteoporotic"
        )
        return {**plan, **dict.fromkeys(treated, "treated")}
    return {}


def _by_number(weights: dict[str, float]) -> dict[int, float]:
    return {level_number(name): weight for name, weight in weights.items()}


def draw_condition(config: ScanConfig, hu: dict[str, float], rng: np.random.Generator) -> Condition:
    """What the patient has; `config.pathology` scales the share of the sick."""
    names = list(PATIENT_MIX)
    weights = _weights(hu)
    sick = min(1.0, (1 - weights[0]) * config.pathology)
    weights = np.array([1 - sick, *(weights[1:] / weights[1:].sum() * sick)])
    return names[int(rng.choice(len(names), p=weights))]


def add_pathology(
    column: tuple[VertebraShape, ...], config: ScanConfig, hu: dict[str, float], rng: np.random.Generator
) -> tuple[VertebraShape, ...]:
    """The column with pathology on thoracic and lumbar levels, as the config asks."""
    if config.case == "demo":
        return tuple(_demo(shape, hu, rng) for shape in column)
    if config.pathology <= 0:
        return column
    levels = [s.level for s in column if s.level in THORACIC or s.level in LUMBAR]
    condition = draw_condition(config, hu, rng)
    plan = _plan(condition, levels, rng)
    sick = []
    for shape in column:
        if shape.level in plan:
            shape = with_sickness(shape, plan[shape.level], hu, rng)
        elif shape.level in levels:
            shape = with_mimics(shape, hu, rng)
        sick.append(shape)
    if condition == "treated" and rng.random() < SCREW_SHARE:
        first = min((n for n in plan if plan[n] == "treated"), key=column_position)
        at = [s.level for s in column].index(first)
        return with_screws(tuple(sick), _fixed_levels(tuple(sick), at), rng)
    return tuple(sick)


def _demo(shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator) -> VertebraShape:
    """The demonstration patient: L1 collapsed, L3 with a lytic lesion that broke the posterior wall."""
    if shape.level == LUMBAR[0]:
        s = shape.sizes
        broken = replace(collapsed(shape, "wedge", 0.5, 0.8), height_loss=0.5)
        dent = Dent(1.0, 0.0, 0.1 * s["depth"], (0.3 * s["width"], 0.3 * s["depth"]), 1.5)
        fracture = Fracture("wedge", (dent,), band_hu=180.0, step_mm=1.2, buckle_up_mm=2.0)
        return replace(broken, fracture=fracture)
    if shape.level == LUMBAR[2]:
        depth = shape.sizes["depth"]
        centre, radii = np.array([5.0, -0.38 * depth, 1.0]), np.array([11.0, 11.0, 9.0])
        dark = min(35.0, lytic_hu(hu, rng))
        lesion = Lesion("lytic_lesion", centre, radii, dark, True, rng.uniform(0, 6.28, 3))
        return replace(shape, lesions=(lesion,))
    return shape
