#!/usr/bin/env python3
"""Treat a simulated cohort and hold its leaks against published vertebroplasty series.

python scripts/validate_injection.py --vertebrae 2000 --output vertseg/cement/validation.json [--workers 2]

Writes the table as JSON, as Markdown (.md) and as a forest plot (.png) beside it. Finished shards are kept in
--cache; a run that was stopped goes on from there, and a change of the physics starts anew.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from vertseg.cement.validation.forest import draw_forest
from vertseg.cement.validation.run import RunConfig, Treatment, run_cohort
from vertseg.cement.validation.table import build, markdown, score
from vertseg.errors import ConfigError, VertsegError
from vertseg.io.atomic import write_text


def _treated(config: RunConfig, cache: Path, workers: int) -> list[Treatment]:
    columns = ("vertebrae", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("", total=config.vertebrae)
        return run_cohort(
            config, cache, workers, lambda done, total: bar.update(task, completed=done, total=total)
        )


def main() -> int:
    """Simulate, compare and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vertebrae", type=int, default=2000, metavar="N")
    parser.add_argument("--output", type=Path, default=Path("vertseg/cement/validation.json"))
    parser.add_argument("--cache", type=Path, default=Path("runs/injection_cohort"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--spacing", type=float, default=1.5, metavar="MM", help="voxel edge of the injection"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes, one core each")
    parser.add_argument("--repeats", type=int, default=1000, help="draws of the resampling by patient")
    arguments = parser.parse_args()
    config = RunConfig(arguments.vertebrae, arguments.seed, arguments.spacing)
    start = time.monotonic()
    try:
        if arguments.repeats < 1 or arguments.seed < 0:
            raise ConfigError("--repeats must be 1 or more, and --seed 0 or more.")
        cohort = _treated(config, arguments.cache, arguments.workers)
        rows = build(cohort, arguments.seed, arguments.repeats)
        inside, asked = score(rows)
        result = {
            "vertebrae": len(cohort),
            "patients": len({row.patient for row in cohort}),
            "seed": config.seed,
            "spacing_mm": config.spacing_mm,
            "fingerprint": config.fingerprint(),
            "parameters": asdict(config.parameters),
            "inside": inside,
            "asked": asked,
            "rows": [row.as_json() for row in rows],
        }
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
        title = f"Injection simulator against published series, {len(cohort)} vertebrae"
        write_text(arguments.output.with_suffix(".md"), markdown(rows, title))
        draw_forest(rows, arguments.output.with_suffix(".png"))
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{inside} of {asked} rows inside, {time.monotonic() - start:.0f} s, {arguments.output.with_suffix('.md')}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
