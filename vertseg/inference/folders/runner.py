"""Scans one after the other in this process; the next is read while the current one computes."""

import time
import traceback
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vertseg.errors import CheckpointError, ConfigError, DeviceError, InputError, OutputError
from vertseg.inference.engines import Engine
from vertseg.inference.folders.discovery import FoundScan
from vertseg.inference.folders.manifest import Finished, Key, finished, forget, record_finished, state_of
from vertseg.inference.options import PredictOptions
from vertseg.inference.pipeline import predict
from vertseg.io import Scan, read_scan
from vertseg.planning.plan import planned
from vertseg.report.page_data import PageOptions
from vertseg.report.writer import check_output, write_outputs

_ENDING: tuple[type[Exception], ...] = (CheckpointError, ConfigError, DeviceError, OutputError)
"""Errors that every further scan would meet too."""


@dataclass(frozen=True)
class Job:
    """What is done with each scan.

    Attributes:
        output: folder in which each scan has its own, by its name.
        options: of the prediction.
        key: see `manifest.result_key`.
        page: how each scan's `report.html` is written; None leaves plans and page out.
    """

    output: Path
    options: PredictOptions
    key: Key
    page: PageOptions | None = None

    def folder(self, scan: FoundScan) -> Path:
        """Folder of a scan's results."""
        return self.output / scan.name

    def is_finished(self, scan: FoundScan) -> bool:
        """Whether a whole result of just this scan and job is there; the scan itself is not read."""
        record = finished(self.folder(scan), self.key)
        try:
            return record is not None and record.state == state_of(scan)
        except OSError:
            return False


@dataclass(frozen=True)
class Outcome:
    """What became of a scan.

    Attributes:
        name: of the scan.
        kind: done; skipped, as its result was there already; or bad.
        seconds: from the moment that its turn came; time in which it was read ahead is not in it.
        vertebrae: how many were found.
        sentence: why it is bad.
        warnings: of the prediction.
    """

    name: str
    kind: Literal["done", "skipped", "bad"]
    seconds: float = 0.0
    vertebrae: int = 0
    sentence: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Read:
    """A scan as the reading thread hands it over: opened, or the reason why not."""

    found: FoundScan
    state: str
    scan: Scan | None
    seconds: float
    error: Exception | None = None


def run_scans(scans: Iterator[FoundScan], engine: Engine, job: Job) -> Iterator[Outcome]:
    """What becomes of each scan, in order, as it is known.

    At most two scans are in memory: the one that computes, and the next, which a thread reads meanwhile.

    Args:
        scans: asked for the next one in the reading thread, so it may wait.
        engine: runs the networks.
        job: what is done.

    Raises:
        OutputError: a result could not be written, so the others could not either.
        DeviceError: the device is gone.
    """
    with closing(_read_ahead(scans, job)) as reads:
        for read in reads:
            yield _outcome(read, engine, job)
            del read


def _read_ahead(scans: Iterator[FoundScan], job: Job) -> Generator[_Read, None, None]:
    with ThreadPoolExecutor(1, thread_name_prefix="read") as thread:
        ahead: Future[_Read | None] = thread.submit(_next_read, scans, job)
        while (read := ahead.result()) is not None:
            ahead = thread.submit(_next_read, scans, job)
            yield read
            del read


def _next_read(scans: Iterator[FoundScan], job: Job) -> _Read | None:
    found = next(scans, None)
    if found is None:
        return None
    start = time.perf_counter()
    state = ""
    try:
        check_output(job.folder(found))
        # Before it is read: what changes meanwhile has another state the next time.
        state = state_of(found)
        series_files = None if found.files == (found.path,) else found.files
        scan = read_scan(found.path, found.series, as_stored=True, files=series_files)
    except Exception as error:
        return _Read(found, state, None, time.perf_counter() - start, error)
    return _Read(found, state, scan, time.perf_counter() - start)


def _outcome(read: _Read, engine: Engine, job: Job) -> Outcome:
    start = time.perf_counter()
    name = read.found.name
    if read.scan is None:
        return Outcome(name, "bad", sentence=_sentence(read.error, read.found))
    new = Finished(read.scan.sha256, read.state)
    old = finished(job.folder(read.found), job.key)
    if old is not None and old.sha256 == new.sha256:
        # Its files were touched, not changed.
        record_finished(job.folder(read.found), read.found, new, job.key)
        return Outcome(name, "skipped", time.perf_counter() - start)
    try:
        findings = predict(read.scan, options=job.options, engine=engine)
    except _ENDING:
        raise
    except Exception as error:
        return Outcome(name, "bad", time.perf_counter() - start, sentence=_sentence(error, read.found))
    findings.seconds["read"] = read.seconds
    forget(job.folder(read.found))
    plans = () if job.page is None else planned(findings, read.scan.volume, job.options)
    folder = write_outputs(findings, read.scan.volume, job.folder(read.found), plans, job.page)
    record_finished(folder, read.found, new, job.key)
    seconds = time.perf_counter() - start
    return Outcome(name, "done", seconds, len(findings.vertebrae), warnings=tuple(findings.warnings))


def _sentence(error: Exception | None, found: FoundScan) -> str:
    """The sentence of an error that was foreseen; of another one, what and where it was."""
    if isinstance(error, (InputError, *_ENDING)):
        return " ".join(str(error).split())
    where = traceback.extract_tb(error.__traceback__)[-1] if error is not None else None
    place = "" if where is None else f" in {Path(where.filename).name}, line {where.lineno}"
    said = " ".join(str(error).split())[:200]
    return (
        f"'{found.path}' could not be predicted: {type(error).__name__}{place} ({said}); predict it alone to see more, "
        "and report it if the scan is a spine CT."
    )
