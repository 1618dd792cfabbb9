"""Every scan of an evaluation predicted and scored, one file a scan, so that a stopped run goes on."""

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

import vertseg
from vertseg.data.leaks import Injection
from vertseg.errors import OutputError
from vertseg.evaluation.localisation import IDENTIFIED_MM
from vertseg.evaluation.score import SCORES_VERSION, score
from vertseg.evaluation.sources import Source
from vertseg.evaluation.truth import TrueVertebra, Truth, true_vertebrae
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.findings import Findings, Vertebra
from vertseg.inference.options import Device, Plan, PredictOptions
from vertseg.inference.pipeline import predict
from vertseg.io import Scan
from vertseg.io.atomic import write_text
from vertseg.labels import APPROACHES, VISCOSITIES
from vertseg.volume import Volume

FOLDER: Final = "cases"

Looked = Callable[[Scan | Volume, Truth, Findings, str], None]
"""Called with a scan, its truth, its prediction and its name, such as to draw it."""


@dataclass(frozen=True)
class EngineChoice:
    """How every process opens its engine."""

    checkpoint_dir: Path | None = None
    device: Device = "auto"
    threads: int | None = None

    def open(self) -> Engine:
        """The engine with both networks.

        Raises:
            CheckpointError: a checkpoint is absent, damaged or of another version.
            DeviceError: a device was asked for that is not there.
        """
        return open_engine("auto", self.checkpoint_dir, self.device, self.threads)


def evaluate_scan(
    source: Source, engine: Engine, options: PredictOptions, looked: Looked | None = None
) -> dict[str, Any]:
    """Scores of one scan with its name, patient and set.

    Raises:
        InputError: the scan or its labels cannot be used.
    """
    scan, truth = source.load()
    wanted = true_vertebrae(truth)
    plans = _Plans(wanted, truth.injections) if truth.injections else None
    options = replace(options, plan_of=plans or options.plan_of, probabilities=bool(truth.findings))
    findings = predict(scan, options=options, engine=engine)
    if looked is not None:
        looked(scan, truth, findings, source.name)
    scores = score(truth, findings, options.finding_thresholds)
    return {"name": source.name, "patient": source.patient, "set": source.set_name, **scores}


class _Plans:
    """The plan of the true vertebra that a located one lies on, whatever it was called."""

    def __init__(self, wanted: Sequence[TrueVertebra], injections: Mapping[int, Injection]) -> None:
        self._centres = np.array([v.centre_mm for v in wanted]).reshape(-1, 3)
        self._plans = [_plan(injections.get(v.level)) for v in wanted]

    def __call__(self, vertebra: Vertebra) -> Plan:
        if not self._plans:
            return Plan()
        distance = np.linalg.norm(self._centres - vertebra.centroid_mm, axis=1)
        nearest = int(distance.argmin())
        return self._plans[nearest] if distance[nearest] < IDENTIFIED_MM else Plan()


def _plan(injection: Injection | None) -> Plan:
    if injection is None:
        return Plan()
    volume, viscosity, approach = (None if np.isnan(v) else float(v) for v in injection.plan)
    return Plan(
        volume,
        None if viscosity is None else VISCOSITIES[int(viscosity)],
        None if approach is None else APPROACHES[int(approach)],
    )


def run_evaluation(
    sources: Sequence[Source],
    output: Path,
    engine: EngineChoice,
    options: PredictOptions,
    workers: int = 1,
    *,
    looked: Looked | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Scores of every scan, in the order of the sources; those kept in `output` are taken where nothing changed.

    Args:
        sources: scans with their truth.
        output: folder; scores lie in `cases/NAME.json`.
        engine: opened once in each process.
        options: of the predictions.
        workers: processes.
        looked: sees every scan that is predicted now; only with one worker.
        progress: called with the scans done and those in all.

    Raises:
        InputError: a scan or its labels cannot be used.
        OutputError: the file system refused, or the system ended a worker.
    """
    report = progress or (lambda done, total: None)
    opened = engine.open()
    keys = [_key(source, opened, options) for source in sources]
    kept = [_kept(_path(output, s), key) for s, key in zip(sources, keys, strict=True)]
    todo = [i for i, scores in enumerate(kept) if scores is None]
    done = len(sources) - len(todo)
    report(done, len(sources))
    if workers == 1 or len(todo) < 2:
        for i in todo:
            kept[i] = _keep(
                evaluate_scan(sources[i], opened, options, looked), keys[i], _path(output, sources[i])
            )
            done += 1
            report(done, len(sources))
        return [scores for scores in kept if scores is not None]
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(todo)), context, initializer=_start, initargs=(engine,))
    try:
        futures = {pool.submit(_work, sources[i], options): i for i in todo}
        for future in as_completed(futures):
            i = futures[future]
            kept[i] = _keep(future.result(), keys[i], _path(output, sources[i]))
            done += 1
            report(done, len(sources))
    except BrokenProcessPool:
        raise OutputError(
            f"A worker was ended by the system, as when memory runs out; '{output}' keeps what is finished: run the "
            "same command again with fewer --workers."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
    return [scores for scores in kept if scores is not None]


_engine: Engine | None = None


def _start(choice: EngineChoice) -> None:
    global _engine
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _engine = replace(choice, threads=choice.threads or 1).open()


def _work(source: Source, options: PredictOptions) -> dict[str, Any]:
    assert _engine is not None  # `_start` ran first
    return evaluate_scan(source, _engine, options)


def _path(output: Path, source: Source) -> Path:
    """File of a scan's scores; names may hold characters that a file's may not."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in source.name)[-80:]
    return output / FOLDER / f"{plain}-{hashlib.sha256(source.name.encode()).hexdigest()[:8]}.json"


def _key(source: Source, engine: Engine, options: PredictOptions) -> str:
    """Changes with the weights, the files, the options that shape a prediction and the meaning of scores."""
    weights = {task: str(described.get("sha256")) for task, described in engine.checkpoints.items()}
    chosen = [options.fusion, options.finding_thresholds, options.levels, options.plan.numbers()]
    content = [
        vertseg.__version__, SCORES_VERSION, weights, source.hashes(), source.patient, source.set_name, repr(chosen),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _kept(path: Path, key: str) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
        scores = content["scores"]
        return dict(scores) if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(scores: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    """Write a scan's scores and give them as JSON reads them back, as a later run will."""
    text = json.dumps({"key": key, "scores": scores}, allow_nan=False)
    write_text(path, text + "\n")
    return dict(json.loads(text)["scores"])
