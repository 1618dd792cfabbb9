"""`vertseg followup`: where the cement of a scan went, beside the risk foreseen on the scan before."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from vertseg.cli import parse_levels
from vertseg.errors import ConfigError, InputError
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.findings import Vertebra
from vertseg.inference.options import Plan, PredictOptions
from vertseg.labels import LEAK_OUTCOMES, LEAK_ROUTES, level_name, level_number
from vertseg.planning.followup import FollowUp, TreatedVertebra, follow_up
from vertseg.planning.followup_files import write_follow_up
from vertseg.planning.followup_scans import ExaminedScan, examined_scan
from vertseg.planning.followup_table import Row, add_outcomes, check_table, outcome_row
from vertseg.report.writer import check_output

SCREEN_COLUMNS: Final = (
    "level", "cement ml", "filled %", "outside ml", "by route", "canal %", "risk %", "leak",
)  # fmt: skip
MEASURED: Final = "measured"
"""A volume given by this word is that of all cement found."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg followup`."""
    parser.add_argument(
        "scans", nargs="+", type=Path, metavar="SCAN",
        help="[PRE] POST: the scan before (may be left out) and the one after the injection; a NIfTI file, a DICOM "
        "folder, file or zip, or the folder of a prediction",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--levels", metavar="L1,L2", help="these were treated; else all that hold cement")
    parser.add_argument(
        "--volume", metavar="ML",
        help="injected cement in ml; for several vertebrae like L1=4,L3=2.5; 'measured' takes what is found",
    )  # fmt: skip
    parser.add_argument("--viscosity", metavar="V", help="low, medium or high")
    parser.add_argument("--approach", metavar="A", help="unipedicular or bipedicular")
    parser.add_argument(
        "--leak-table", type=Path, metavar="CSV", help="table to which the outcomes are added"
    )
    parser.add_argument(
        "--case", metavar="NAME", help="the scan before, as cases.csv of the labelled set names it"
    )
    parser.add_argument("--replace", action="store_true", help="write rows of the same vertebrae anew")
    parser.add_argument(
        "--series", metavar="UID", help="DICOM series of POST, where its folder holds several"
    )
    parser.add_argument("--series-before", metavar="UID", help="the same of PRE")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--engine", metavar="E", default="auto", help="as for vertseg predict")
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="folder with other weights")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    parser.add_argument("--quiet", action="store_true", help="no table")


def run(arguments: argparse.Namespace) -> int:
    """Follow up; 0.

    Raises:
        VertsegError: a scan, option, table or folder cannot be used; nothing is written then.
    """
    if len(arguments.scans) > 2:
        raise ConfigError(
            f"vertseg followup takes one or two scans, PRE and POST, not {len(arguments.scans)}."
        )
    levels, volumes = parse_levels(arguments.levels), parse_volumes(arguments.volume)
    plan = Plan(None, arguments.viscosity, arguments.approach)
    _check(arguments, levels)

    @cache
    def engine() -> Engine:
        return open_engine(arguments.engine, arguments.checkpoint_dir, arguments.device, arguments.threads)

    options = PredictOptions(
        device=arguments.device, engine=arguments.engine, checkpoint_dir=arguments.checkpoint_dir,
        threads=arguments.threads, plan=plan,
    )  # fmt: skip
    *before, after = arguments.scans
    post = examined_scan(after, engine, replace(options, series=arguments.series))
    alone = follow_up(post, None, levels)
    ml = injected_ml(volumes, alone.vertebrae)
    found = alone
    if before:
        planned = replace(options, series=arguments.series_before, plan_of=_planned(plan, ml))
        pre = examined_scan(before[0], engine, planned)
        _differ(pre, post)
        found = follow_up(post, pre, levels)
    rows = _rows(arguments, found, ml)
    for row in rows:
        check_table(arguments.leak_table, arguments.case, arguments.replace, (level_number(row["level"]),))
    write_follow_up(found, arguments.output)
    if arguments.leak_table is not None:
        add_outcomes(arguments.leak_table, rows, arguments.replace)
    _tell(found, rows, arguments)
    return 0


def parse_volumes(text: str | None) -> dict[int, float] | float | str | None:
    """Injected volumes in ml: one number for the only treated vertebra, by level number, `MEASURED`, or None.

    Raises:
        ConfigError: it is none of these, or a volume is not possible.
    """
    if text is None or text == MEASURED:
        return text
    try:
        if "=" not in text:
            volume = float(text)
            Plan(volume)
            return volume
        pairs = [part.split("=") for part in text.split(",") if part.strip()]
        volumes = {level_number(name): float(ml) for name, ml in pairs}
    except ValueError:
        raise ConfigError(
            f"--volume '{text}' is not understood; write it like 4, or L1=4,L3=2.5, or {MEASURED}."
        ) from None
    for ml in volumes.values():
        Plan(ml)
    return volumes


