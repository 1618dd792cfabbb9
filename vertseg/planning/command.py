"""`vertseg plan`: one vertebra of a scan, planned in full, with its page."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from vertseg.cli import add_report_arguments
from vertseg.errors import ConfigError, InputError
from vertseg.inference.engines import open_engine
from vertseg.inference.findings import Findings
from vertseg.inference.leak_model import load_leak_model
from vertseg.inference.options import Plan, PredictOptions
from vertseg.inference.pipeline import predict
from vertseg.io import read_scan
from vertseg.labels import (
    APPROACHES,
    COLUMN_ORDER,
    VERTEBRA_LEVELS,
    VISCOSITIES,
    column_position,
    level_number,
)
from vertseg.planning.indications import INDICATIONS
from vertseg.planning.mechanistic import SEEDS
from vertseg.planning.plan import PlanOptions, VertebraPlan, plan_scan
from vertseg.report.page_data import PageOptions
from vertseg.report.writer import check_output, write_outputs

PAINS: Final = ("mechanical", "occasional", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg plan`."""
    parser.add_argument("scan", type=Path, metavar="SCAN", help="NIfTI file, DICOM folder, file or zip")
    parser.add_argument("--level", required=True, metavar="L1", help="the vertebra to treat")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--volume", type=float, metavar="ML", help="planned cement")
    parser.add_argument("--viscosity", choices=VISCOSITIES, help="of the cement")
    parser.add_argument("--approach", choices=APPROACHES, help="one cannula or two")
    parser.add_argument(
        "--indication", choices=INDICATIONS,
        help="what is known of leaks under it is quoted; it is never guessed from the image",
    )  # fmt: skip
    parser.add_argument("--pain", choices=PAINS, help="for the instability score (SINS)")
    parser.add_argument(
        "--runs", type=int, default=len(SEEDS), metavar="N",
        help="simulated injections, 0 for none; they need torch",
    )  # fmt: skip
    parser.add_argument("--series", metavar="UID", help="DICOM series, where a folder holds several")
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="folder with other weights")
    parser.add_argument("--engine", metavar="E", default="auto", help="as for predict")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    parser.add_argument("--quiet", action="store_true", help="print nothing but warnings")
    add_report_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict the vertebra and its neighbours, plan it and write the results; 0.

    Raises:
        VertsegError: an option, the scan or a checkpoint cannot be used, or the vertebra is not in the scan.
    """
    level = level_number(arguments.level)
    options = plan_options(arguments, level)
    check_output(arguments.output)
    start = time.perf_counter()
    scan = read_scan(arguments.scan, arguments.series, as_stored=True)
    engine = open_engine(arguments.engine, arguments.checkpoint_dir, arguments.device, arguments.threads)
    asked = PredictOptions(levels=with_neighbours(level), plan=options.injection)
    findings = predict(scan, options=asked, engine=engine)
    if level not in {v.level for v in findings.vertebrae}:
        seen = ", ".join(v.name for v in findings.vertebrae) or "no vertebra next to it"
        raise InputError(
            f"{arguments.level} was not found in '{arguments.scan}'; of it and its neighbours it shows {seen}."
        )
    planning = time.perf_counter()
    plans = plan_scan(findings, scan.volume, options, load_leak_model(arguments.checkpoint_dir), engine)
    findings.seconds["plan"] = time.perf_counter() - planning
    only = one_vertebra(findings, level)
    page = None if arguments.report is False else PageOptions(arguments.language, arguments.show_patient)
    write_outputs(only, scan.volume, arguments.output, plans, page)
    for warning in only.warnings:
        print(f"vertseg: warning: {warning}", file=sys.stderr)
    if not arguments.quiet:
        print(*sentences(plans[0]), sep="\n")
        print(arguments.output / ("preview.png" if page is None else "report.html"))
        print(f"{time.perf_counter() - start:.1f} s")
    return 0


def plan_options(arguments: argparse.Namespace, level: int) -> PlanOptions:
    """What the options ask for.

    Raises:
        ConfigError: a value that is not possible.
    """
    if level not in VERTEBRA_LEVELS:
        raise ConfigError(f"{arguments.level} is no vertebra that cement is injected into.")
    if not 0 <= arguments.runs <= 64:
        raise ConfigError(f"--runs must be 0 to 64, not {arguments.runs}.")
    return PlanOptions(
        injection=Plan(arguments.volume, arguments.viscosity, arguments.approach),
        indication=arguments.indication,
        pain={} if arguments.pain is None else {level: arguments.pain},
        levels=(level,),
        seeds=tuple(range(arguments.runs)),
        drivers=True,
    )


def with_neighbours(level: int) -> tuple[int, ...]:
    """A level and those that can lie next to it, transitional ones passed over: what it is measured against."""
    at = column_position(level)
    return COLUMN_ORDER[max(0, at - 2) : at + 3]


def one_vertebra(findings: Findings, level: int) -> Findings:
    """The findings with the row of one vertebra; the masks of its neighbours stay."""
    vertebrae = tuple(v for v in findings.vertebrae if v.level == level)
    warnings = tuple(w for w in findings.warnings if "not found in this scan" not in w)
    return replace(findings, vertebrae=vertebrae, warnings=warnings)


def sentences(plan: VertebraPlan) -> list[str]:
    """A plan for the screen, in a few lines."""
    m, said = plan.measures, []
    if m.collapse.genant_grade is not None:
        loss = m.collapse.loss_percent
        said.append(
            f"{m.name}: Genant grade {m.collapse.genant_grade}, height loss {0.0 if loss is None else loss:.0f} %"
        )
    risk = plan.leaks.risk
    if risk is not None:
        any_risk = risk.risks["any"]
        withheld = f" (withheld: {risk.withheld})" if risk.withheld else ""
        said.append(f"leak by any route {100 * any_risk.probability:.0f} %{withheld}")
    if plan.cement is not None and plan.cement.suggested_ml is not None:
        low, high = plan.cement.suggested_ml
        said.append(f"suggested cement {low:.1f} to {high:.1f} ml")
    best = next((c for c in plan.corridors if c.feasible), None)
    said.append("no feasible corridor" if best is None else f"{best.kind} from the {best.side}, {best.gauge}")
    return said
