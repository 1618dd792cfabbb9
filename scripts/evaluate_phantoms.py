#!/usr/bin/env python3
"""Score the default (or another) checkpoint on phantom scans that no network learned from.

python scripts/evaluate_phantoms.py [--seeds 910000-910019] [--output checkpoints/evaluation/phantoms.json]

Writes every figure as JSON and, with --overlays N, pictures of the first N scans beside it, the truth in white.
"""

import argparse
import json
import sys
from pathlib import Path

from vertseg.errors import ConfigError, VertsegError
from vertseg.evaluation.phantom import ScanScore, evaluate
from vertseg.inference.engines import open_engine
from vertseg.inference.findings import Findings
from vertseg.inference.options import PredictOptions
from vertseg.io.atomic import write_text
from vertseg.phantom import PhantomScan, ScanConfig
from vertseg.report.preview import draw_preview

FIELDS = ("lumbar", "thoracic", "whole", "random")


def parse_seeds(text: str) -> range:
    """The seeds of "A-B", both included.

    Raises:
        ConfigError: not two numbers in order.
    """
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ConfigError(f"--seeds '{text}' is not a range; write it like --seeds 910000-910019.")
    return range(int(first), int(last) + 1)


def main() -> int:
    """Evaluate and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="910000-910019", metavar="A-B")
    parser.add_argument("--output", type=Path, default=Path("checkpoints/evaluation/phantoms.json"))
    parser.add_argument("--field", choices=FIELDS, default="random")
    parser.add_argument(
        "--spacing", type=float, nargs=3, default=(1.25, 1.25, 2.0), metavar="MM", help="x y z"
    )
    parser.add_argument("--checkpoint-dir", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fusion", type=float, default=PredictOptions().fusion)
    parser.add_argument(
        "--appearance", type=float, default=0.5,
        help="strength of the randomised attenuation; above 0.6 some scans are redrawn beyond what is real",
    )  # fmt: skip
    parser.add_argument("--overlays", type=int, default=4, metavar="N")
    arguments = parser.parse_args()
    drawn = 0

    def seen(truth: PhantomScan, findings: Findings, score: ScanScore) -> None:
        nonlocal drawn
        print(json.dumps({k: v for k, v in vars(score).items() if v is not None}, default=str), flush=True)
        if drawn < arguments.overlays:
            drawn += 1
            folder = arguments.output.parent
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{arguments.output.stem}_{truth.seed}.png"
            draw_preview(findings, truth.hu, path, reference=truth.level)

    try:
        seeds = parse_seeds(arguments.seeds)
        engine = open_engine("auto", arguments.checkpoint_dir, arguments.device, arguments.threads)
        options = PredictOptions(fusion=arguments.fusion)
        result = evaluate(
            seeds,
            ScanConfig(
                field=arguments.field, spacing_mm=tuple(arguments.spacing), appearance=arguments.appearance
            ),
            engine,
            options,
            seen,
        )
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"means": result["means"], "met": result["met"]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
