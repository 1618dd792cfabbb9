"""How vertebrae differ: between patients, with sex and age, and from level to level within one patient.

Sex and spread: CT of living adults (L5 of a New Zealand cohort, Int J Spine Surg, table 6; men over women:
body depth 37.1/33.3, posterior height 26.8/25.5, pedicle width 16.6/15.1, canal depth 15.9/15.1 and width
28.5/27.6 mm; SD over mean 0.10, 0.07, 0.14, 0.13, 0.11). Levels of one patient go together: Kunkel et al., J
Anat 2010;216:320-8 predict a column's endplates and canal from one height with R2 0.97-0.995, pedicle
heights and spinous processes with 0.81-0.88, transverse processes with 0.51-0.69; what is left over is drawn
as a first-order autoregression along the column. Degeneration by age: Brinjikji et al., AJNR 2015;36:811-6.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm

from vertseg.labels import CERVICAL, COLUMN_ORDER, LUMBAR, SACRUM, T13, THORACIC
from vertseg.phantom.patient.arch_morphometry import ARCH_SIZES, FACET_COLUMNS, SACRAL_FACET, UNSCALED
from vertseg.phantom.patient.morphometry import DENSITY, LEVEL_SIZES, LIVING_HEIGHT_FACTOR, WEDGE
from vertseg.phantom.types import Array

LEVEL_MEMORY: Final = 0.85
"""Correlation of neighbouring levels' own deviations."""


@dataclass(frozen=True)
class Spread:
    """A group of sizes that vary together.

    Attributes:
        patient: standard deviation (share of the mean) between patients of one sex, beyond their stature.
        level: standard deviation of a level's deviation within a patient.
        male: how much larger in men than the mean of both sexes (share).
    """

    patient: float
    level: float
    male: float


SPREADS: Final[dict[str, Spread]] = {
    "section": Spread(0.05, 0.015, 0.054),
    "height": Spread(0.045, 0.02, 0.026),
    "pedicle": Spread(0.11, 0.04, 0.045),
    "canal": Spread(0.09, 0.015, 0.02),
    "spinous": Spread(0.07, 0.05, 0.045),
    "transverse": Spread(0.07, 0.07, 0.045),
    "arch": Spread(0.05, 0.03, 0.03),
    "disc": Spread(0.08, 0.06, 0.03),
}
STATURE_SD: Final = 0.045
"""Standard deviation of a patient's size against others of the same sex (share)."""

_GROUPS: Final[dict[str, str]] = {
    "width": "section", "depth": "section", "height": "height", "disc": "disc", "pedicle_width": "pedicle",
    "pedicle_height": "pedicle", "canal_width": "canal", "canal_depth": "canal", "transverse_span": "transverse",
    "transverse_thickness": "transverse", "transverse_base": "transverse", "transverse_behind": "transverse",
    "spinous_length": "spinous", "spinous_drop": "spinous", "spinous_root_height": "spinous",
    "spinous_tip_height": "spinous", "spinous_thickness": "spinous",
}  # fmt: skip


@dataclass(frozen=True)
class Patient:
    """Who the column belongs to.

    Attributes:
        male: sex.
        age: years.
        stature: size against the mean of the same sex.
        wear: how much more than usual at this age the joints and discs have worn, in standard deviations.
    """

    male: bool
    age: float
    stature: float
    wear: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """An adult as spine CT sees them: 56 % women as in Jang et al. 2019, from 20 to 95 years."""
    male = bool(rng.random() < 0.44)
    age = float(np.clip(rng.normal(61.0, 16.0), 20.0, 95.0))
    return Patient(male, age, float(rng.normal(1.0, STATURE_SD)), float(rng.normal()))


def typical_sizes(level: int) -> dict[str, float]:
    """Sizes of a healthy adult's vertebra, both sexes' mean, with a like neighbour below it."""
    sizes = _table(level, {}) | dict(_HEALTHY)
    _finish(sizes, level, 1.0)
    lower = _below(level)
    drop = 0.5 * sizes["height"] + sizes["disc_below"]
    if lower == SACRUM:
        facet = dict(SACRAL_FACET)
    else:
        facet = {key: ARCH_SIZES[lower][key] for key in FACET_COLUMNS[:8]}
        drop += 0.5 * LEVEL_SIZES[lower]["height"] * LIVING_HEIGHT_FACTOR
    sizes |= {key.replace("facet", "below"): value for key, value in facet.items()}
    sizes["below_up"] -= drop
    return sizes


_HEALTHY: Final[dict[str, float]] = {
    "cortex": 0.4, "endplate_cortex": 0.45, "posterior_cortex": 0.8, "facet_gap": 1.6, "osteophyte": 0.0,
    "foramen": 2.3, "waist": 0.07, "concavity": 1.5, "hollow": 0.07, "irregular": 1.0, "degeneration": 0.0,
    "facet_arthrosis": 0.0, "wedge": 1.0, "dent": 0.95,
}  # fmt: skip


def _table(level: int, factors: dict[str, float]) -> dict[str, float]:
    table = LEVEL_SIZES[level] | ARCH_SIZES[level]
    arch = factors.get("arch", 1.0)
    return {
        k: v if k in UNSCALED else v * factors.get(_GROUPS.get(k, "arch"), arch) for k, v in table.items()
    }


def _below(level: int) -> int:
    """The usual next level toward the feet."""
    after = COLUMN_ORDER[COLUMN_ORDER.index(level) + 1]
    return {T13: LUMBAR[0], LUMBAR[-1]: SACRUM}.get(after, after)


