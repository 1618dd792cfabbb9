"""A whole data set made ready to train on: every case read and checked, the patients split, index and report written."""

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vertseg.data.leaks import leak_problems
from vertseg.data.sets.conversion import PreparedCase, prepare_case
from vertseg.data.sets.found import FoundCase, Split
from vertseg.data.sets.problems import Problem, error, warning
from vertseg.data.sets.registry import find_cases
from vertseg.data.sets.report import PARTS, Report
from vertseg.data.sets.splits import Shares, split_patients
from vertseg.errors import InputError, OutputError
from vertseg.io.atomic import write_text
from vertseg.labels import FINDINGS

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """What to prepare.

    Attributes:
        set_name: name of the data set (`registry.SETS`).
        source: folder or file that it lies in.
        index: JSON to write; labels go to `<stem>_labels/` and the report to `<stem>_report.json` beside it.
        shares: of the patients that are held out, and the seed.
        leak_table: CSV to check against the index.
        mapping: what labels of unknown names stand for.
        workers: processes.
        strict: refuse to write an index where any case or the leak table has an error.
        fresh: make cases anew that were finished before.
    """

    set_name: str
    source: Path
    index: Path
    shares: Shares
    leak_table: Path | None = None
    mapping: Path | None = None
    workers: int = 1
    strict: bool = False
    fresh: bool = False

    @property
    def labels(self) -> Path:
        """Folder of the converted labels and the records of finished cases."""
        return self.index.with_name(f"{self.index.stem}_labels")

    @property
    def report(self) -> Path:
        """Where the report goes."""
        return self.index.with_name(f"{self.index.stem}_report.json")


def prepare_set(request: Request, progress: Progress | None = None) -> Report:
    """Prepare a data set, or finish one that was begun; index and report appear whole or not at all.

    Args:
        request: what to prepare.
        progress: called with the cases ready so far and all of them.

    Raises:
        ConfigError, InputError: no such set or source, or a table that cannot be read.
        OutputError: the file system refused, or the system ended a worker.
    """
    found = find_cases(request.set_name, request.source, request.mapping)
    cases = _without_copies(_prepared(request, found, progress or (lambda done, total: None)), found)
    patients = {case.name: case.patient for case in found}
    makers = {case.name: case.split for case in found}
    usable = [case.case for case in cases if case.usable]
    placed = split_patients([(patients[name], makers[name]) for name in usable], request.shares)
    parts = {name: placed[patients[name]] for name in usable}
    cases = [_moved(case, makers[case.case], parts.get(case.case)) for case in cases]
    report = Report(
        request.set_name,
        request.source,
        request.shares,
        tuple(cases),
        patients,
        parts,
        tuple(_leak_table(request, cases)),
    )
    write_text(request.report, json.dumps(report.plain(), indent=1) + "\n")
    return report


def write_index(request: Request, report: Report) -> None:
    """Write the index of the usable cases.

    Raises:
        InputError: there is none, or `strict` and there are errors; no index is written then.
        OutputError: the file system refused.
    """
    errors = report.errors()
    if not report.usable or (request.strict and errors):
        place, first = errors[0]
        count = f"{len(report.cases) - len(report.usable)} of {len(report.cases)} cases are left out"
        raise InputError(
            f"No index was written: {count}; the first error is '{f'{place}: ' if place else ''}{first.sentence}' All "
            f"are in '{request.report}'."
        )
    content: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for case in report.usable:
        entry = index_entry(case, report.patients[case.case], request)
        content[report.parts[case.case]].append(entry)
    write_text(request.index, json.dumps(content, indent=1) + "\n")


def index_entry(case: PreparedCase, patient: str, request: Request) -> dict[str, Any]:
    """A case as `data.cases.read_index` reads it."""
    files = {name: seen_from(request.index, path) for name, path in case.files.items()}
    masks = {name: path for name, path in files.items() if name in FINDINGS}
    tissue = {"tissue": files["tissue"]} if "tissue" in files else {}
    return {
        "case": case.case,
        "patient": patient,
        "set": request.set_name,
        "image": seen_from(request.index, case.image),
        "level": files["level"],
        **tissue,
        **({"findings": masks} if masks else {}),
        "annotated": list(case.annotated),
        "sha256": case.sha256,
        "spacing_mm": list(case.spacing_mm),
    }


