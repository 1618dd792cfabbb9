"""`vertseg predict`: scans in, a folder of results out for each, progress and a table on the screen."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vertseg.cli import parse_levels, parse_point
from vertseg.errors import ConfigError, VertsegError
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.findings import Findings
from vertseg.inference.folders.command import folder_scans, predict_folder, sharing
from vertseg.inference.options import Plan, PredictOptions, Progress
from vertseg.inference.pipeline import predict
from vertseg.io import read_scan
from vertseg.report.table import SCREEN_COLUMNS, screen_rows
from vertseg.report.writer import AlsoWrite, check_output, write_outputs

_ENDINGS = (".nii.gz", ".nii", ".zip", ".dcm")


def run(arguments: argparse.Namespace) -> int:
    """Predict every scan; 0, or 2 when one of several could not be used (the others are done).

    A folder of several scans or series is the affair of `vertseg.inference.folders`.

    Raises:
        VertsegError: an option, a checkpoint or the device cannot be used, or the only scan cannot.
    """
    if arguments.dicomweb is None:
        return _run(arguments)
    if arguments.scans or arguments.study is None:
        raise ConfigError("--dicomweb takes the place of SCAN and needs --study UID.")
    from vertseg.serve.dicom_web import fetched_series

    check_output(arguments.output)
    with fetched_series(arguments.dicomweb, arguments.study, arguments.series) as folder:
        return _run(argparse.Namespace(**{**vars(arguments), "scans": [folder], "series": None}))


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.scans:
        raise ConfigError("No scan is named; give a file or a folder, or --dicomweb URL with --study UID.")
    plan = Plan(arguments.cement_ml, arguments.viscosity, arguments.approach)
    options = _options(arguments, plan)
    if arguments.threads is not None and arguments.threads < 1:
        raise ConfigError(f"--threads must be at least 1, not {arguments.threads}.")
    sharing(arguments)

    def opened() -> Engine:
        return open_engine(arguments.engine, arguments.checkpoint_dir, arguments.device, arguments.threads)

    found = folder_scans(arguments)
    if options.point_mm is not None and (found is not None or len(arguments.scans) > 1):
        raise ConfigError("--point is a place in one scan; give one scan, or --levels for several.")
    if found is not None:
        if arguments.dicom_seg or arguments.dicom_sr:
            raise ConfigError(
                "--dicom-seg and --dicom-sr are for single scans, not for a folder of many; name the scans."
            )
        check_output(arguments.output)
        return predict_folder(found, arguments, options, opened)
    folders = output_folders(arguments.scans, arguments.output)
    for folder in folders:
        check_output(folder)
    engine = opened()
    status = 0
    for scan_path, folder in zip(arguments.scans, folders, strict=True):
        try:
            _one(scan_path, folder, engine, arguments, options)
        except VertsegError as error:
            if len(folders) == 1:
                raise
            print(f"vertseg: {error}", file=sys.stderr)
            status = 2
    return status


def _options(arguments: argparse.Namespace, plan: Plan) -> PredictOptions:
    return PredictOptions(
        levels=parse_levels(arguments.levels),
        point_mm=parse_point(arguments.point),
        plan=plan,
        device=arguments.device,
        engine=arguments.engine,
        checkpoint_dir=arguments.checkpoint_dir,
        threads=arguments.threads,
    )


def dicom_objects(path: Path, arguments: argparse.Namespace) -> AlsoWrite | None:
    """Writes the DICOM objects that are asked for; a scan that none can be made of is refused now.

    Raises:
        InputError: the scan is no DICOM, or its frames do not allow it.
    """
    if not (arguments.dicom_seg or arguments.dicom_sr):
        return None
    from vertseg.dicom_out.files import dicom_writer

    return dicom_writer(path, arguments.series, with_report=arguments.dicom_sr)


def output_folders(scans: list[Path], output: Path) -> list[Path]:
    """The folder of each scan's results: `output` itself for one scan, else one in it by the scan's name.

    Raises:
        ConfigError: two scans have one name.
    """
    if len(scans) == 1:
        return [output]
    names = [_stem(scan) for scan in scans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"Several scans are named '{twice[0]}', so their results would overwrite each other; predict them apart."
        )
    return [output / name for name in names]


def _stem(scan: Path) -> str:
    name = scan.resolve().name
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _one(
    path: Path,
    folder: Path,
    engine: Engine,
    arguments: argparse.Namespace,
    options: PredictOptions,
) -> None:
    start = time.perf_counter()
    dicom = dicom_objects(path, arguments)
    scan = read_scan(path, arguments.series, as_stored=True)
    reading = time.perf_counter() - start
    with _progress(path.name, arguments.quiet) as progress:
        findings = predict(scan, options=replace(options, progress=progress), engine=engine)
        findings.seconds["read"] = reading
        progress("write", 0, 1)
        write_outputs(findings, scan.volume, folder, dicom)
        progress("write", 1, 1)
    for warning in findings.warnings:
        print(f"vertseg: warning: {warning}", file=sys.stderr)
    if not arguments.quiet:
        _show(findings, folder, time.perf_counter() - start)


@contextmanager
def _progress(name: str, quiet: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn(f"{name}: {{task.description}}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), console=Console(stderr=True), disable=quiet, transient=True,
    )  # fmt: skip
    stages: dict[str, int] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in stages:
            stages[stage] = int(bars.add_task(stage, total=total))
        bars.update(stages[stage], completed=done, total=total)  # type: ignore[arg-type]

    with bars:
        yield report


def _show(findings: Findings, folder: Path, seconds: float) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if findings.vertebrae:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
        for name in SCREEN_COLUMNS:
            table.add_column(name, no_wrap=True, justify="left" if name == "level" else "right")
        for row in screen_rows(findings):
            table.add_row(*row)
        console.print(table)
    console.print(f"{folder / 'preview.png'}", soft_wrap=True, highlight=False)
    console.print(
        f"{seconds:.1f} s on {findings.provenance.device} with {findings.provenance.engine}", highlight=False
    )
