"""How often the leak head abstains on crops spoiled by noise, metal, wrong HU, blur, or made to look like MR.

    python scripts/abstention_by_corruption.py --checkpoint runs/leak --seeds 900000 900030 --output abstention.json

Half of the seeds of a checkpoint's calibration may be used here: the limit was set on them unspoiled.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from vertseg.data.transforms import unpack_examine
from vertseg.errors import InputError, VertsegError
from vertseg.evaluation.out_of_distribution import CORRUPTIONS
from vertseg.inference.leak_risk import LeakRule, leak_risk
from vertseg.io.atomic import write_text
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.unet import ExamineNet
from vertseg.training.leak_features import LeakFeatures


def main() -> int:
    """Measure and write; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="folder with a fitted examine.safetensors"
    )
    parser.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "END"))
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder of crops")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        net, meta = load_checkpoint(arguments.checkpoint / "examine.safetensors")
        rule = LeakRule.of(meta.leak)
        if not isinstance(net, ExamineNet) or rule is None:
            raise InputError(
                f"{arguments.checkpoint} has no calibrated leak head; run scripts/train_leak_head.py."
            )
        result = _rates(LeakFeatures(arguments.cache, net, meta), net, rule, range(*arguments.seeds))
    except VertsegError as error:
        print(f"abstention_by_corruption: {error}", file=sys.stderr)
        return 2
    content = {"seeds": list(arguments.seeds), "sha256": meta.sha256, "corruptions": result}
    write_text(arguments.output, json.dumps(content, indent=1) + "\n")
    for name, row in result.items():
        print(
            f"{name:18} abstained {row['abstained']:.2f}, too odd {row['too_odd']:.2f}, oddness {row['oddness']:.2f}"
        )
    return 0


def _rates(
    features: LeakFeatures, net: ExamineNet, rule: LeakRule, seeds: range
) -> dict[str, dict[str, float]]:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CORRUPTIONS}
    for seed in seeds:
        sample = unpack_examine(features.crops.get(seed))
        plan = torch.from_numpy(np.asarray(sample["plan"], np.float32))[None]
        for name, corrupt in CORRUPTIONS.items():
            hu = corrupt(np.asarray(sample["hu"][0], np.float32), np.random.default_rng([seed, 3]))
            own = torch.from_numpy(features.of_hu(hu, sample["marker"]))[None]
            with torch.inference_mode():
                logits, odd = net.leak(own, plan).numpy(), net.leak.oddness(own).numpy()
            found[name].append((float(odd[0]), float(leak_risk(logits, odd, rule)["leak_abstained"][0])))
    return {
        name: {
            "abstained": round(float(np.mean([a for _, a in rows])), 3),
            "too_odd": round(float(np.mean([o > rule.oddness_limit for o, _ in rows])), 3),
            "oddness": round(float(np.median([o for o, _ in rows])), 3),
        }
        for name, rows in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
