#!/usr/bin/env python3
"""Time planning and report beside the prediction that they follow, in this process; figures as JSON.

python scripts/bench_planning.py SCAN [--threads 2] [--repeats 3] [--output benchmarks/planning.json]

The first run warms imports and caches and is not counted; of the others the one with the least wall time is given.
CPU seconds are given beside it: on a busy machine only they are steady.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vertseg import PredictOptions, __version__, predict
from vertseg.errors import VertsegError
from vertseg.inference.engines import open_engine
from vertseg.io import read_scan
from vertseg.io.atomic import write_text
from vertseg.planning.plan import planned
from vertseg.processor import processor
from vertseg.report.document import write_page
from vertseg.report.page_data import PageOptions

TARGET_S = 3.0


def timed(function: Any, *arguments: Any) -> tuple[Any, dict[str, float]]:
    """What a call gives, and its wall and CPU seconds."""
    start, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    return result, {"wall_s": round(wall, 2), "cpu_s": round(used, 2)}


def measured(path: Path, threads: int, repeats: int) -> dict[str, Any]:
    """Figures of one scan."""
    scan = read_scan(path, as_stored=True)
    engine, options = open_engine("auto", None, "auto", threads), PredictOptions(threads=threads)
    runs: list[dict[str, Any]] = []
    for _ in range(repeats + 1):
        findings, prediction = timed(lambda: predict(scan, options=options, engine=engine))
        plans, planning = timed(planned, findings, scan.volume, options)
        with tempfile.TemporaryDirectory() as folder:
            _, page = timed(write_page, findings, scan.volume, Path(folder), plans, PageOptions())
            page_mb = round((Path(folder) / "report.html").stat().st_size / 1e6, 1)
        runs.append({"predict": prediction, "plan": planning, "page": page, "page_mb": page_mb})
    best = min(runs[1:], key=lambda run: run["plan"]["wall_s"] + run["page"]["wall_s"])
    added = round(best["plan"]["wall_s"] + best["page"]["wall_s"], 2)
    return {
        "vertebrae": [v.name for v in findings.vertebrae], "engine": engine.name, **best,
        "added_s": {"wall": added, "cpu": round(best["plan"]["cpu_s"] + best["page"]["cpu_s"], 2)},
        "target_s": TARGET_S, "met": added <= TARGET_S,
    }  # fmt: skip


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scan", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/planning.json"))
    arguments = parser.parse_args()
    try:
        load = round(os.getloadavg()[0], 2)
        figures = measured(arguments.scan, arguments.threads, arguments.repeats)
        machine = {"cpu": processor(), "cores": os.cpu_count(), "load_average": load, "vertseg": __version__}
        write_text(
            arguments.output,
            json.dumps({"machine": machine, "threads": arguments.threads, **figures}, indent=1) + "\n",
        )
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
