"""`vertseg train locate|examine`: the command line of training."""

import argparse
import sys
from pathlib import Path

from vertseg.errors import VertsegError


def train_command(argv: list[str]) -> int:
    """Run a training from command-line arguments; returns the exit status (0, or 2 after a wrong input)."""
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
    parser.add_argument("--resume", metavar="PATH|last", help="go on from a resume file")
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
    from vertseg.training.fit import fit

    summary = fit(recipe, arguments.resume)
    figures = ", ".join(
        f"{name.removeprefix('val/')} {value:.3f}" for name, value in summary["metrics"].items()
    )
    print(f"{summary['steps']} steps in {summary['seconds']:.0f} s: {summary['checkpoint']}\n{figures}")
    return 0


if __name__ == "__main__":
    sys.exit(train_command(sys.argv[1:]))