def seen_from(index: Path, path: str) -> str:
    """Relative to the index, unless both have nothing but the root in common: then it is another disk's."""
    folder = index.resolve().parent
    try:
        shared = Path(os.path.commonpath([folder, path]))
    except ValueError:
        return path
    return path if shared == Path(shared.anchor) else Path(os.path.relpath(path, folder)).as_posix()


def _prepared(request: Request, found: list[FoundCase], progress: Progress) -> list[PreparedCase]:
    """The cases in the order in which they were found."""
    ready: dict[str, PreparedCase] = {}
    progress(0, len(found))
    for case in _each(request, found):
        ready[case.case] = case
        progress(len(ready), len(found))
    return [ready[case.name] for case in found]


def _each(request: Request, found: list[FoundCase]) -> Iterator[PreparedCase]:
    """Cases as they become ready, by one process or several."""
    if request.workers == 1 or len(found) == 1:
        for case in found:
            with _quiet():
                ready = prepare_case(case, request.labels, request.fresh)
            yield ready
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(request.workers, len(found)), context, _start_worker, (request,))
    try:
        futures = [pool.submit(_prepare_number, number) for number in range(len(found))]
        yield from (future.result() for future in as_completed(futures))
    except BrokenProcessPool:
        raise OutputError(
            f"A worker was ended by the system, as when memory runs out; '{request.labels}' keeps what is finished: "
            "run the same command again with fewer --workers."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_LOG: Final = logging.getLogger("vertseg")

_worker: tuple[Request, list[FoundCase]] | None = None
"""Of a worker process: readers of labels need not be picklable, so each worker finds the cases itself."""


def _start_worker(request: Request) -> None:
    """Ctrl-C is the parent's affair; a worker ends when the parent does, however that ended."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _LOG.setLevel(logging.ERROR)
    _worker = request, find_cases(request.set_name, request.source, request.mapping)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare_number(number: int) -> PreparedCase:
    if _worker is None:
        raise RuntimeError("the worker was not started")
    request, found = _worker
    return prepare_case(found[number], request.labels, request.fresh)


@contextmanager
def _quiet() -> Iterator[None]:
    """What reading would log of headers is in the report, under the case's name."""
    before = _LOG.level
    _LOG.setLevel(logging.ERROR)
    try:
        yield
    finally:
        _LOG.setLevel(before)


def _without_copies(cases: Iterable[PreparedCase], found: list[FoundCase]) -> list[PreparedCase]:
    """Cases whose image another patient's case has too are left out but for the first."""
    patients = {case.name: case.patient for case in found}
    first: dict[str, str] = {}
    checked = []
    for case in cases:
        before = first.setdefault(case.voxels, case.case) if case.usable else case.case
        if before == case.case:
            checked.append(case)
        elif patients[before] != patients[case.case]:
            sentence = (
                f"The image is the same as that of '{before}', which is said to be another patient's "
                f"('{patients[before]}', here '{patients[case.case]}')."
            )
            checked.append(case.with_problem(error("copies", sentence)))
        else:
            sentence = f"The image is the same as that of '{before}' of the same patient."
            checked.append(case.with_problem(warning("copies", sentence)))
    return checked


def _moved(case: PreparedCase, makers: Split | None, part: Split | None) -> PreparedCase:
    """The case, with a word on it where the makers had put it elsewhere."""
    if makers is None or part is None or makers == part:
        return case
    sentence = f"The set's makers have it under {makers}; it is under {part} here"
    why = "to have a validation part" if part == "validation" and makers == "training" else "for its patient"
    return case.with_problem(warning("split", f"{sentence} {why}."))


def _leak_table(request: Request, cases: list[PreparedCase]) -> Iterator[Problem]:
    if request.leak_table is None:
        return
    whole = {case.case: case.whole for case in cases if case.usable}
    left_out = [case.case for case in cases if not case.usable]
    for sentence in leak_problems(request.leak_table, whole, left_out):
        yield error("leak table", sentence)
