"""`vertseg train locate|examine`: the command line of training."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from vertseg.errors import VertsegError


def train_command(argv: list[str]) -> int:
    """Run a training from command-line arguments; returns the exit status.

    0, 2 after a wrong input, or 128 and the number of the signal that stopped it (130 Ctrl-C, 143 SIGTERM).
    """
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except VertsegError as error:
        print(f"vertseg train: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vertseg train", description="Train one of the two networks.")
    parser.add_argument("task", choices=("locate", "examine"))
    parser.add_argument("--config", type=Path, required=True, help="recipe, such as configs/locate.yaml")
    parser.add_argument(
        "--override", action="extend", nargs="+", default=[], metavar="KEY=VALUE",
        help="change a key of the recipe, such as optimisation.max_steps=100",
    )  # fmt: skip
    parser.add_argument(
        "--resume", metavar="PATH|last|auto", help="go on from a resume file; auto: if there is one"
    )
    parser.add_argument(
        "--from", dest="initial", metavar="PATH",
        help="start from a checkpoint's weights (fine-tuning), such as checkpoints; short for --override "
        "run.initial=...",
    )  # fmt: skip
    parser.add_argument("--logger", choices=("csv", "wandb"), help="short for --override run.logger=...")
    parser.add_argument("--prepare", action="store_true", help="only render the phantoms into the cache")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from vertseg.training.config import load_recipe

    logger = [f"run.logger={arguments.logger}"] if arguments.logger else []
    initial = [f"run.initial={arguments.initial}"] if arguments.initial else []
    recipe = load_recipe(arguments.task, arguments.config, [*arguments.override, *logger, *initial])
    if arguments.prepare:
        from vertseg.training.fit import prepare

        prepare(recipe)
        return 0
    from lightning_utilities.core.rank_zero import rank_zero_only

    from vertseg.training.fit import fit

    summary = fit(recipe, arguments.resume)
    stopped = summary["stopped_by"]
    rank_zero_only(print)(_report(summary))
    return 0 if stopped is None else 128 + signal.Signals[stopped]


def _report(summary: dict[str, Any]) -> str:
    """What the terminal is told at the end."""
    figures = ", ".join(
        f"{name.removeprefix('val/')} {value:.3f}" for name, value in summary["metrics"].items()
    )
    told = f"{summary['steps']} steps in {summary['seconds']:.0f} s: {summary['checkpoint']}\n{figures}"
    if summary["stopped_by"] is not None:
        told += f"\nStopped by {summary['stopped_by']}; --resume last goes on from here."
    return told


if __name__ == "__main__":
    sys.exit(train_command(sys.argv[1:]))
