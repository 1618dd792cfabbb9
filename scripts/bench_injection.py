#!/usr/bin/env python3
"""Time the injection simulator, and count how often leaks change when the voxel is halved; written as JSON.

python scripts/bench_injection.py --output bench.json [--cases 24] [--halving 96 [--workers 2]] [--device cuda]
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vertseg.cement.analytic import EllipticVertebra, elliptic_site
from vertseg.cement.injection import inject, leaks_by_label
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.site import InjectionSite
from vertseg.errors import ConfigError, DeviceError, VertsegError
from vertseg.io.atomic import write_text
from vertseg.labels import LEAK_ROUTES

SPACING_MM = 1.5
HALVING_ML = 4.0


def draw_vertebra(rng: np.random.Generator) -> EllipticVertebra:
    """A vertebra of random size with, in turn, nothing, a broken endplate, a crack, a cleft or a lesion."""
    scale, height = rng.uniform(0.8, 1.1), rng.uniform(15, 25)
    size = (42 * scale, 33 * scale, height)
    plate = (rng.uniform(-6, 6), rng.uniform(-4, 9), rng.uniform(2, 4.5))
    crack = (rng.uniform(20, 160), rng.uniform(-0.35, 0.35), rng.uniform(2, 5))
    kind = int(rng.integers(5))
    bone = float(rng.uniform(0.05, 0.12))
    if kind == 1:
        return EllipticVertebra(bone, size, endplate_hole=plate)
    if kind == 2:
        return EllipticVertebra(bone, size, cortex_hole=crack)
    if kind == 3:
        cleft = (rng.uniform(0, 5), height / 4, rng.uniform(8, 13), rng.uniform(6, 9), rng.uniform(2, 3.5))
        return EllipticVertebra(bone, size, endplate_hole=plate, cleft=cleft)
    if kind == 4:
        lesion = (-7.0 * scale, 0.0, rng.uniform(8, 14), rng.uniform(7, 11), rng.uniform(6, 10))
        return EllipticVertebra(bone, size, cortex_hole=(270.0, 0.0, rng.uniform(2, 6)), lesion=lesion)
    return EllipticVertebra(bone, size)


def on(site: InjectionSite, device: str) -> InjectionSite:
    """The site with its tensors on a device."""
    moved: dict[str, Any] = {
        f.name: value.to(device)
        for f in fields(site)
        if isinstance(value := getattr(site, f.name), torch.Tensor)
    }
    return replace(site, **moved)


def timing(vertebrae: list[EllipticVertebra], device: str) -> dict[str, dict[str, float]]:
    """Seconds a vertebra at `SPACING_MM`: wall clock and this process's CPU time."""
    out = {}
    for volume in (2.0, 4.0, 8.0):
        for viscosity in ("low", "high"):
            sites = [on(elliptic_site(v, SPACING_MM), device) for v in vertebrae]
            plans = [InjectionPlan(volume, viscosity)] * len(vertebrae)
            wall, cpu = time.perf_counter(), time.process_time()
            inject(sites, plans, list(range(len(vertebrae))))
            if device != "cpu":
                torch.cuda.synchronize()
            out[f"{volume:g} ml, {viscosity}"] = {
                "wall_s": round((time.perf_counter() - wall) / len(vertebrae), 4),
                "cpu_s": round((time.process_time() - cpu) / len(vertebrae), 4),
            }
    return out


def both_voxels(seed: int, vertebra: EllipticVertebra, volume_ml: float) -> tuple[dict[str, float], ...]:
    """What one vertebra leaks (ml) by `cement.routes.ROUTES` at `SPACING_MM` and at half of it."""
    torch.set_num_threads(1)
    plan = InjectionPlan(volume_ml, ("low", "medium", "high")[seed % 3])
    return tuple(
        inject([elliptic_site(vertebra, s)], [plan], [seed])[0].leaked_ml
        for s in (SPACING_MM, SPACING_MM / 2)
    )


def halving(vertebrae: list[EllipticVertebra], volume_ml: float, workers: int = 1) -> dict[str, Any]:
    """Leaks of the same vertebrae at `SPACING_MM` and half of it: cases and case-routes whose leak changed."""
    changed: list[dict[str, Any]] = []
    pairs, differences = 0, []
    # Torch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        each = partial(both_voxels, volume_ml=volume_ml)
        run = pool.map if workers > 1 else map
        found = run(each, range(len(vertebrae)), vertebrae)
        for seed, (coarse, fine) in enumerate(found):
            before, after = leaks_by_label(coarse), leaks_by_label(fine)
            flips = [r for r in LEAK_ROUTES if before[r] != after[r]]
            pairs += len(flips)
            differences.append(abs(sum(coarse.values()) - sum(fine.values())))
            if flips:
                changed.append(
                    {
                        "seed": seed,
                        "routes": flips,
                        "coarse_ml": {k: round(v, 3) for k, v in coarse.items()},
                        "fine_ml": {k: round(v, 3) for k, v in fine.items()},
                        "any_changed": any(before.values()) != any(after.values()),
                    }
                )
            told = f"\rhalving {seed + 1}/{len(vertebrae)}, {len(changed)} changed"
            print(told, end="", file=sys.stderr, flush=True)
    return {
        "cases": len(vertebrae),
        "volume_ml": volume_ml,
        "cases_with_a_changed_route": len(changed),
        "share_of_cases": round(len(changed) / len(vertebrae), 4),
        "share_of_case_routes": round(pairs / (len(LEAK_ROUTES) * len(vertebrae)), 4),
        "cases_with_changed_any_leak": sum(c["any_changed"] for c in changed),
        "median_difference_of_total_ml": round(float(np.median(differences)), 4),
        "changed": changed,
    }


def report(cases: int, halved: int, device: str, workers: int) -> dict[str, Any]:
    """Everything that was measured.

    Raises:
        ConfigError: nothing to time.
        DeviceError: cuda was asked for and is absent.
    """
    if cases < 1 or halved < 0 or workers < 1:
        raise ConfigError("--cases and --workers must be 1 or more, and --halving 0 or more.")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("CUDA was asked for, but torch finds no GPU; leave --device out to time the CPU.")
    rng = np.random.default_rng(2024)
    vertebrae = [draw_vertebra(rng) for _ in range(max(cases, halved))]
    found: dict[str, Any] = {
        "device": device,
        "machine": platform.processor() or platform.machine(),
        "load_average": os.getloadavg()[0],
        "vertebrae": cases,
        "spacing_mm": SPACING_MM,
        "seconds_per_vertebra": timing(vertebrae[:cases], device),
    }
    if halved:
        found["halved_voxel"] = halving(vertebrae[:halved], HALVING_ML, workers)
    return found


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, metavar="JSON")
    parser.add_argument("--cases", type=int, default=24, metavar="N", help="vertebrae timed")
    parser.add_argument(
        "--halving", type=int, default=0, metavar="N", help="vertebrae injected at 1.5 and 0.75 mm"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that halve the voxel")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        found = report(arguments.cases, arguments.halving, arguments.device, arguments.workers)
        write_text(arguments.output, json.dumps(found, indent=2) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({k: v for k, v in found.items() if k != "halved_voxel"}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
