"""`vertseg evaluate`: an index in, figures with intervals out."""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vertseg.errors import ConfigError
from vertseg.scans_bar import scans_bar


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
    if find_spec("sklearn") is None:
        raise ConfigError("vertseg evaluate needs scikit-learn; get it with: pip install scikit-learn.")
    ceiling = read_ceiling(options.leak_ceiling)
    from vertseg.evaluation.evaluate import Evaluation, evaluate
    from vertseg.evaluation.run import EngineChoice
    from vertseg.evaluation.sources import indexed_cases

    table = options.leak_table
    if table is None and (options.index.parent / "leak.csv").is_file():
        table = options.index.parent / "leak.csv"
    part, sources = indexed_cases(options.index, options.part, table)
    how = Evaluation(
        f"{options.index.resolve().parent.name}/{options.index.name}",
        part,
        EngineChoice(options.checkpoint_dir, options.device, options.threads),
        workers=options.workers,
        allow_seen=options.allow_seen,
        ceiling=ceiling,
    )
    with scans_bar(options.quiet) as report:
        result = evaluate(sources, options.output, how, progress=report)
    if not options.quiet:
        show(result)
        print(f"{options.output / 'evaluation.html'}")
    return 0


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

    from vertseg.evaluation.goals import goal_cells

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
