#!/usr/bin/env python3
"""Score a prediction of a real scan against a reference in TotalSegmentator's numbers.

python scripts/evaluate_real.py SCAN LABELS [--output checkpoints/evaluation/real_lumbar.json] [--variants]

Writes the figures as JSON and the overlay beside it as PNG, the reference in white. With --variants, copies of the
scan (turned by 20 degrees, flipped in storage, at 5 mm slices, with noise) are scored too, into the JSON of the same
name that ends in _variants, with an overlay each.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vertseg import PredictOptions, predict
from vertseg.cli import parse_levels
from vertseg.errors import VertsegError
from vertseg.evaluation.real import reference_levels, score_real, verdict
from vertseg.evaluation.variants import variants
from vertseg.inference.engines import Engine, open_engine
from vertseg.io import Scan, read_labels, read_scan
from vertseg.io.atomic import write_text
from vertseg.report.preview import draw_preview
from vertseg.volume import Volume, restore


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scan", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--output", type=Path, default=Path("checkpoints/evaluation/real_lumbar.json"))
    parser.add_argument("--levels", default="T12,L1,L2,L3,L4,L5", help="levels to score")
    parser.add_argument("--checkpoint-dir", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fusion", type=float, default=PredictOptions().fusion)
    parser.add_argument("--variants", action="store_true", help="score copies of the scan too")
    return parser.parse_args()


def score_variants(
    scan: Scan, levels: Volume, wanted: list[int], engine: Engine, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Figures of every copy by name; an overlay of each is written."""
    found = {}
    for variant in variants(scan.volume, levels):
        findings = predict(variant.hu, options=PredictOptions(fusion=arguments.fusion), engine=engine)
        figures = score_real(findings, variant.levels, wanted)
        found[variant.name] = {**figures, "met": verdict(figures)}
        print(f"{variant.name}: {json.dumps(found[variant.name])}", flush=True)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        picture = arguments.output.with_name(f"{arguments.output.stem}_{variant.name.replace(' ', '_')}.png")
        draw_preview(findings, variant.hu, picture, reference=variant.levels)
    return found


def main() -> int:
    """Evaluate and write; 0, or 2 with a sentence."""
    arguments = parse_arguments()
    try:
        wanted = list(parse_levels(arguments.levels) or ())
        engine = open_engine("auto", arguments.checkpoint_dir, arguments.device, arguments.threads)
        scan = read_scan(arguments.scan)
        levels = reference_levels(read_labels(arguments.labels), scan.volume)
        about = {
            "scan": arguments.scan.name,
            "labels": arguments.labels.name,
            "checkpoints": engine.checkpoints,
        }
        if arguments.variants:
            result = {**about, "variants": score_variants(scan, levels, wanted, engine, arguments)}
            path = arguments.output.with_name(f"{arguments.output.stem}_variants.json")
        else:
            findings = predict(scan, options=PredictOptions(fusion=arguments.fusion), engine=engine)
            reference = restore(levels, scan.source)
            figures = score_real(findings, reference, wanted)
            result = {**about, **figures, "met": verdict(figures)}
            path = arguments.output
            draw_preview(findings, scan.volume, path.with_suffix(".png"), reference=reference)
        write_text(path, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    if not arguments.variants:
        print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
