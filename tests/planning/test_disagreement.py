"""When the learned risk and the simulation are said to contradict each other."""

import pytest

from vertseg.labels import LEAK_OUTCOMES
from vertseg.planning.disagreement import disagreements
from vertseg.planning.mechanistic import MechanisticRun, share_of
from vertseg.planning.risk import LeakRisk, Risk, Withheld


def _risk(any_: Risk, withheld: Withheld | None = None) -> LeakRisk:
    same = {name: Risk(0.0) for name in LEAK_OUTCOMES}
    return LeakRisk(4.0, "low", "unipedicular", {**same, "any": any_}, 0.9, withheld, 1.0, 1.5, None)


def _run(leaked: int, n: int = 8) -> MechanisticRun:
    shares = {**{name: share_of(0, n) for name in LEAK_OUTCOMES}, "any": share_of(leaked, n)}
    return MechanisticRun(4.0, "low", "unipedicular", tuple(range(n)), shares, (), {}, None, (), 1.5, 1.0)


@pytest.mark.parametrize(
    ("risk", "leaked", "higher"),
    [
        (Risk(0.05), 8, "simulated"),  # far beyond what eight runs leave open
        (Risk(0.95), 0, "learned"),
        (Risk(0.45), 4, None),  # alike
        (Risk(0.30), 0, "learned"),  # 0 of 8 ends at 0.26
        (Risk(0.24), 0, None),  # within it
        (Risk(0.30, 0.20, 0.40), 0, None),  # the learned risk's own interval reaches it
        (Risk(0.05, 0.01, 0.10), 2, None),  # eight runs tell 2 of 8 roughly
    ],
)
def test_the_rule(risk: Risk, leaked: int, higher: str | None) -> None:
    found = disagreements(_risk(risk), _run(leaked))
    assert [(d.outcome, d.higher) for d in found] == ([] if higher is None else [("any", higher)])


def test_many_runs_do_not_make_a_trifle_a_disagreement() -> None:
    """0.10 against 0.30 is beyond chance in 800 runs and still less than a quarter apart."""
    assert disagreements(_risk(Risk(0.10)), _run(240, 800)) == ()
    assert len(disagreements(_risk(Risk(0.04)), _run(240, 800))) == 1


def test_a_withheld_risk_contradicts_nothing() -> None:
    assert disagreements(_risk(Risk(0.05), "odd"), _run(8)) == ()
