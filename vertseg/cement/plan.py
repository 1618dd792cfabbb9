"""What the operator means to do, and where the cannula's tip comes to lie."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.cement.parameters import InjectionParameters
from vertseg.errors import ConfigError
from vertseg.labels import APPROACHES, VISCOSITIES, Approach, Viscosity

Array = NDArray[np.float64]

MAX_VOLUME_ML: Final = 12.0

TARGET_ACROSS: Final = {"unipedicular": 0.10, "bipedicular": 0.24}
"""Aim beside the midline as share of the body's width, toward the side of entry: a single cannula is led to
the middle, two to the middle of each half (Mathis 2001, AJNR 22:373-81)."""

TARGET_FORWARD: Final = 0.18
"""Aim before the body's middle as share of its depth: the border of its anterior third (the same)."""

CLEFT_ML: Final = 0.2
"""From this volume on, a cleft is what the operator aims at (Lane 2002, AJNR 23:1642-6)."""

LESION_ML: Final = 1.0
"""From this volume on, a lytic lesion draws the aim half-way toward its middle."""


@dataclass(frozen=True)
class InjectionPlan:
    """A planned injection.

    Attributes:
        volume_ml: cement for the vertebra, in both cannulas together.
        viscosity: "low", "medium" or "high".
        approach: "unipedicular" or "bipedicular" (half the volume through either side, at the same time).
        side: entry of a single cannula.
    """

    volume_ml: float
    viscosity: Viscosity = "medium"
    approach: Approach = "unipedicular"
    side: Literal["left", "right"] = "right"

    def __post_init__(self) -> None:
        if not 0 < self.volume_ml <= MAX_VOLUME_ML:
            raise ConfigError(
                f"{self.volume_ml} ml of cement cannot be simulated; give 0 to {MAX_VOLUME_ML} ml."
            )
        if self.viscosity not in VISCOSITIES:
            raise ConfigError(f"'{self.viscosity}' is no viscosity; take one of {', '.join(VISCOSITIES)}.")
        if self.approach not in APPROACHES:
            raise ConfigError(f"'{self.approach}' is no approach; take one of {', '.join(APPROACHES)}.")


@dataclass(frozen=True)
class Landmarks:
    """What the operator sees on the scan, in mm of the site's coordinates, each (3,).

    Attributes:
        centre_mm: middle of the body.
        size_mm: its width, depth and height.
        cleft_mm: middle of a cleft worth aiming at, or None.
        lesion_mm: middle of a lytic lesion worth aiming at, or None.
    """

    centre_mm: Array
    size_mm: Array
    cleft_mm: Array | None = None
    lesion_mm: Array | None = None


def cannula_tips(
    plan: InjectionPlan, seen: Landmarks, rng: np.random.Generator, parameters: InjectionParameters
) -> Array:
    """Tips (n, 3) in mm in the site's own coordinates: one or two, as the plan says, with the operator's error.

    Both approaches use up the same random numbers, so that matched seeds compare them fairly.
    """
    error = np.clip(rng.normal(0.0, 1.0, (2, 3)), -2, 2) * parameters.tip_jitter_mm
    sides = [1.0, -1.0] if plan.approach == "bipedicular" else [1.0 if plan.side == "right" else -1.0]
    tips = []
    for i, side in enumerate(sides):
        across = np.array([side * TARGET_ACROSS[plan.approach] * seen.size_mm[0], 0.0, 0.0])
        aim = seen.centre_mm + across + np.array([0.0, TARGET_FORWARD * seen.size_mm[1], 0.0])
        if seen.cleft_mm is not None:
            aim = seen.cleft_mm + 0.5 * across
        elif seen.lesion_mm is not None:
            aim = 0.5 * (aim + seen.lesion_mm)
        tips.append(aim + error[i])
    return np.array(tips)
