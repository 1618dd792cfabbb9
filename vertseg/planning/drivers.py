"""Which findings drive a vertebra's leak risk: each is taken out of the image, and the risk is asked for again."""

from dataclasses import dataclass
from typing import Final, Literal

from vertseg.inference.engines import Engine
from vertseg.inference.findings import Findings
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.options import Plan
from vertseg.volume import Volume

Ablated = Literal["posterior_wall_defect", "lytic_lesion", "cleft", "sclerotic_lesion"]
ABLATED: Final[tuple[Ablated, ...]] = ("posterior_wall_defect", "lytic_lesion", "cleft", "sclerotic_lesion")
"""Findings that can be painted over with healthy bone, in the order of a report."""


@dataclass(frozen=True)
class Driver:
    """What one finding adds to the risk.

    Attributes:
        finding: of `ABLATED`.
        volume_ml: how much of the image was painted over.
        risk: outcome of `labels.LEAK_OUTCOMES` -> risk of the scan as it is, from the same crop.
        without: the same with the finding painted over.
        difference: risk - without; positive where the finding raises the risk, negative where it relieves a route.
        removed: share of the finding's mask that the network no longer sees in the painted crop, 0 to 1; near 0 the
            painting did not take and the difference says little. None for a cleft, which has no mask of its own.
    """

    finding: Ablated
    volume_ml: float
    risk: dict[str, float]
    without: dict[str, float]
    difference: dict[str, float]
    removed: float | None


@dataclass(frozen=True)
class Drivers:
    """Drivers of one vertebra, the strongest on "any" first; empty where it has none of the findings.

    Attributes:
        drivers: one for each finding that it has.
        mismatch: largest distance over outcomes between the risk of the unpainted crop here and the prediction's own;
            the marker is the finished mask here and the located one there.
    """

    drivers: tuple[Driver, ...]
    mismatch: float


def leak_drivers(
    findings: Findings, scan: Volume, index: int, plan: Plan, engine: Engine, model: LeakModel
) -> Drivers | None:
    """What drives the leak risk of `findings.vertebrae[index]`; one batched run of the examine network.

    Args:
        findings: of the scan.
        scan: HU of the same scan, any orientation.
        index: position in `findings.vertebrae`.
        plan: for which the risk is asked.
        engine: that made the findings.
        model: leak head of the same checkpoint.

    Returns:
        None where the engine's graph gives no leak features.
    """
    raise NotImplementedError
