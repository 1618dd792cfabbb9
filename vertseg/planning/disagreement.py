"""Where the learned leak risk and the simulated injection contradict each other."""

from dataclasses import dataclass
from typing import Final, Literal

from vertseg.labels import LEAK_OUTCOMES
from vertseg.planning.mechanistic import MechanisticRun
from vertseg.planning.risk import LeakRisk

LEAST_DIFFERENCE: Final = 0.25
"""Smaller differences of two probabilities are not called a disagreement."""


@dataclass(frozen=True)
class Disagreement:
    """One outcome on which the two differ.

    Attributes:
        outcome: of `labels.LEAK_OUTCOMES`.
        learned: probability of the learned head.
        simulated: share of the simulated runs.
        higher: which of the two is higher.
    """

    outcome: str
    learned: float
    simulated: float
    higher: Literal["learned", "simulated"]


def disagreements(risk: LeakRisk, run: MechanisticRun) -> tuple[Disagreement, ...]:
    """Outcomes on which learned risk and simulated share differ by more than chance and enough to matter.

    That is: they are at least `LEAST_DIFFERENCE` apart, and the 95 % interval of the one (the risk itself where it has
    none) and the 95 % interval of the other do not touch. Both must be of one plan. Nothing is said where the learned
    risk is withheld: there is no second opinion to contradict.
    """
    if risk.abstained:
        return ()
    found = []
    for outcome in LEAK_OUTCOMES:
        learned, simulated = risk.risks[outcome], run.shares[outcome]
        low = learned.probability if learned.low is None else learned.low
        high = learned.probability if learned.high is None else learned.high
        apart = high < simulated.low or low > simulated.high
        if apart and abs(learned.probability - simulated.share) >= LEAST_DIFFERENCE:
            higher: Literal["learned", "simulated"] = (
                "learned" if learned.probability > simulated.share else "simulated"
            )
            found.append(Disagreement(outcome, learned.probability, simulated.share, higher))
    return tuple(found)
