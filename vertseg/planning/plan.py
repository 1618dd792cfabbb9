"""Everything that is planned for the vertebrae of one prediction, in one value for each."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from vertseg.errors import ConfigError
from vertseg.inference.engines import Engine
from vertseg.inference.engines.threads import cpu_threads
from vertseg.inference.findings import Findings
from vertseg.inference.leak_model import LeakModel, load_leak_model
from vertseg.inference.options import Plan, PredictOptions
from vertseg.labels import Approach
from vertseg.planning.cannula_check import CannulaCheck, check_cannulas
from vertseg.planning.cannula_metal import METAL_HU
from vertseg.planning.cement_spread import CementSpread, cement_spread
from vertseg.planning.cement_volume import CementVolume, cement_volume
from vertseg.planning.corridor import Corridor, plan_corridors
from vertseg.planning.indications import INDICATIONS
from vertseg.planning.leak import LeakOptions, LeakSource, VertebraLeaks, vertebra_leaks
from vertseg.planning.sins import Pain
from vertseg.planning.upright import UprightVertebra, upright_vertebra
from vertseg.planning.vertebra_measures import VertebraMeasures, measure_vertebrae
from vertseg.volume import Volume


@dataclass(frozen=True)
class PlanOptions:
    """What is planned for, and how much is computed.

    Attributes:
        injection: that the leak risk is asked for; None in it is unknown.
        indication: stated by the user, of `indications.INDICATIONS`; None for none.
        pain: by VerSe number, for SINS; a missing level is unknown.
        levels: VerSe numbers to plan; None takes all. The others still serve as neighbours.
        seeds: of the simulated injections, about 0.3 s each; () for none.
        drivers: whether findings are painted over to see what drives the risk, which runs the network once more.

    Raises:
        ConfigError: the indication is not known.
    """

    injection: Plan = field(default_factory=Plan)
    indication: str | None = None
    pain: Mapping[int, Pain] = field(default_factory=dict)
    levels: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = ()
    drivers: bool = False

    def __post_init__(self) -> None:
        if self.indication is not None and self.indication not in INDICATIONS:
            raise ConfigError(
                f"'{self.indication}' is no indication that is known here; it is one of {', '.join(INDICATIONS)}."
            )


@dataclass(frozen=True, eq=False)
class VertebraPlan:
    """What is measured and planned for one vertebra.

    Attributes:
        level: VerSe number.
        upright: the vertebra in its own frame, for pictures.
        measures: collapse, alignment, lesion, density, posterior wall, canal, SINS.
        leaks: leak risk, what-ifs and simulated injections.
        cement: volumes, and the suggested range; None without a body.
        corridors: the safest first.
        spread: cement that is there, and where; None without any.
        cannulas: that are in or next to it.
    """

    level: int
    upright: UprightVertebra
    measures: VertebraMeasures
    leaks: VertebraLeaks
    cement: CementVolume | None
    corridors: tuple[Corridor, ...]
    spread: CementSpread | None
    cannulas: tuple[CannulaCheck, ...] = ()


def plan_scan(
    findings: Findings,
    scan: Volume,
    options: PlanOptions | None = None,
    model: LeakModel | None = None,
    engine: Engine | None = None,
) -> tuple[VertebraPlan, ...]:
    """Plans of the vertebrae of a scan, from head to foot.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        options: what is planned for; None takes the defaults.
        model: leak head of the checkpoint that made the findings; None takes the default checkpoint's.
        engine: that made the findings, for the drivers of the risk.

    Raises:
        CheckpointError: the default leak head cannot be read.
    """
    options = options or PlanOptions()
    source = LeakSource(findings, scan, model or load_leak_model(), engine)
    # Most of the work of these is outside Python's lock.
    with ThreadPoolExecutor(cpu_threads(None)) as pool:
        uprights = tuple(
            pool.map(lambda i: upright_vertebra(findings, scan, i), range(len(findings.vertebrae)))
        )
        chosen = [u for u in uprights if options.levels is None or u.level in options.levels]
        ways = list(pool.map(lambda upright: _ways(source, upright, options), chosen))
    measured = measure_vertebrae(uprights, options.pain, options.levels)
    spreads = cement_spread(findings, scan) if findings.cement.array.any() else {}
    plans = tuple(
        _plan(source, upright, options, (measures, spreads.get(upright.level), corridors))
        for upright, measures, corridors in zip(chosen, measured, ways, strict=True)
    )
    return _with_cannulas(plans, scan)


def planned(
    findings: Findings, scan: Volume, options: PredictOptions, model: LeakModel | None = None
) -> tuple[VertebraPlan, ...]:
    """Plans of all vertebrae of a prediction, without what takes long; `findings.seconds` gets a "plan".

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        options: that the findings were made with.
        model: leak head of the checkpoint that made the findings; None reads that of the options.

    Raises:
        CheckpointError: the checkpoint's leak head cannot be read.
    """
    start = time.perf_counter()
    model = model or load_leak_model(options.checkpoint_dir)
    plans = plan_scan(findings, scan, PlanOptions(options.plan), model)
    findings.seconds["plan"] = time.perf_counter() - start
    return plans


def _plan(
    source: LeakSource,
    upright: UprightVertebra,
    options: PlanOptions,
    known: tuple[VertebraMeasures, CementSpread | None, tuple[Corridor, ...]],
) -> VertebraPlan:
    """Plan of one vertebra of which measures, cement and corridors are known."""
    index = next(i for i, v in enumerate(source.findings.vertebrae) if v.level == upright.level)
    asked = LeakOptions(
        plan=options.injection, indication=options.indication, seeds=options.seeds, drivers=options.drivers
    )
    measures, spread, corridors = known
    return VertebraPlan(
        level=upright.level,
        upright=upright,
        measures=measures,
        leaks=vertebra_leaks(source, upright, index, asked),
        cement=cement_volume(upright),
        corridors=corridors,
        spread=spread,
    )


def _ways(source: LeakSource, upright: UprightVertebra, options: PlanOptions) -> tuple[Corridor, ...]:
    cut = next(v.cut_by_field for v in source.findings.vertebrae if v.level == upright.level)
    approach: Approach = "bipedicular" if options.injection.approach == "bipedicular" else "unipedicular"
    return plan_corridors(upright, source.scan, cut, approach=approach)


def _with_cannulas(plans: Sequence[VertebraPlan], scan: Volume) -> tuple[VertebraPlan, ...]:
    """Plans with the cannulas that the scan shows; a scan without metal is not searched."""
    if not plans or not max(float(p.upright.hu.max()) for p in plans) > METAL_HU:
        return tuple(plans)
    ways = [corridor for plan in plans for corridor in plan.corridors if corridor.feasible]
    found = check_cannulas(scan, [plan.upright for plan in plans], ways)
    return tuple(
        replace(plan, cannulas=tuple(c for c in found if c.place.level == plan.level)) for plan in plans
    )
