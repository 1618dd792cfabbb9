"""The leak risk of one vertebra under a plan: by route and any, with an interval, and withheld where it means nothing."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vertseg.inference.findings import VertebraFindings
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.leak_risk import confidence_of
from vertseg.inference.options import Plan
from vertseg.labels import LEAK_OUTCOMES

Array = NDArray[np.float64]

Withheld = Literal["not_calibrated", "odd", "toss_up"]
"""Why a risk is withheld: the checkpoint has no calibration; the scan is unlike what the head was fitted to; leak and
no leak are about equally likely."""

INTERVAL: Final = "calibration_bootstrap"
"""How an interval is got: 95 % of the risks under calibrations refitted to bootstrap samples of the calibration
vertebrae (phantoms). It holds the calibration's uncertainty; neither that of the head's own training, nor that phantoms
are not patients."""


@dataclass(frozen=True)
class Risk:
    """Probability of one outcome and its 95 % interval, None where the checkpoint stores no calibration draws."""

    probability: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LeakRisk:
    """Leak risk of one vertebra under one plan, by the learned head.

    Attributes:
        volume_ml: of the plan; None is unknown, as in the next two.
        viscosity: one of `labels.VISCOSITIES`.
        approach: one of `labels.APPROACHES`.
        risks: outcome of `labels.LEAK_OUTCOMES` (routes and "any") -> risk.
        confidence: that "any leak" or "no leak", whichever is likelier, comes true; 0.5 to 1.
        withheld: why the risks should not be used; None where they may be.
        oddness: how unlike the training crops this vertebra is, usually near 1 (`LeakHead.oddness`).
        oddness_limit: from which on risks are withheld; None without a calibration.
        interval: `INTERVAL`, or None where there are no intervals.
    """

    volume_ml: float | None
    viscosity: str | None
    approach: str | None
    risks: dict[str, Risk]
    confidence: float
    withheld: Withheld | None
    oddness: float
    oddness_limit: float | None
    interval: str | None

    @property
    def abstained(self) -> bool:
        """Whether the risks should not be used."""
        return self.withheld is not None


def leak_risk_of(vertebra: VertebraFindings, plan: Plan, model: LeakModel) -> LeakRisk | None:
    """Risk of a vertebra under any plan, without running the network again.

    Args:
        vertebra: of a prediction made with the same checkpoint as `model`.
        plan: None in it is unknown.
        model: `leak_model.load_leak_model`.

    Returns:
        None where the prediction kept no leak features (a graph exported before they were an output).
    """
    if vertebra.leak_features is None:
        return None
    return risk_of_features(vertebra.leak_features, plan, model)


def risk_of_features(features: ArrayLike, plan: Plan, model: LeakModel) -> LeakRisk:
    """Risk under a plan from leak features (D,)."""
    rows = np.asarray(features, np.float64)[None]
    numbers = np.array([plan.numbers()])
    probability = model.risks(rows, numbers)[0]
    bounds = model.interval(rows, numbers)
    oddness = float(model.oddness(rows)[0])
    confidence = float(confidence_of(probability[-1]))
    risks = {
        name: Risk(
            float(probability[i]),
            None if bounds is None else float(bounds[0][0, i]),
            None if bounds is None else float(bounds[1][0, i]),
        )
        for i, name in enumerate(LEAK_OUTCOMES)
    }
    return LeakRisk(
        volume_ml=plan.volume_ml,
        viscosity=plan.viscosity,
        approach=plan.approach,
        risks=risks,
        confidence=confidence,
        withheld=_withheld(model, oddness, confidence),
        oddness=oddness,
        oddness_limit=None if model.rule is None else model.rule.oddness_limit,
        interval=None if bounds is None else INTERVAL,
    )


def _withheld(model: LeakModel, oddness: float, confidence: float) -> Withheld | None:
    if model.rule is None:
        return "not_calibrated"
    # A NaN compares false with everything, so the crop has to show that it is usual.
    if not oddness <= model.rule.oddness_limit:
        return "odd"
    return "toss_up" if confidence < model.rule.least_confidence else None
