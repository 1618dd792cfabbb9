"""Drawn injections into drawn vertebrae, and where they leak by the simulator of `vertseg.cement`."""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vertseg.cement.injection import Injection, inject
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.site import InjectionSite
from vertseg.labels import APPROACHES, LEAK_ROUTES, VISCOSITIES
from vertseg.phantom.types import VertebraShape

VOLUME_ML: Final = (1.0, 8.0)
"""Range of drawn volumes: wider than practice, so that a plan's whole range is learned."""

_SIDE: Final[tuple[Literal["left", "right"], ...]] = ("left", "right")


def draw_plan(rng: np.random.Generator) -> InjectionPlan:
    """A plan with volume, viscosity, approach and side drawn evenly."""
    return InjectionPlan(
        float(rng.uniform(*VOLUME_ML)),
        VISCOSITIES[int(rng.integers(len(VISCOSITIES)))],
        APPROACHES[int(rng.integers(len(APPROACHES)))],
        _SIDE[int(rng.integers(len(_SIDE)))],
    )


def plan_array(plan: InjectionPlan) -> npt.NDArray[np.float32]:
    """(3,) volume in ml, index of `labels.VISCOSITIES`, index of `labels.APPROACHES`: the leak head's input."""
    indices = VISCOSITIES.index(plan.viscosity), APPROACHES.index(plan.approach)
    return np.array([plan.volume_ml, *indices], np.float32)


def injected(
    shape: VertebraShape, site: Callable[[], InjectionSite], plan: InjectionPlan, seed: int
) -> Injection | None:
    """What a plan does to one vertebra; None where it holds cement already.

    Args:
        shape: the vertebra.
        site: makes its site, drawn or from a label map; only called where something is injected.
        plan: the injection.
        seed: draws what no scan shows: veins, the operator's error, the batch of cement.

    Raises:
        InputError: the vertebra has no body (the atlas).
    """
    if shape.cement is not None:
        return None
    return inject([site()], [plan], [seed])[0]


def leak_array(injection: Injection | None) -> npt.NDArray[np.float32]:
    """(4,) 0 or 1 by `labels.LEAK_ROUTES`; NaN where nothing was injected."""
    if injection is None:
        return np.full(len(LEAK_ROUTES), np.nan, np.float32)
    leaks = injection.leaks
    return np.array([leaks[route] for route in LEAK_ROUTES], np.float32)
