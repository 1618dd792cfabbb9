"""What if more cement, or thicker: the leak risk over volume for each viscosity and approach."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from vertseg.inference.findings import VertebraFindings
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.options import Plan
from vertseg.labels import APPROACHES, LEAK_OUTCOMES, VISCOSITIES
from vertseg.planning.risk import INTERVAL, LeakRisk, risk_of_features

VOLUMES_ML: Final = tuple(float(v) for v in np.arange(1.0, 8.01, 0.5))
"""The volumes that the head was fitted to (`phantom.leak.VOLUME_ML`)."""


@dataclass(frozen=True)
class WhatIfCurve:
    """Risks over `WhatIf.volumes_ml` for one viscosity and approach.

    Attributes:
        viscosity: one of `labels.VISCOSITIES`.
        approach: one of `labels.APPROACHES`.
        risk: outcome of `labels.LEAK_OUTCOMES` -> probability at each volume.
        low: lower ends of the 95 % intervals; None where the checkpoint stores no calibration draws.
        high: upper ends.
    """

    viscosity: str
    approach: str
    risk: dict[str, tuple[float, ...]]
    low: dict[str, tuple[float, ...]] | None
    high: dict[str, tuple[float, ...]] | None


@dataclass(frozen=True)
class WhatIf:
    """Leak risk of one vertebra over plans.

    Along a curve no risk falls, and none rises from one viscosity to the next higher one: both hold by construction.

    Attributes:
        volumes_ml: of every curve.
        curves: viscosity by viscosity of `labels.VISCOSITIES`, each with both of `labels.APPROACHES`.
        planned: the plan's own point.
        interval: `risk.INTERVAL`, or None where there are no intervals.
    """

    volumes_ml: tuple[float, ...]
    curves: tuple[WhatIfCurve, ...]
    planned: LeakRisk
    interval: str | None


def what_if(vertebra: VertebraFindings, plan: Plan, model: LeakModel) -> WhatIf | None:
    """Risk over volume, viscosity and approach, without running the network again.

    Args:
        vertebra: of a prediction made with the same checkpoint as `model`.
        plan: what is meant to be done; its own point is given beside the curves.
        model: `leak_model.load_leak_model`.

    Returns:
        None where the prediction kept no leak features.
    """
    if vertebra.leak_features is None:
        return None
    features = np.asarray(vertebra.leak_features, np.float64)
    combinations = [(v, a) for v in VISCOSITIES for a in APPROACHES]
    plans = np.array([Plan(ml, v, a).numbers() for v, a in combinations for ml in VOLUMES_ML])
    rows = np.broadcast_to(features, (len(plans), len(features)))
    shape = len(combinations), len(VOLUMES_ML), len(LEAK_OUTCOMES)
    risks = model.risks(rows, plans).reshape(shape)
    bounds = model.interval(rows, plans)
    low, high = (None, None) if bounds is None else (b.reshape(shape) for b in bounds)
    curves = tuple(
        WhatIfCurve(
            viscosity,
            approach,
            _by_outcome(risks[i]),
            None if low is None else _by_outcome(low[i]),
            None if high is None else _by_outcome(high[i]),
        )
        for i, (viscosity, approach) in enumerate(combinations)
    )
    planned = risk_of_features(features, plan, model)
    return WhatIf(VOLUMES_ML, curves, planned, None if bounds is None else INTERVAL)


def _by_outcome(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, tuple[float, ...]]:
    """Columns (V, 5) by name of the outcome."""
    return {name: tuple(values[:, i].tolist()) for i, name in enumerate(LEAK_OUTCOMES)}
