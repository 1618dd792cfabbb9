"""The best AUROC that any predictor of simulated leaks can reach, per route: the simulator asked again and again.

    python scripts/draw_leaks.py --seeds 900000 900300 --count 8 --one-plan
    python scripts/leak_ceiling.py --seeds 900000 900300 --count 8 --output leak_ceiling.json

Volume, viscosity and approach are known; veins, occult gaps, the tip's error, local permeability, the batch of cement
and the side of entry are redrawn. Vertebrae that hold cement are left out.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from vertseg.data.leak_labels import LeakLabels, simulator_digest
from vertseg.errors import InputError, VertsegError
from vertseg.evaluation.leak_ceiling import ceilings
from vertseg.io.atomic import write_text


def main() -> int:
    """Write the ceilings; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "END"))
    parser.add_argument("--count", type=int, default=8, help="injections of each vertebra")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder of drawn leaks")
    parser.add_argument("--stored", action="store_true", help="only seeds that were drawn already")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        labels = LeakLabels(arguments.cache, arguments.count, one_plan=True)
        seeds = range(*arguments.seeds)
        absent = set(labels.missing(seeds)) if arguments.stored else set()
        draws = [labels.get(seed) for seed in seeds if seed not in absent]
        whole = [d for d in draws if len(d.plan)]
        if len(whole) < 10:
            raise InputError("Fewer than ten vertebrae were injected; give more seeds or draw them first.")
        result = {
            "vertebrae": len(whole),
            "repeats": arguments.count,
            "seeds": list(arguments.seeds),
            "simulator": simulator_digest(),
            "ceiling": ceilings(whole, np.random.default_rng(0)),
        }
    except VertsegError as error:
        print(f"leak_ceiling: {error}", file=sys.stderr)
        return 2
    write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    for name, row in result["ceiling"].items():
        print(f"{name:4} {row['auroc']:.3f} {row['interval']} leaks in {row['prevalence']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
