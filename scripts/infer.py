#!/usr/bin/env python3
"""Predict one scan from Python: the same call as `vertseg predict`, to copy from.

python scripts/infer.py SCAN --output DIR [--levels L1,L2] [--device auto|cpu|cuda] [--checkpoint-dir DIR]
"""

import argparse
import sys
from pathlib import Path

from vertseg import PredictOptions, predict
from vertseg.cli import parse_levels
from vertseg.errors import VertsegError
from vertseg.io import read_scan
from vertseg.report.writer import check_output, write_outputs


def main() -> int:
    """Predict and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scan", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--levels")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--checkpoint-dir", type=Path)
    arguments = parser.parse_args()
    try:
        options = PredictOptions(
            levels=parse_levels(arguments.levels),
            device=arguments.device,
            checkpoint_dir=arguments.checkpoint_dir,
        )
        check_output(arguments.output)
        scan = read_scan(arguments.scan)
        findings = predict(scan, options=options)
        write_outputs(findings, scan.volume, arguments.output)
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    for vertebra in findings.vertebrae:
        print(vertebra.name, f"{vertebra.confidence:.2f}", [round(c, 1) for c in vertebra.centroid_mm])
    print(*findings.warnings, sep="\n", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
