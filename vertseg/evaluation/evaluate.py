"""A whole evaluation: scans predicted and scored, figures, tables and the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vertseg.evaluation.page import write_page
from vertseg.evaluation.result import About, metrics, rounded, write_result
from vertseg.evaluation.run import EngineChoice, Looked, run_evaluation
from vertseg.evaluation.seen import refuse_seen, seen_by
from vertseg.evaluation.sources import Source
from vertseg.inference.options import PredictOptions
from vertseg.labels import FINDINGS


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated and how.

    Attributes:
        data: what the set is called, such as the index's name.
        part: part of the index, or "rendered".
        engine: the engine that every process opens.
        options: of the predictions.
        workers: processes.
        allow_seen: go on where the checkpoint learned from a scan, and mark the result.
        ceiling: AUROC of a perfect predictor by leak route, for the goals.
    """

    data: str
    part: str
    engine: EngineChoice = field(default_factory=EngineChoice)
    options: PredictOptions = field(default_factory=PredictOptions)
    workers: int = 1
    allow_seen: bool = False
    ceiling: Mapping[str, float] | None = None


def evaluate(
    sources: Sequence[Source],
    output: Path,
    how: Evaluation,
    *,
    looked: Looked | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Predict, score and write everything; returns what `metrics.json` holds.

    Args:
        sources: scans with their truth.
        output: folder for the results; scans that were finished there and have not changed are kept.
        how: what is evaluated and how.
        looked: sees every scan that is predicted now.
        progress: called with the scans done and those in all.

    Raises:
        ConfigError: the checkpoint learned from a scan, and that is not allowed.
        CheckpointError: the weights cannot be used.
        DeviceError: a device was asked for that is not there.
        InputError: a scan or its labels cannot be used.
        OutputError: the file system refused, or the system ended a worker.
    """
    checkpoints = how.engine.open().checkpoints
    learned = seen_by(checkpoints)
    seen = refuse_seen(learned, sources, how.allow_seen)
    scores = run_evaluation(
        sources, output, how.engine, how.options, how.workers, looked=looked, progress=progress
    )
    thresholds = dict(zip(FINDINGS, how.options.finding_thresholds, strict=True))
    about = About(how.data, how.part, checkpoints, thresholds, seen, learned.unread, how.ceiling)
    result: dict[str, Any] = rounded(metrics(scores, about))
    write_result(result, scores, output)
    write_page(result, scores, output)
    return result
