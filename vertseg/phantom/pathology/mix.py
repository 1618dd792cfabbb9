"""What a patient suffers from, and which of the vertebrae bear it.

Pathology is drawn by patient: one who has metastases has several of a kind, one with thin bones several
fractures. Rates without a source are assumptions about those who come for a vertebroplasty's planning CT.
"""

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from vertseg.labels import LUMBAR, THORACIC, column_position, level_number
from vertseg.phantom.pathology.cementation import with_screws
from vertseg.phantom.pathology.disease import Dent, Fracture
from vertseg.phantom.pathology.fractures import collapsed
from vertseg.phantom.pathology.sickness import (
    SCREW_SHARE,
    THIN_MARROW_HU,
    Sickness,
    fixed_levels,
    with_mimics,
    with_sickness,
)
from vertseg.phantom.pathology.tumours import lytic_hu
from vertseg.phantom.types import Lesion, ScanConfig, VertebraShape

Condition = Literal["sound", "osteoporotic", "metastatic", "myeloma", "trauma", "treated"]
PATIENT_MIX: Final[dict[Condition, float]] = {
    "sound": 0.28, "osteoporotic": 0.23, "metastatic": 0.21, "myeloma": 0.06, "trauma": 0.08, "treated": 0.14,
}  # fmt: skip
"""Share of patients; assumed."""

FRACTURE_WEIGHT: Final = {"T7": 2.0, "T8": 2.2, "T11": 2.0, "T12": 3.5, "L1": 3.8, "L2": 2.2, "L3": 1.6}
"""How much likelier than elsewhere these levels break: two peaks, about T7-T8 and T12-L1 (Ismail et al.,
Osteoporos Int 1999;9:206-13). The weights are assumed."""

BURST_WEIGHT: Final = {"T12": 4.0, "L1": 8.0, "L2": 4.0, "T11": 1.5, "L3": 1.5, "L4": 0.8}
"""Burst fractures sit at the thoracolumbar junction (Denis, Spine 1983;8:817-31). Assumed weights."""


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
        return with_screws(tuple(sick), fixed_levels(tuple(sick), at), rng)
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
