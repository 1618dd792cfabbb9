"""All that is said about the leaks of one vertebra, in one value."""

from dataclasses import dataclass, field
from typing import Final

from vertseg.inference.engines import Engine
from vertseg.inference.findings import Findings
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.options import Plan
from vertseg.planning.disagreement import Disagreement, disagreements
from vertseg.planning.drivers import Drivers, leak_drivers
from vertseg.planning.indications import IndicationNote, indication_note
from vertseg.planning.mechanistic import SEEDS, SPACING_MM, Mechanistic, mechanistic
from vertseg.planning.risk import LeakRisk
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.whatif import WhatIf, what_if
from vertseg.volume import Volume

USUAL_PLAN: Final = Plan(4.0, "medium", "unipedicular")
"""What a simulated injection takes where the plan is silent."""


@dataclass(frozen=True)
class LeakOptions:
    """How much is computed.

    Attributes:
        plan: of the injection; what is None in it is unknown.
        indication: stated by the user, of `indications.INDICATIONS`; None for none.
        seeds: of the simulated injections, about 0.3 s each; () for none.
        spacing_mm: edge of their voxels.
        drivers: whether findings are painted over, which costs one more run of the network.
    """

    plan: Plan = field(default_factory=Plan)
    indication: str | None = None
    seeds: tuple[int, ...] = SEEDS
    spacing_mm: float = SPACING_MM
    drivers: bool = False


@dataclass(frozen=True)
class VertebraLeaks:
    """The leaks of one vertebra.

    Attributes:
        risk: by the learned head; None where the prediction kept no leak features.
        what_if: over plans; None likewise.
        mechanistic: simulated injections, or why there are none; None where they were not asked for.
        disagreements: between the two, under the plan that was simulated.
        drivers: which findings drive the risk; None where it was not asked for or cannot be told.
        indication: what is published of the stated one; None without one.
    """

    risk: LeakRisk | None
    what_if: WhatIf | None
    mechanistic: Mechanistic | None
    disagreements: tuple[Disagreement, ...]
    drivers: Drivers | None
    indication: IndicationNote | None


@dataclass(frozen=True, eq=False)
class LeakSource:
    """What the leaks are told from.

    Attributes:
        findings: of a scan.
        scan: its HU, any orientation.
        model: leak head of the checkpoint that made the findings.
        engine: that made them; None where no drivers are asked for.
    """

    findings: Findings
    scan: Volume
    model: LeakModel
    engine: Engine | None = None


def vertebra_leaks(
    source: LeakSource, upright: UprightVertebra, index: int, options: LeakOptions
) -> VertebraLeaks:
    """Leak risk, what-ifs, simulated injections, drivers and the indication's note of one vertebra.

    Args:
        source: the prediction and its scan.
        upright: `upright_vertebra(source.findings, source.scan, index)`.
        index: position in `source.findings.vertebrae`.
        options: how much is computed.
    """
    vertebra = source.findings.vertebrae[index]
    curves = what_if(vertebra, options.plan, source.model)
    risk = None if curves is None else curves.planned
    simulated = (
        mechanistic(upright, options.plan, options.seeds, options.spacing_mm) if options.seeds else None
    )
    run = None if simulated is None else simulated.run
    drivers = None
    if options.drivers and source.engine is not None:
        drivers = leak_drivers(source.findings, source.scan, index, options.plan, source.engine, source.model)
    return VertebraLeaks(
        risk=risk,
        what_if=curves,
        mechanistic=simulated,
        disagreements=() if risk is None or run is None else disagreements(risk, run),
        drivers=drivers,
        indication=None if options.indication is None else indication_note(options.indication),
    )
