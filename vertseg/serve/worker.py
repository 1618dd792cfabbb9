"""A worker: a process that holds the networks and predicts one job after another.

It is a process of its own so that a scan which makes a decoder crash, or takes for ever, takes the worker with it and
not the server.
"""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from vertseg.errors import OutputError, VertsegError
from vertseg.inference.engines import Engine
from vertseg.inference.findings import Findings
from vertseg.inference.leak_model import LeakModel, load_leak_model
from vertseg.inference.pipeline import predict
from vertseg.planning.plan import planned
from vertseg.report.page_data import PageOptions
from vertseg.report.writer import write_outputs
from vertseg.serve.reading import read_upload
from vertseg.serve.settings import ServeSettings
from vertseg.serve.wishes import Wishes

_PARENT_POLL_S: Final = 1.0
FEATURES: Final = "leak_features.json"
SCAN_NAME: Final = "scan"
"""How reports and sentences call the scan, whatever the client called it."""


@dataclass(frozen=True)
class Task:
    """A job for a worker: its folder, the name of the scan in it, and the wishes."""

    folder: Path
    scan: str
    wishes: Wishes


@dataclass(frozen=True)
class TensorTask:
    """Tensors for a network: "locate" or "examine" and its inputs in order."""

    model: str
    inputs: tuple[Any, ...]


class Cancelled(Exception):
    """The client does not want the result any more."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a worker predicts with, all of one checkpoint: a file that changes later changes none of it."""

    engine: Engine
    leak_model: LeakModel


def work(settings: ServeSettings, connection: Connection) -> None:
    """Open the engine, say ("ready", description), then answer tasks until the other end closes.

    Answers are ("progress", stage, done, total), and at the end of each task one of ("done", value) and
    ("failed", kind, sentence).
    """
    # The server decides when a worker goes; a Ctrl-C or a service manager's SIGTERM reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        engine = settings.opener(settings)
        loaded = Loaded(engine, load_leak_model(settings.checkpoint_dir))
    except VertsegError as error:
        connection.send(("failed", "engine", str(error)))
        return
    connection.send(("ready", {"engine": engine.name, "device": engine.device, **_shapes(engine)}))
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        if task is not None:
            connection.send(_answer(task, loaded, settings, connection))


def _answer(
    task: Task | TensorTask, loaded: Loaded, settings: ServeSettings, connection: Connection
) -> tuple[Any, ...]:
    try:
        if isinstance(task, TensorTask):
            return ("done", run_tensors(task, loaded.engine))
        return ("done", run_job(task, loaded, settings, connection))
    except Cancelled:
        return ("failed", "cancelled", "Cancelled.")
    except OutputError as error:
        return ("failed", "storage", _without_paths(str(error), task))
    except VertsegError as error:
        return ("failed", "input", _without_paths(str(error), task))
    except MemoryError:
        return ("failed", "limit", "The scan needs more memory than this server has; crop or resample it.")
    except OSError as error:
        return ("failed", "storage", f"The server could not read or write its files ({error.strerror}).")
    except Exception as error:
        # A bug must not take the worker along; its type is said, its text may hold names from the scan.
        return ("failed", "worker", f"The prediction failed inside vertseg ({type(error).__name__}).")


def run_job(task: Task, loaded: Loaded, settings: ServeSettings, connection: Connection) -> dict[str, Any]:
    """Read, predict and write the results into the job's folder; what a report of progress needs to end with.

    Raises:
        VertsegError: the scan cannot be used, or the results not be written.
        Cancelled: the client asked so.
    """

    def progress(stage: str, done: int, total: int) -> None:
        if connection.poll():
            # The only message that comes while a task runs; None.
            connection.recv()
            raise Cancelled
        connection.send(("progress", stage, done, total))

    start = time.perf_counter()
    progress("read", 0, 1)
    scratch = task.folder / "unpacked"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    try:
        path = task.folder / task.scan
        scan, place, kind = read_upload(path, scratch, settings.limits, task.wishes.series)
        frames, missing = _dicom_writer(place, kind, task)
        progress("read", 1, 1)
        options = task.wishes.options(progress)
        findings = predict(replace(scan, path=Path(SCAN_NAME)), options=options, engine=loaded.engine)
        findings = replace(findings, warnings=(*findings.warnings, *missing))
        findings.seconds["read"] = time.perf_counter() - start
        progress("write", 0, 1)

        def also(found: Findings, folder: Path) -> None:
            write_features(found, folder)
            if frames is not None:
                frames(found, folder)

        plans = planned(findings, scan.volume, options, loaded.leak_model)
        write_outputs(findings, scan.volume, task.folder / "results", plans, PageOptions(), also)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {"vertebrae": len(findings.vertebrae)}


def _dicom_writer(
    place: Path, kind: str, task: Task
) -> tuple[Callable[[Findings, Path], object] | None, tuple[str, ...]]:
    """What writes the DICOM objects of a prediction, or a sentence why none can be written."""
    if kind not in (".zip", ".dcm"):
        return None, ()
    from vertseg.dicom_out.files import dicom_writer

    try:
        return dicom_writer(place, task.wishes.series, with_report=True), ()
    except VertsegError as error:
        return None, (f"No DICOM SEG was written: {_without_paths(str(error), task)}",)
    except Exception as error:
        # The source was read, so only what a segmentation must copy from its headers is amiss.
        return None, (
            f"No DICOM SEG was written, for the series' headers are amiss ({type(error).__name__}).",
        )


def write_features(findings: Findings, folder: Path) -> None:
    """Write `leak_features.json`: level -> what the leak head saw, from which any plan's risk is computed."""
    features = {
        v.name: [float(x) for x in v.leak_features] for v in findings.vertebrae if v.leak_features is not None
    }
    (folder / FEATURES).write_text(json.dumps(features), encoding="utf-8")


def run_tensors(task: TensorTask, engine: Engine) -> dict[str, Any]:
    """Outputs of a network for tensors.

    Raises:
        InputError: their shapes do not fit.
    """
    if task.model == "locate":
        return dict(engine.locate(np.ascontiguousarray(task.inputs[0])))
    return dict(engine.examine(*(np.ascontiguousarray(x) for x in task.inputs)))


def _shapes(engine: Engine) -> dict[str, Any]:
    return {
        "locate_multiple": engine.locate_multiple,
        "locate_spacing_mm": engine.locate_spacing_mm,
        "crop_shape": list(engine.crop.shape),
        "crop_spacing_mm": engine.crop.spacing_mm,
        "checkpoints": engine.checkpoints,
    }


def _without_paths(sentence: str, task: Task | TensorTask) -> str:
    """The sentence without this server's folders, which are nobody's business."""
    if isinstance(task, TensorTask):
        return sentence
    for place in ("unpacked/scan.nii", "unpacked/series", task.scan):
        sentence = sentence.replace(str(task.folder / place), SCAN_NAME)
    return sentence.replace(str(task.folder), SCAN_NAME)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os._exit(1)
