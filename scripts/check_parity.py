#!/usr/bin/env python3
"""Compare engines with float32 torch on whole predictions; refuses with exit status 1 where one is off.

python scripts/check_parity.py [--engines openvino,onnxruntime] [--phantoms 3] [--spacing 2.0] [--scan PATH ...]

Phantom scans are of validation seeds (900,000-900,999). Of each structure (every level, tissue and finding that one of
the two shows) the Dice is given, and whether levels are the same and how far leak probabilities are apart.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vertseg import PredictOptions, Volume, predict
from vertseg.errors import ConfigError, VertsegError
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.findings import Findings
from vertseg.io import read_scan
from vertseg.io.atomic import write_text
from vertseg.labels import Tissue, level_name

FIRST_SEED = 900_400
LEAST_DICE = {"float32": 0.999, "bfloat16": 0.995}
MOST_LEAK_APART = 0.01


def dice(a: Any, b: Any) -> float:
    """Dice of two masks of which one is not empty."""
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


def structures(findings: Findings) -> dict[str, Any]:
    """Masks by name, of what is there."""
    levels, tissue = findings.levels.array, findings.tissue.array
    found = {level_name(int(n)): levels == n for n in np.unique(levels) if n}
    found |= {t.name.lower(): tissue == t for t in Tissue if t and (tissue == t).any()}
    return found | {name: mask.array > 0 for name, mask in findings.masks.items() if mask.array.any()}


def compared(wanted: Findings, got: Findings, precision: str) -> dict[str, Any]:
    """Dice per structure, levels, largest difference of a leak probability, and whether all are within bounds."""
    a, b = structures(wanted), structures(got)
    nothing = np.zeros(wanted.levels.array.shape, dtype=bool)
    scores = {n: round(dice(a.get(n, nothing), b.get(n, nothing)), 5) for n in sorted({*a, *b})}
    same = [v.name for v in wanted.vertebrae] == [v.name for v in got.vertebrae]
    apart = max(
        (
            abs(v.leak[r] - w.leak[r])
            for v, w in zip(wanted.vertebrae, got.vertebrae, strict=False)
            for r in v.leak
        ),
        default=0.0,
    )
    least = min(scores.values(), default=1.0)
    return {
        "least_dice": least, "dice": scores, "same_levels": same, "leak_apart": round(apart, 5),
        "met": bool(least >= LEAST_DICE[precision] and same and apart <= MOST_LEAK_APART),
    }  # fmt: skip


def scans(arguments: argparse.Namespace) -> dict[str, Volume]:
    """Phantoms and given scans by name."""
    from vertseg.phantom import ScanConfig, render_scan

    spacing = (arguments.spacing,) * 3
    config = ScanConfig(field="lumbar", spacing_mm=spacing, appearance=0.5)
    seeds = range(FIRST_SEED, FIRST_SEED + arguments.phantoms)
    found = {f"phantom {seed}": render_scan(seed, config).hu for seed in seeds}
    return found | {path.name: read_scan(path).volume for path in arguments.scan}


def run(engine: Engine, volumes: dict[str, Volume]) -> dict[str, Findings]:
    return {name: predict(v, options=PredictOptions(), engine=engine) for name, v in volumes.items()}


def main() -> int:
    """Compare and write; 0, 1 where a bound is broken, 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", default="openvino,onnxruntime")
    parser.add_argument("--phantoms", type=int, default=3, metavar="N")
    parser.add_argument("--spacing", type=float, default=2.0, metavar="MM")
    parser.add_argument("--scan", type=Path, nargs="*", default=[], metavar="PATH")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/parity.json"))
    arguments = parser.parse_args()
    try:
        if not 0 <= arguments.phantoms <= 100:
            raise ConfigError("--phantoms must be 0 to 100, to stay within the validation seeds.")
        volumes = scans(arguments)
        wanted = run(open_engine("torch", device="cpu", threads=arguments.threads), volumes)
        result: dict[str, Any] = {
            "reference": "torch, float32, cpu",
            "bounds": {"dice": LEAST_DICE, "leak": MOST_LEAK_APART},
        }
        for name in arguments.engines.split(","):
            engine = open_engine(name, device="cpu", threads=arguments.threads)
            precision = getattr(engine, "precision", "float32")
            got = run(engine, volumes)
            figures = {scan: compared(wanted[scan], got[scan], precision) for scan in volumes}
            met = all(f["met"] for f in figures.values())
            result[name] = {"precision": precision, "met": met, "scans": figures}
            print(f"{name} {precision}: {'met' if met else 'NOT met'}", file=sys.stderr)
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(result[name]["met"] for name in arguments.engines.split(",")) else 1


if __name__ == "__main__":
    sys.exit(main())
