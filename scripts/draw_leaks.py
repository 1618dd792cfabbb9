"""Repeats the injection of crops' vertebrae with what no scan shows drawn anew, into one file a seed.

    python scripts/draw_leaks.py --seeds 900000 900300 --count 8 --one-plan --output .cache

`--one-plan` keeps viscosity and approach the same within a vertebra, as the ceiling needs
(`scripts/leak_ceiling.py`); without it a vertebra's injections go through their combinations, as training wants
(`scripts/train_leak_head.py`). Seeds that are there already are left; several processes may share the folder.
"""

import argparse
import sys
from pathlib import Path

import torch

from vertseg.data.leak_labels import LeakLabels
from vertseg.errors import ConfigError, VertsegError


def main() -> int:
    """Draw; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "END"))
    parser.add_argument("--count", type=int, default=2, help="injections of each vertebra")
    parser.add_argument(
        "--one-plan", action="store_true", help="one viscosity and approach for each vertebra"
    )
    parser.add_argument("--output", type=Path, default=Path(".cache"), help="cache folder")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if arguments.count < 1 or arguments.seeds[1] <= arguments.seeds[0] or arguments.seeds[0] < 0:
            raise ConfigError("Give a range of seeds, first and past the last, and a count of at least 1.")
        labels = LeakLabels(arguments.output, arguments.count, arguments.one_plan)
        for seed in labels.missing(range(*arguments.seeds)):
            labels.get(seed)
    except VertsegError as error:
        print(f"draw_leaks: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
