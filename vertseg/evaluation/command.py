"""`vertseg evaluate`: an index in, figures with intervals out."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vertseg.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg evaluate`."""
    parser.add_argument(
        "index", type=Path, metavar="INDEX", help="index.json of a prepared set or a phantom cohort"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--part", choices=("test", "validation", "training"),
        help="part of the index; test if left out, or validation where there is no test part",
    )  # fmt: skip
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="folder with other weights")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of each process")
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="processes")
    parser.add_argument(
        "--leak-table", type=Path, metavar="CSV",
        help="injections that leaked or did not; leak.csv beside the index if left out and there",
    )  # fmt: skip
    parser.add_argument(
        "--leak-ceiling", type=Path, metavar="JSON", help="what scripts/leak_ceiling.py wrote, for the goals"
    )
    parser.add_argument(
        "--allow-seen", action="store_true",
        help="evaluate on scans that the checkpoint learned from too; the result is marked",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no table")


def run(options: argparse.Namespace) -> int:
    """Evaluate and write; 0 on success.

    Raises:
        ConfigError: an option, the index or the leak table cannot be used, or the checkpoint learned from a scan.
        InputError: a scan or its labels cannot be used.
        CheckpointError: the weights cannot be used.
        DeviceError: a device was asked for that is not there.
        OutputError: the file system refused.
    """
    for name in ("workers", "threads"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ConfigError(f"--{name} must be 1 or more.")
    ceiling = read_ceiling(options.leak_ceiling)
    from vertseg.evaluation.run import EngineChoice
    from vertseg.evaluation.sources import indexed_cases

    table = options.leak_table
    if table is None and (options.index.parent / "leak.csv").is_file():
        table = options.index.parent / "leak.csv"
    part, sources = indexed_cases(options.index, options.part, table)
    result = evaluate_sources(
        sources,
        options.output,
        EngineChoice(options.checkpoint_dir, options.device, options.threads),
        (f"{options.index.resolve().parent.name}/{options.index.name}", part),
        ceiling=ceiling,
        allow_seen=options.allow_seen,
        workers=options.workers,
        quiet=options.quiet,
    )
    if not options.quiet:
        show(result)
        print(f"{options.output / 'evaluation.html'}")
    return 0


def evaluate_sources(
    sources: Any,
    output: Path,
    choice: Any,
    named: tuple[str, str],
    *,
    ceiling: dict[str, float] | None = None,
    allow_seen: bool = False,
    workers: int = 1,
    quiet: bool = True,
    predict_options: Any = None,
    looked: Any = None,
) -> dict[str, Any]:
    """Predict, score and write everything; returns what `metrics.json` holds.

    Args:
        sources: scans with their truth (`sources.Source`).
        output: folder for the results.
        choice: the engine (`run.EngineChoice`).
        named: what the data and the part are called.
        ceiling: AUROC of a perfect predictor by leak route.
        allow_seen: go on where the checkpoint learned from a scan, and mark the result.
        workers: processes.
        quiet: no progress bar.
        predict_options: of the predictions; None takes the defaults.
        looked: sees every scan that is predicted now (`run.Looked`).
    """
    from vertseg.evaluation.page import write_page
    from vertseg.evaluation.result import About, metrics, rounded, write_result
    from vertseg.evaluation.run import run_evaluation
    from vertseg.evaluation.seen import refuse_seen, seen_by
    from vertseg.inference.options import PredictOptions
    from vertseg.labels import FINDINGS

    predicting = predict_options or PredictOptions()
    checkpoints = choice.open().checkpoints
    learned = seen_by(checkpoints)
    seen = refuse_seen(learned, sources, allow_seen)
    with _progress(quiet) as report:
        scores = run_evaluation(sources, output, choice, predicting, workers, looked=looked, progress=report)
    thresholds = dict(zip(FINDINGS, predicting.finding_thresholds, strict=True))
    result = rounded(metrics(scores, About(*named, checkpoints, thresholds, seen, learned.unread, ceiling)))
    write_result(result, scores, output)
    write_page(result, scores, output)
    return dict(result)


def read_ceiling(path: Path | None) -> dict[str, float] | None:
    """AUROC by route that `scripts/leak_ceiling.py` wrote; None without a file.

    Raises:
        ConfigError: the file cannot be read as that.
    """
    if path is None:
        return None
    try:
        return {name: float(row["auroc"]) for name, row in json.loads(path.read_text())["ceiling"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} holds no leak ceiling; make one with scripts/leak_ceiling.py.") from None


def show(result: dict[str, Any]) -> None:
    """The goals as a table on the screen."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    title = f"{result['overall']['scans']} scans, {result['data']} ({result['part']})"
    table = Table(
        box=SIMPLE, padding=(0, 1, 0, 0), title=title + (", SEEN IN TRAINING" * result["seen_in_training"])
    )
    for name in ("goal", "target", "measured", "95 %", "met"):
        table.add_column(name, justify="left" if name == "goal" else "right", no_wrap=name != "goal")
    for row in result["goals"]:
        if row["value"] is not None:
            table.add_row(*goal_cells(row))
    Console().print(table)


def goal_cells(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Title, target, figure, interval and verdict of a goal, in words."""
    target = "-" if row["target"] is None else f"{row['sense']} {row['target']:.2f}"
    interval = "-" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
    value = "-" if row["value"] is None else f"{row['value']:.3f}"
    return row["title"], target, value, interval, {None: "-", True: "yes", False: "no"}[row["met"]]


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        TextColumn("scans"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), console=Console(stderr=True), disable=quiet,
    )  # fmt: skip
    task = bars.add_task("scans", total=None)
    with bars:
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=total > 0)
