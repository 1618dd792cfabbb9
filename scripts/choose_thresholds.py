#!/usr/bin/env python3
"""Choose the probability threshold of each finding on the validation crops of the examine training.

python scripts/choose_thresholds.py [--seeds 900000-900031] [--output checkpoints/evaluation/thresholds.json]

Writes voxel Dice, precision and recall of every finding over a row of thresholds. These crops were watched while
training; they are no test set. The defaults stand in `vertseg/inference/options.py`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vertseg.errors import VertsegError
from vertseg.inference.engines import open_engine
from vertseg.io.atomic import write_text
from vertseg.labels import FINDINGS
from vertseg.phantom import render_crop
from vertseg.preprocess import stack_examine

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8)


def curve(probability: np.ndarray, truth: np.ndarray) -> list[dict[str, float]]:
    """Dice, precision and recall per threshold."""
    rows = []
    for threshold in THRESHOLDS:
        found = probability > threshold
        hit, predicted, true = int((found & truth).sum()), int(found.sum()), int(truth.sum())
        rows.append({
            "threshold": threshold,
            "dice": 2 * hit / max(predicted + true, 1),
            "precision": hit / max(predicted, 1),
            "recall": hit / max(true, 1),
        })  # fmt: skip
    return rows


def main() -> int:
    """Evaluate and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="900000-900031", metavar="A-B")
    parser.add_argument("--output", type=Path, default=Path("checkpoints/evaluation/thresholds.json"))
    parser.add_argument("--checkpoint-dir", type=Path)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    first, last = (int(part) for part in arguments.seeds.split("-"))
    try:
        engine = open_engine("auto", arguments.checkpoint_dir, "auto", arguments.threads)
        probabilities, truths = [], []
        with torch.no_grad():
            for seed in range(first, last + 1):
                crop = render_crop(seed, engine.crop.shape, engine.crop.spacing_mm, inject=False)
                inputs = stack_examine(crop.image, crop.marker)[None]
                plan = np.full((1, len(crop.plan)), np.nan, np.float32)
                probabilities.append(engine.examine(inputs, plan)["findings"][0].astype(np.float16))
                truths.append(crop.findings.astype(bool))
        stacked, truth = np.stack(probabilities, 1), np.stack(truths, 1)
        result: dict[str, Any] = {"seeds": [first, last], "checkpoints": engine.checkpoints, "findings": {}}
        for i, name in enumerate(FINDINGS):
            rows = curve(stacked[i], truth[i])
            best = max(rows, key=lambda row: row["dice"])
            result["findings"][name] = {"best": best, "curve": rows, "voxels": int(truth[i].sum())}
            print(name, json.dumps(best))
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