def injected_ml(
    volumes: dict[int, float] | float | str | None, vertebrae: tuple[TreatedVertebra, ...]
) -> dict[int, float]:
    """Injected volume by level number, of those vertebrae of which it is known.

    Raises:
        ConfigError: one number is given for several vertebrae, or a volume for one without cement.
    """
    if volumes is None:
        return {}
    if volumes == MEASURED:
        return {v.level: min(20.0, round(v.cement.cement_ml, 2)) for v in vertebrae}
    names = ", ".join(v.name for v in vertebrae) or "none"
    if isinstance(volumes, float):
        if len(vertebrae) != 1:
            raise ConfigError(
                f"--volume {volumes:g} is of one vertebra, but cement was found in: {names}; write it like "
                f"L1=4,L3=2.5, name the treated one with --levels, or take --volume {MEASURED}."
            )
        return {vertebrae[0].level: volumes}
    absent = [level_name(n) for n in volumes if isinstance(n, int) and n not in {v.level for v in vertebrae}]
    if absent:
        raise ConfigError(
            f"--volume names {', '.join(absent)}, where no cement was found; it was found in: {names}."
        )
    return volumes if isinstance(volumes, dict) else {}


def _check(arguments: argparse.Namespace, levels: tuple[int, ...] | None) -> None:
    if (arguments.leak_table is None) != (arguments.case is None):
        raise ConfigError(
            "--leak-table and --case belong together: the table, and the name of its rows' case."
        )
    if arguments.threads is not None and arguments.threads < 1:
        raise ConfigError(f"--threads must be at least 1, not {arguments.threads}.")
    for scan in arguments.scans:
        if not scan.exists():
            raise InputError(f"'{scan}' does not exist; check the path.")
    check_output(arguments.output)
    if arguments.leak_table is not None:
        check_output(arguments.leak_table.parent)
        check_table(arguments.leak_table, arguments.case, arguments.replace, levels)
    if len(arguments.scans) == 2:
        import SimpleITK  # noqa: F401  (says that the extra is missing before minutes of work)


def _planned(plan: Plan, ml: dict[int, float]) -> Callable[[Vertebra], Plan]:
    def plan_of(vertebra: Vertebra) -> Plan:
        return replace(plan, volume_ml=ml.get(vertebra.level))

    return plan_of


def _differ(pre: ExaminedScan, post: ExaminedScan) -> None:
    if pre.scan.sha256 == post.scan.sha256:
        raise InputError(
            "Both scans are the same one; give the scan before the injection and the one after it."
        )


def _rows(arguments: argparse.Namespace, found: FollowUp, ml: dict[int, float]) -> list[Row]:
    if arguments.leak_table is None:
        return []
    known = {"viscosity": arguments.viscosity, "approach": arguments.approach}
    rows = []
    for v in found.vertebrae:
        if v.newly_treated:
            plan = {**known, "volume_ml": f"{ml[v.level]:g}" if v.level in ml else None}
            rows.append(outcome_row(arguments.case, v, {k: p for k, p in plan.items() if p}))
    if not rows:
        raise InputError("No newly treated vertebra was found, so there is no outcome for the leak table.")
    return rows


def _tell(found: FollowUp, rows: list[Row], arguments: argparse.Namespace) -> None:
    for warning in (*found.warnings, *(w for v in found.vertebrae for w in v.warnings)):
        print(f"vertseg: warning: {warning}", file=sys.stderr)
    if arguments.quiet:
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if found.vertebrae:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
        for name in SCREEN_COLUMNS:
            table.add_column(name, no_wrap=True, justify="left" if name == "level" else "right")
        for vertebra in found.vertebrae:
            table.add_row(*_screen_row(vertebra))
        console.print(table)
    console.print(f"{arguments.output / 'followup.png'}", soft_wrap=True, highlight=False)
    if rows:
        console.print(f"{len(rows)} outcomes in {arguments.leak_table}", soft_wrap=True, highlight=False)


def _screen_row(v: TreatedVertebra) -> tuple[str, ...]:
    c = v.cement
    risk = "-"
    if v.before is not None:
        risk = f"{100 * v.before.leak[LEAK_OUTCOMES[-1]]:.0f}" + (
            " (abstained)" if v.before.leak_abstained else ""
        )
    return (
        v.name,
        f"{c.cement_ml:.2f}",
        "-" if c.filled_share is None else f"{100 * c.filled_share:.0f}",
        f"{c.leaked_ml:.2f}",
        " ".join(f"{r} {c.route_ml[r]:.2f}" for r in LEAK_ROUTES if c.route_ml[r] > 0) or "-",
        "-" if c.canal_narrowing_percent is None else f"{c.canal_narrowing_percent:.0f}",
        risk,
        "".join(r for r in LEAK_ROUTES if c.leak[r]) or "no",
    )