def _finish(sizes: dict[str, float], level: int, narrowing: float) -> None:
    """Sizes that follow from others."""
    sizes["height"] *= LIVING_HEIGHT_FACTOR
    sizes["arch_height"] = sizes["height"]
    sizes["anterior_height"] = sizes["height"] * WEDGE[level] * sizes.pop("wedge")
    sizes["middle_height"] = 0.5 * (sizes["height"] + sizes["anterior_height"]) * sizes.pop("dent")
    sizes["disc_below"] = 0.85 * sizes["disc"] * narrowing
    sizes["wall_hollow"] = sizes.pop("hollow") * sizes["depth"]
    sizes["density"] = DENSITY[level]
    sizes["taper"] = 0.12 if level in THORACIC else 0.04
    if level in CERVICAL[2:]:
        sizes["uncus"] = 0.36 * sizes["height"]


def draw_column_sizes(
    levels: tuple[int, ...], patient: Patient, rng: np.random.Generator
) -> list[dict[str, float]]:
    """Sizes of a patient's vertebrae, in the order of `levels` (head to foot); joints are not yet matched."""
    factors = {name: _along_column(spread, len(levels), patient, rng) for name, spread in SPREADS.items()}
    discs, facets = (_wear(kind, len(levels), patient, rng) for kind in ("disc", "facet"))
    common = {
        "cortex": float(rng.uniform(0.25, 0.55)), "endplate_cortex": float(rng.uniform(0.3, 0.6)),
        "posterior_cortex": float(rng.uniform(0.5, 1.1)), "foramen": float(rng.uniform(1.4, 3.0)),
        "waist": float(rng.uniform(0.03, 0.12)), "concavity": float(rng.uniform(0.9, 2.3)),
        "hollow": float(rng.uniform(0.03, 0.1)),
    }  # fmt: skip
    column = []
    for i, level in enumerate(levels):
        sizes = _table(level, {name: float(values[i]) for name, values in factors.items()})
        sizes |= {key: value * float(np.exp(rng.normal(0.0, 0.12))) for key, value in common.items()}
        sizes["cortex"] = float(np.clip(sizes["cortex"], 0.2, 0.65))
        sizes["wedge"], sizes["dent"] = float(rng.normal(1.0, 0.03)), float(rng.normal(0.95, 0.018))
        sizes["irregular"] = float(rng.uniform(0.5, 1.6))
        sizes["pedicle_angle"] += float(rng.normal(0.0, 3.0))
        sizes["facet_angle"] += float(rng.normal(0.0, 6.0))
        sizes["spinous_drop"] += float(rng.normal(0.0, 1.5))
        _age(sizes, level, (float(discs[i]), float(facets[i])), rng)
        column.append(sizes)
    return column


def _along_column(spread: Spread, n: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Factors (n,) of one group of sizes along a patient's column."""
    sex = 1.0 + (spread.male if patient.male else -spread.male)
    own = float(rng.normal(1.0, spread.patient))
    return np.asarray(patient.stature * sex * own * (1.0 + spread.level * _memory_walk(n, rng)))


def _memory_walk(n: int, rng: np.random.Generator) -> Array:
    """Unit normal deviations (n,) of neighbouring levels that remember each other."""
    steps = rng.normal(size=n)
    for i in range(1, n):
        steps[i] = LEVEL_MEMORY * steps[i - 1] + np.sqrt(1.0 - LEVEL_MEMORY**2) * steps[i]
    return np.asarray(steps)


_WEAR_BY_AGE: Final = {
    "disc": ((20, 30, 40, 50, 60, 70, 80), (0.24, 0.34, 0.45, 0.56, 0.67, 0.76, 0.84)),
    "facet": ((20, 30, 40, 50, 60, 70, 80), (0.04, 0.09, 0.18, 0.32, 0.50, 0.69, 0.83)),
}
"""Share of people with a narrowed disc, and with a degenerated facet joint, by age (Brinjikji 2015, table 2)."""
_LEVEL_SHARE: Final = 0.5
"""Part of those people in whom any one level is concerned."""


def _wear(kind: str, n: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Degeneration (n,) from 0 to 1 of each segment: a threshold on what patient and level have in common."""
    ages, shares = _WEAR_BY_AGE[kind]
    chance = _LEVEL_SHARE * float(np.interp(patient.age, ages, shares))
    latent = 0.75 * patient.wear + 0.66 * rng.normal(size=n)
    return np.asarray(np.clip((latent - norm.ppf(1.0 - chance)) / 1.5, 0.0, 1.0))


def _age(sizes: dict[str, float], level: int, worn: tuple[float, float], rng: np.random.Generator) -> None:
    """Let a segment age: the disc narrows, rims grow lips, facets thicken and lose their gap."""
    disc, facet = worn
    sizes["degeneration"], sizes["facet_arthrosis"] = disc, facet
    narrowing = (1.0 - 0.55 * disc) * float(np.clip(rng.normal(1.0, 0.08), 0.7, 1.25))
    sizes["osteophyte"] = float(max(0.0, 4.5 * disc * rng.uniform(0.4, 1.3) + rng.normal(0.0, 0.3)))
    sizes["facet_gap"] = float(rng.uniform(1.1, 2.1)) * (1.0 - 0.45 * facet)
    sizes["process_thickness"] *= 1.0 + 0.22 * facet
    sizes["facet_width"] *= 1.0 + 0.15 * facet
    _finish(sizes, level, narrowing)
