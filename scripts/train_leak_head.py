"""Fits the leak head to a network that stands still, calibrates it on other crops, and says how good it is.

    python scripts/draw_leaks.py --seeds 0 900 --count 2
    python scripts/draw_leaks.py --seeds 900000 900220 --count 5 --one-plan
    python scripts/train_leak_head.py --checkpoint checkpoints --train 0 900 --output runs/leak

To be run again whenever the rest of the network has changed: the head reads its outputs. The validation seeds are split
in two: calibration, the limit of oddness and the least confidence come from one half, the figures from the other; then
the halves change places, and what is stored comes from both. Writes `examine.safetensors` and `.json` with the new
head, and `leak_head.json` with the figures.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vertseg.data.leak_labels import LeakLabels, simulator_digest
from vertseg.errors import InputError, VertsegError
from vertseg.evaluation.leak_figures import LeakScores, fit_rule, leak_figures
from vertseg.io.atomic import write_text
from vertseg.nets.checkpoint import load_checkpoint, save_checkpoint
from vertseg.nets.leak_head import LeakHead
from vertseg.nets.unet import ExamineNet
from vertseg.phantom.leak_draws import LeakDraws
from vertseg.training.callbacks import git_commit
from vertseg.training.leak_features import LeakFeatures
from vertseg.training.leak_fit import LeakFit, LeakSet, fit_leak_head


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("checkpoints"), help="folder with examine.safetensors"
    )
    parser.add_argument(
        "--train", type=int, nargs=2, default=(0, 900), metavar=("FIRST", "END"), help="seeds"
    )
    parser.add_argument(
        "--validation", type=int, nargs=2, default=(900_000, 900_220), metavar=("FIRST", "END")
    )
    parser.add_argument("--count", type=int, default=2, help="injections of each training vertebra")
    parser.add_argument("--repeats", type=int, default=5, help="injections of each validation vertebra")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="crops, features and drawn leaks")
    parser.add_argument(
        "--stored", action="store_true", help="only seeds whose features and leaks are stored"
    )
    parser.add_argument("--steps", type=int, default=LeakFit.steps)
    parser.add_argument("--weight-decay", type=float, default=LeakFit.weight_decay)
    parser.add_argument("--bootstrap", type=int, default=200, help="samples of the intervals")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    return parser


def _seeds(labels: LeakLabels, features: LeakFeatures, wanted: Sequence[int], stored: bool) -> list[int]:
    seeds = range(*wanted)
    if not stored:
        return list(seeds)
    absent = set(labels.missing(seeds))
    # A treated vertebra has no features to make, for nothing is injected into it.
    return [
        s
        for s in seeds
        if s not in absent and (not len(labels.get(s).plan) or not features.missing(range(s, s + 1)))
    ]


def _leak_set(
    labels: LeakLabels, features: LeakFeatures, seeds: Sequence[int]
) -> tuple[LeakSet, list[LeakDraws]]:
    draws = {seed: labels.get(seed) for seed in seeds}
    kept = [seed for seed in seeds if len(draws[seed].plan)]
    if len(kept) < 10:
        raise InputError("Fewer than ten vertebrae were injected; give more seeds or draw their leaks first.")
    own = [draws[seed] for seed in kept]
    return LeakSet.of([features.get(seed) for seed in kept], own), own


def main() -> int:
    """Fit, calibrate, measure; returns the exit status."""
    arguments = _parser().parse_args()
    torch.set_num_threads(1)
    try:
        path = arguments.checkpoint
        path = path / "examine.safetensors" if path.is_dir() else path
        net, meta = load_checkpoint(path)
        if not isinstance(net, ExamineNet):
            raise InputError(f"{path} is the locate network; name an examine checkpoint.")
        if set(range(*arguments.train)) & set(range(*arguments.validation)):
            raise InputError("Training and validation seeds overlap; choose ranges that do not.")
        # A head of an older build measures less than this one.
        net.leak = LeakHead(meta.filters).eval()
        features = LeakFeatures(arguments.cache, net, meta)
        labels = LeakLabels(arguments.cache, arguments.count)
        repeats = LeakLabels(arguments.cache, arguments.repeats, one_plan=True)
        train_seeds = _seeds(labels, features, arguments.train, arguments.stored)
        data, _ = _leak_set(labels, features, train_seeds)
        held = _seeds(repeats, features, arguments.validation, arguments.stored)
        validation, draws = _leak_set(repeats, features, held)
        fit = LeakFit(steps=arguments.steps, weight_decay=arguments.weight_decay)
        losses = fit_leak_head(net.leak, data, fit)
        scores = LeakScores.of(net.leak, validation, draws, np.random.default_rng(0))
        figures = leak_figures(scores, np.random.default_rng(1), arguments.bootstrap)
        leak = {
            "rule": dataclasses.asdict(fit_rule(scores)),
            "trained_on": {
                "phantom_seeds": list(arguments.train),
                "vertebrae": len(data.features),
                "injections": len(data.plan),
                "simulator": simulator_digest(),
                "fit": dataclasses.asdict(fit),
                "only_the_head": True,
            },
            "calibrated_on": {"phantom_seeds": list(arguments.validation), "vertebrae": len(draws)},
            "figures": figures,
            "git_commit": git_commit(),
        }
        arguments.output.mkdir(parents=True, exist_ok=True)
        save_checkpoint(arguments.output / "examine", net.state_dict(), dataclasses.replace(meta, leak=leak))
        text = json.dumps(
            {"loss": [round(x, 4) for x in losses[:: max(1, len(losses) // 20)]], **leak}, indent=1
        )
        write_text(arguments.output / "leak_head.json", text + "\n")
    except VertsegError as error:
        print(f"train_leak_head: {error}", file=sys.stderr)
        return 2
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
