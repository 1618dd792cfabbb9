#!/usr/bin/env python3
"""Score the default (or another) checkpoint on phantom scans that no network learned from.

python scripts/evaluate_phantoms.py [--seeds 910000-910019] [--output checkpoints/evaluation/phantoms.json]

Renders each seed's scan and scores it as `vertseg evaluate` does. Writes every figure as JSON; the folder of the
same name holds the scans' scores (a stopped run goes on), tables, plots and the page. With --overlays N, pictures of
the first N scans, the truth in white.
"""

import argparse
import json
import sys
from pathlib import Path

from vertseg.errors import ConfigError, VertsegError
from vertseg.evaluation.command import read_ceiling, show
from vertseg.evaluation.evaluate import Evaluation, evaluate
from vertseg.evaluation.phantom import headline
from vertseg.evaluation.run import EngineChoice
from vertseg.evaluation.sources import RenderedPhantom
from vertseg.evaluation.truth import Truth
from vertseg.inference.findings import Findings
from vertseg.inference.options import PredictOptions
from vertseg.io import Scan
from vertseg.io.atomic import write_text
from vertseg.phantom import ScanConfig
from vertseg.phantom.memory import keep_freed_memory
from vertseg.report.preview import draw_preview
from vertseg.scans_bar import scans_bar
from vertseg.volume import Volume

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


def parse_arguments() -> argparse.Namespace:
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
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fusion", type=float, default=PredictOptions().fusion)
    parser.add_argument(
        "--appearance", type=float, default=0.5,
        help="strength of the randomised attenuation; above 0.6 some scans are redrawn beyond what is real",
    )  # fmt: skip
    parser.add_argument(
        "--leaks", action="store_true", help="inject into each treatable vertebra, to score the risk"
    )
    parser.add_argument("--leak-ceiling", type=Path, help="what scripts/leak_ceiling.py wrote, for the goals")
    parser.add_argument("--allow-seen", action="store_true")
    parser.add_argument("--overlays", type=int, default=4, metavar="N", help="with one worker only")
    return parser.parse_args()


def main() -> int:
    """Evaluate and write; 0, or 2 with a sentence."""
    arguments = parse_arguments()
    keep_freed_memory()
    drawn = 0

    def looked(scan: Scan | Volume, truth: Truth, findings: Findings, name: str) -> None:
        nonlocal drawn
        if drawn < arguments.overlays and isinstance(scan, Volume):
            drawn += 1
            folder = arguments.output.parent
            folder.mkdir(parents=True, exist_ok=True)
            seed = name.removeprefix("phantom_")
            path = folder / f"{arguments.output.stem}_{seed}.png"
            draw_preview(findings, scan, path, reference=truth.level)

    try:
        seeds = parse_seeds(arguments.seeds)
        config = ScanConfig(
            field=arguments.field, spacing_mm=tuple(arguments.spacing), appearance=arguments.appearance
        )
        how = Evaluation(
            f"phantom seeds {arguments.seeds}",
            "rendered",
            EngineChoice(arguments.checkpoint_dir, arguments.device, arguments.threads),
            PredictOptions(fusion=arguments.fusion),
            arguments.workers,
            arguments.allow_seen,
            read_ceiling(arguments.leak_ceiling),
        )
        phantoms = [RenderedPhantom(seed, config, arguments.leaks) for seed in seeds]
        with scans_bar(quiet=False) as report:
            result = evaluate(phantoms, arguments.output.with_suffix(""), how, looked=looked, progress=report)
        about = {
            "seeds": [seeds.start, seeds.stop - 1],
            "field": arguments.field,
            "appearance": arguments.appearance,
        }
        content = {**about, **headline(result["overall"]), **result}
        write_text(arguments.output, json.dumps(content, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    show(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
