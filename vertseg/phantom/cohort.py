"""A labelled set of phantom scans on disk: made by several processes, resumable, the same for one seed.

Layout: `cohort.json` (what was asked for), `index.json` (see `vertseg.data.cases`), `leak.csv` (see
`vertseg.data.leaks`), `contact_sheet.png`, and a folder per case with the files that `vertseg phantom scan`
writes, a tile of the contact sheet, and `done.json`, the record of a finished case.
"""

import csv
import io
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from vertseg import __version__
from vertseg.errors import ConfigError, OutputError
from vertseg.io.atomic import output_error, write_text
from vertseg.phantom.case import (
    DONE,
    LEAK_COLUMNS,
    TILE,
    CaseSpec,
    index_entry,
    is_finished,
    leak_rows,
    make_case,
)
from vertseg.phantom.contact_sheet import write_contact_sheet
from vertseg.phantom.memory import keep_freed_memory
from vertseg.phantom.types import ScanConfig

VALIDATION_SHARE: Final = 0.2
SETTINGS: Final = "cohort.json"


@dataclass(frozen=True)
class CohortSpec:
    """What a cohort is: how many scans, whose, and how they are taken."""

    scans: int
    seed: int
    config: ScanConfig

    def cases(self) -> list[CaseSpec]:
        """The cases by number; each depends on the seed, its number and the config alone."""
        return [CaseSpec(self.seed, number, self.config) for number in range(self.scans)]

    def validation(self) -> frozenset[int]:
        """Numbers of the validation cases: a fifth, at least one. Every case is a patient of its own."""
        count = max(1, round(VALIDATION_SHARE * self.scans))
        ranks = np.random.default_rng([self.seed, 5]).permutation(self.scans)
        return frozenset(ranks[:count].tolist())

    def plain(self) -> Any:
        """As JSON gives it back, with the version that draws it."""
        return json.loads(json.dumps({"version": __version__, **asdict(self)}))


def make_cohort(
    output: Path, spec: CohortSpec, workers: int, progress: Callable[[int, int], None] | None = None
) -> int:
    """Make a cohort, or finish one that was begun in `output`; returns how many cases were made now.

    The files are the same for any number of workers, and whether or not a run was interrupted.

    Args:
        output: folder; made when absent, else empty or of the same cohort with no more scans than now.
        spec: the cohort.
        workers: processes, of one thread each.
        progress: called with the cases made so far and those to make.

    Raises:
        ConfigError: the folder holds something else.
        OutputError: the file system refused, or the system ended a worker.
    """
    _claim(output, spec)
    todo = [case for case in spec.cases() if not is_finished(output / case.name, case)]
    report = progress or (lambda done, total: None)
    report(0, len(todo))
    if todo:
        _make_all(output, todo, workers, report)
    _assemble(output, spec)
    return len(todo)


def _claim(output: Path, spec: CohortSpec) -> None:
    """Write down what the folder is for, or check that it is for this."""
    settings = output / SETTINGS
    wanted = spec.plain()
    try:
        if not settings.exists():
            if output.exists() and any(output.iterdir()):
                raise ConfigError(
                    f"'{output}' holds other files than a cohort's; choose a new or an empty folder."
                )
            write_text(settings, json.dumps(wanted, indent=1) + "\n")
            return
        found = json.loads(settings.read_text())
    except OSError as error:
        raise output_error(output, error) from error
    except ValueError:
        raise ConfigError(f"'{settings}' is damaged; choose another folder, or remove this one.") from None
    _compare(found, wanted, output)
    if found["scans"] < spec.scans:
        write_text(settings, json.dumps(wanted, indent=1) + "\n")


def _compare(found: Any, wanted: dict[str, Any], output: Path) -> None:
    """Refuse a folder that was begun with other settings; more scans than it was begun with are welcome."""
    if not isinstance(found, dict) or set(found) != set(wanted):
        raise ConfigError(f"'{output}' holds a cohort of another version of vertseg; choose another folder.")
    for name in ("version", "seed"):
        if found[name] != wanted[name]:
            raise ConfigError(
                f"'{output}' holds a cohort of {name} {found[name]}, not {wanted[name]}; choose another folder."
            )
    if found["config"] != wanted["config"]:
        differing = [n for n in wanted["config"] if found["config"].get(n) != wanted["config"][n]]
        names = ", ".join(differing) or "settings"
        raise ConfigError(
            f"'{output}' holds a cohort of another {names}; choose another folder, or the options that it was "
            f"begun with (they stand in {SETTINGS})."
        )
    if found["scans"] > wanted["scans"]:
        raise ConfigError(
            f"'{output}' was begun for {found['scans']} scans; ask for at least as many, or choose another "
            "folder."
        )


def _make_all(output: Path, todo: list[CaseSpec], workers: int, report: Callable[[int, int], None]) -> None:
    context = multiprocessing.get_context("spawn")
    listening, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), context, initializer=_start_worker, initargs=(listening,)
    )
    try:
        futures = [pool.submit(make_case, output / case.name, case) for case in todo]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            report(done, len(todo))
        pool.shutdown()
    except BrokenProcessPool:
        raise OutputError(
            f"A worker was ended by the system, as when memory runs out; '{output}' keeps what is finished: run "
            "the same command again with fewer --workers."
        ) from None
    finally:
        held.close()
        pool.shutdown(cancel_futures=True)
        listening.close()
        for case in todo:
            if not (output / case.name / DONE).exists():
                shutil.rmtree(output / case.name, ignore_errors=True)


def _start_worker(parent: Connection) -> None:
    """One torch thread; Ctrl-C is the parent's affair, and a worker ends when the parent lets go of the pipe."""
    import torch

    torch.set_num_threads(1)
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    # Nothing is ever sent: the pipe has something to read when it was closed, be it by the parent's death.
    parent.poll(None)
    os._exit(1)


def _assemble(output: Path, spec: CohortSpec) -> None:
    """Write index, leak table and contact sheet of the finished cases."""
    cases, validation = spec.cases(), spec.validation()
    parts: dict[str, list[dict[str, Any]]] = {"training": [], "validation": []}
    for case in cases:
        parts["validation" if case.number in validation else "training"].append(index_entry(case))
    table = io.StringIO()
    writer = csv.DictWriter(table, LEAK_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for case in cases:
        writer.writerows(leak_rows(output / case.name, case))
    write_text(output / "leak.csv", table.getvalue())
    write_contact_sheet([output / case.name / TILE for case in cases], output / "contact_sheet.png")
    write_text(output / "index.json", json.dumps(parts, indent=1) + "\n")
