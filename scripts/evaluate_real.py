#!/usr/bin/env python3
"""Score a prediction of a real scan against a reference in TotalSegmentator's numbers.

python scripts/evaluate_real.py SCAN LABELS [--output checkpoints/evaluation/real_lumbar.json]

Writes the figures as JSON and the overlay beside it as PNG, the reference in white.
"""

import argparse
import json
import sys
from pathlib import Path

from vertseg import PredictOptions, predict
from vertseg.cli import parse_levels
from vertseg.errors import VertsegError
from vertseg.evaluation.real import reference_levels, score_real
from vertseg.inference.engines import open_engine
from vertseg.io import read_labels, read_scan
from vertseg.io.atomic import write_text
from vertseg.report.preview import draw_preview
from vertseg.volume import restore


def main() -> int:
    """Evaluate and write; 0, or 2 with a sentence."""
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
    arguments = parser.parse_args()
    try:
        wanted = list(parse_levels(arguments.levels) or ())
        engine = open_engine("auto", arguments.checkpoint_dir, arguments.device, arguments.threads)
        scan = read_scan(arguments.scan)
        findings = predict(scan, options=PredictOptions(fusion=arguments.fusion), engine=engine)
        reference = restore(reference_levels(read_labels(arguments.labels), scan.volume), scan.source)
        result = {
            "scan": arguments.scan.name,
            "labels": arguments.labels.name,
            "checkpoints": engine.checkpoints,
            **score_real(findings, reference, wanted),
        }
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
        draw_preview(findings, scan.volume, arguments.output.with_suffix(".png"), reference=reference)
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
