#!/usr/bin/env python3
"""Time the rendering of phantoms on one core, and on a GPU where there is one.

python scripts/bench_phantom.py [--repeats 9] [--output benchmarks/phantom.json] [--device auto]

Measures an examine crop of 96^3 voxels at 1 mm with all labels, one of 64^3 at 1.5 mm, and a 3 mm scan of a whole
trunk. Every round times each of them once, so that a busy machine slows all alike; seeds are the same in each run.
On the CPU the core's own seconds are given too, which others on the machine hardly change.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vertseg import __version__
from vertseg.errors import ConfigError, DeviceError, VertsegError
from vertseg.io.atomic import write_text
from vertseg.phantom import ScanConfig, render_crop, render_scan
from vertseg.phantom.memory import keep_freed_memory
from vertseg.processor import processor

FIRST_SEED = 7000
TARGETS_S = {"crop_1mm_96": 0.5, "scan_3mm_whole": 3.0}
TARGET_GPU_CROPS_PER_S = 100.0


def workloads(device: str) -> dict[str, Callable[[int], object]]:
    """What is timed, as functions of the seed."""
    whole = ScanConfig(field="whole", spacing_mm=(3.0, 3.0, 3.0), device=device)
    return {
        "crop_1mm_96": lambda seed: render_crop(seed, (96, 96, 96), 1.0, device, inject=False),
        "crop_1.5mm_64": lambda seed: render_crop(seed, (64, 64, 64), 1.5, device, inject=False),
        "crop_1.5mm_64_injected": lambda seed: render_crop(seed, (64, 64, 64), 1.5, device),
        "scan_3mm_whole": lambda seed: render_scan(seed, whole),
    }


def measure(device: str, repeats: int) -> dict[str, Any]:
    """Seconds of each workload; results lie in main memory when the clock stops."""
    work = workloads(device)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    core_seconds: dict[str, list[float]] = {name: [] for name in work}
    for name in work:
        work[name](FIRST_SEED - 1)
    for seed in range(FIRST_SEED, FIRST_SEED + repeats):
        for name, render in work.items():
            start, core_start = time.perf_counter(), time.process_time()
            render(seed)
            seconds[name].append(time.perf_counter() - start)
            core_seconds[name].append(time.process_time() - core_start)
    result = {name: summary(name, times, device) for name, times in seconds.items()}
    if device == "cpu":
        for name, times in core_seconds.items():
            result[name]["core_median_s"] = round(float(np.median(times)), 4)
    return result


def summary(name: str, times: list[float], device: str) -> dict[str, Any]:
    low, middle, high = np.percentile(times, [25, 50, 75])
    result: dict[str, Any] = {
        "median_s": round(float(middle), 4), "quartiles_s": [round(float(low), 4), round(float(high), 4)],
        "fastest_s": round(min(times), 4), "per_s": round(1 / float(middle), 2), "n": len(times),
    }  # fmt: skip
    if device == "cpu" and name in TARGETS_S:
        result |= {"target_s": TARGETS_S[name], "met": bool(middle <= TARGETS_S[name])}
    if device == "cuda" and name == "crop_1mm_96":
        result |= {"target_per_s": TARGET_GPU_CROPS_PER_S, "met": bool(1 / middle >= TARGET_GPU_CROPS_PER_S)}
    return result


def machine() -> dict[str, Any]:
    """What the figures were measured on, with the load of others when it began."""
    return {
        "cpu": processor(), "cores": os.cpu_count(), "torch_threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 2), "python": platform.python_version(),
        "torch": torch.__version__, "vertseg": __version__,
    }  # fmt: skip


def chosen_devices(wanted: str) -> list[str]:
    """Devices to measure.

    Raises:
        DeviceError: cuda was asked for and is absent.
    """
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        raise DeviceError("CUDA was asked for, but torch finds no GPU; leave --device out to time the CPU.")
    return {"cpu": ["cpu"], "cuda": ["cuda"], "auto": ["cpu", *(["cuda"] if present else [])]}[wanted]


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9, metavar="N")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/phantom.json"))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kept = keep_freed_memory()
    try:
        if arguments.repeats < 1:
            raise ConfigError("--repeats must be 1 or more.")
        result: dict[str, Any] = {"machine": machine(), "keeps_freed_memory": kept}
        for device in chosen_devices(arguments.device):
            result[device] = measure(device, arguments.repeats)
        if "cuda" in result:
            result["machine"]["gpu"] = torch.cuda.get_device_name()
        else:
            result["cuda"] = "not measured" if torch.cuda.is_available() else "absent: torch finds no GPU"
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
