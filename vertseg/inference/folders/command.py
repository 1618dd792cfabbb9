"""`vertseg predict` for a folder of scans."""

import argparse
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from vertseg.errors import ConfigError, InputError
from vertseg.inference.engines import Engine
from vertseg.inference.folders.discovery import FoundScan, FoundScans, find_scans
from vertseg.inference.folders.manifest import result_key
from vertseg.inference.folders.runner import Job, Outcome, run_scans
from vertseg.inference.folders.screen import Screen, show_end
from vertseg.inference.folders.summary import write_summary
from vertseg.inference.folders.workers import run_in_processes
from vertseg.inference.options import PredictOptions
from vertseg.report.page_data import PageOptions

_SHARD: Final = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Sharing:
    """How the scans of a folder are shared out.

    Attributes:
        part: number of this shard, 1 to `parts`.
        parts: how many shards there are.
        workers: processes of this run.
    """

    part: int = 1
    parts: int = 1
    workers: int = 1


def sharing(arguments: argparse.Namespace) -> Sharing:
    """What `--shard` and `--workers` say.

    Raises:
        ConfigError: they cannot be.
    """
    workers = 1 if arguments.workers is None else arguments.workers
    if workers < 1:
        raise ConfigError(f"--workers must be at least 1, not {workers}.")
    if arguments.shard is None:
        return Sharing(workers=workers)
    match = _SHARD.fullmatch(arguments.shard.strip())
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise ConfigError(
            f"--shard must be a part of a number of parts, from 1/8 to 8/8, not '{arguments.shard}'."
        )
    return Sharing(part, parts, workers)


def folder_scans(arguments: argparse.Namespace) -> FoundScans | None:
    """The scans of the folder that was given; None where it is one scan, or no folder.

    One DICOM series, wherever in the folder, is one scan, unless an option asks for a folder of scans.

    Raises:
        ConfigError: an option for folders was given with something else.
        InputError: the folder holds no scan of the wanted name.
    """
    asked = [f"--{name}" for name in ("shard", "workers", "match") if getattr(arguments, name) is not None]
    place = arguments.scans[0]
    if len(arguments.scans) > 1 or not place.is_dir():
        if asked and place.exists():
            raise ConfigError(f"{asked[0]} is for a folder of scans; give one folder, not files or several.")
        return None
    found = find_scans(place, arguments.output, arguments.match, arguments.series)
    several = len(found.scans) + len(found.bad) > 1 or any(s.files == (s.path,) for s in found.scans)
    if not several and not asked:
        return None
    if not found.scans and not found.bad:
        wanted = "" if arguments.match is None else f" that is named '{arguments.match}'"
        raise InputError(
            f"'{place}' holds no scan{wanted}; give a folder with .nii.gz, zips or DICOM series."
        )
    return found


def predict_folder(
    found: FoundScans,
    arguments: argparse.Namespace,
    options: PredictOptions,
    opened: Callable[[], Engine],
    runner: Callable[[list[FoundScan], Job], Iterator[Outcome]] | None = None,
) -> int:
    """Predict what is not finished of this shard; 0, or 2 when there were bad scans.

    Args:
        found: all scans of the folder.
        arguments: of the command line.
        options: of the prediction.
        opened: opens the engine, where this process needs one.
        runner: runs the scans elsewhere, as on a cluster; None runs them here.

    Raises:
        VertsegError: an option, a checkpoint or the device cannot be used, or a result could not be written.
    """
    start = time.monotonic()
    shares = sharing(arguments)
    page = PageOptions(arguments.language, arguments.show_patient) if arguments.report else None
    job = Job(arguments.output, options, result_key(options, page), page)
    mine = found.part(shares.part, shares.parts)
    todo = [scan for scan in mine.scans if not job.is_finished(scan)]
    outcomes = [Outcome(bad.name, "bad", sentence=bad.sentence) for bad in mine.bad]
    if runner is None or not todo:
        found_out = _outcomes(todo, job, shares.workers, opened)
    else:
        found_out = runner(todo, job)
    with Screen(len(todo), arguments.quiet) as screen:
        for outcome in found_out:
            outcomes.append(outcome)
            screen.show(outcome)
    write_summary(found.scans, job)
    show_end(outcomes, len(mine.scans) - len(todo), time.monotonic() - start, arguments.quiet)
    return 2 if any(outcome.kind == "bad" for outcome in outcomes) else 0


def _outcomes(
    todo: list[FoundScan], job: Job, workers: int, opened: Callable[[], Engine]
) -> Iterator[Outcome]:
    if not todo:
        return iter(())
    if workers > 1:
        return run_in_processes(todo, job, workers)
    return run_scans(iter(todo), opened(), job)
