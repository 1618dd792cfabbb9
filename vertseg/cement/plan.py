"""What the operator means to do, and where the cannula's tip comes to lie."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.cement.parameters import InjectionParameters
from vertseg.errors import ConfigError
from vertseg.labels import APPROACHES, VISCOSITIES

Array = NDArray[np.float64]

MAX_VOLUME_ML: Final = 12.0

TARGET_ACROSS: Final = {"unipedicular": 0.10, "bipedicular": 0.24}
"""Aim beside the midline as share of the body's width, toward the side of entry: a single cannula is led to
the middle, two to the middle of each half (Mathis 2001, AJNR 22:373-81)."""

TARGET_FORWARD: Final = 0.18
"""Aim before the body's middle as share of its depth: the border of its anterior third (the same)."""

CLEFT_ML: Final = 0.2
"""From this volume on, a cleft is what the operator aims at (Lane 2002, AJNR 23:1642-6)."""


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
    viscosity: Literal["low", "medium", "high"] = "medium"
    approach: Literal["unipedicular", "bipedicular"] = "unipedicular"
    side: Literal["left", "right"] = "right"

    def __post_init__(self) -> None:
        if not 0 < self.volume_ml <= MAX_VOLUME_ML:
            raise ConfigError(
                f"{self.volume_ml} ml of cement cannot be simulated; give 0 to {MAX_VOLUME_ML} ml."
            )
        if self.viscosity not in VISCOSITIES:
            raise ConfigError(
                f"'{self.viscosity}' is no viscosity; take one of {', '.join(VISCOSITIES)}."
            )
        if self.approach not in APPROACHES:
            raise ConfigError(f"'{self.approach}' is no approach; take one of {', '.join(APPROACHES)}.")


def cannula_tips(
    plan: InjectionPlan,
    centre_mm: Array,
    size_mm: Array,
    cleft_mm: Array | None,
    rng: np.random.Generator,
    parameters: InjectionParameters,
) -> Array:
    """Tips (n, 3) in mm in the site's own coordinates: one or two, as the plan says, with the operator's error.

    Both approaches use up the same random numbers, so that matched seeds compare them fairly.

    Args:
        plan: approach and side.
        centre_mm: (3,) middle of the body.
        size_mm: (3,) width, depth and height of the body.
        cleft_mm: (3,) middle of a cleft to aim at, or None.
        rng: the operator.
        parameters: size of the error.
    """
    error = np.clip(rng.normal(0.0, 1.0, (2, 3)), -2, 2) * parameters.tip_jitter_mm
    sides = [1.0, -1.0] if plan.approach == "bipedicular" else [1.0 if plan.side == "right" else -1.0]
    tips = []
    for i, side in enumerate(sides):
        across = side * TARGET_ACROSS[plan.approach] * size_mm[0]
        aim = centre_mm + np.array([across, TARGET_FORWARD * size_mm[1], 0.0])
        if cleft_mm is not None:
            aim = cleft_mm + np.array([0.5 * across, 0.0, 0.0])
        tips.append(aim + error[i])
    return np.array(tips)
