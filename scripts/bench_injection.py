"""Time and grid dependence of the injection simulator, written as JSON.

python scripts/bench_injection.py --output bench.json [--cases 24] [--device cuda]
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cement.vertebrae import Make, elliptic_site
from vertseg.cement.injection import inject
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.site import InjectionSite
from vertseg.labels import LEAK_ROUTES


def draw_make(rng: np.random.Generator) -> Make:
    """A vertebra of random size with, in turn, nothing, a broken endplate, a crack, a cleft or a lesion."""
    scale, height = rng.uniform(0.8, 1.1), rng.uniform(15, 25)
    size = (42 * scale, 33 * scale, height)
    plate = (rng.uniform(-6, 6), rng.uniform(-4, 9), rng.uniform(2, 4.5))
    crack = (rng.uniform(20, 160), rng.uniform(-0.35, 0.35), rng.uniform(2, 5))
    kind = int(rng.integers(5))
    bone = float(rng.uniform(0.05, 0.12))
    if kind == 1:
        return Make(bone, size, endplate_hole=plate)
    if kind == 2:
        return Make(bone, size, cortex_hole=crack)
    if kind == 3:
        cleft = (rng.uniform(0, 5), height / 4, rng.uniform(8, 13), rng.uniform(6, 9), rng.uniform(2, 3.5))
        return Make(bone, size, endplate_hole=plate, cleft=cleft)
    if kind == 4:
        lesion = (-7.0 * scale, 0.0, rng.uniform(8, 14), rng.uniform(7, 11), rng.uniform(6, 10))
        return Make(bone, size, cortex_hole=(270.0, 0.0, rng.uniform(2, 6)), lesion=lesion)
    return Make(bone, size)


def on(site: InjectionSite, device: str) -> InjectionSite:
    moved = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in vars(site).items()}
    return InjectionSite(**moved)


def timing(makes: list[Make], device: str) -> dict[str, dict[str, float]]:
    """Seconds a vertebra at 1.5 mm: wall clock and this process's CPU time."""
    out = {}
    for volume in (2.0, 4.0, 8.0):
        for viscosity in ("low", "high"):
            sites = [on(elliptic_site(m, 1.5), device) for m in makes]
            plans = [InjectionPlan(volume, viscosity)] * len(makes)
            wall, cpu = time.perf_counter(), time.process_time()
            inject(sites, plans, list(range(len(makes))))
            if device != "cpu":
                torch.cuda.synchronize()
            out[f"{volume:g} ml, {viscosity}"] = {
                "wall_s": round((time.perf_counter() - wall) / len(makes), 4),
                "cpu_s": round((time.process_time() - cpu) / len(makes), 4),
            }
    return out


def halving(makes: list[Make], volume_ml: float) -> dict[str, object]:
    """Leaks of the same vertebrae at 1.5 and 0.75 mm: cases and case-routes whose leak changed."""
    changed, pairs, differences = [], 0, []
    for seed, make in enumerate(makes):
        plan = InjectionPlan(volume_ml, ("low", "medium", "high")[seed % 3])
        coarse, fine = (inject([elliptic_site(make, s)], [plan], [seed])[0] for s in (1.5, 0.75))
        flips = [r for r in LEAK_ROUTES if coarse.leaks[r] != fine.leaks[r]]
        pairs += len(flips)
        total = [sum(r.leaked_ml.values()) for r in (coarse, fine)]
        differences.append(abs(total[0] - total[1]))
        if flips:
            changed.append(
                {
                    "seed": seed,
                    "routes": flips,
                    "coarse_ml": {k: round(v, 3) for k, v in coarse.leaked_ml.items()},
                    "fine_ml": {k: round(v, 3) for k, v in fine.leaked_ml.items()},
                    "any_changed": coarse.any_leak != fine.any_leak,
                }
            )
        print(
            f"\rhalving {seed + 1}/{len(makes)}, {len(changed)} changed", end="", file=sys.stderr, flush=True
        )
    return {
        "cases": len(makes),
        "volume_ml": volume_ml,
        "cases_with_a_changed_route": len(changed),
        "share_of_cases": round(len(changed) / len(makes), 4),
        "share_of_case_routes": round(pairs / (4 * len(makes)), 4),
        "cases_with_changed_any_leak": sum(c["any_changed"] for c in changed),
        "median_difference_of_total_ml": round(float(np.median(differences)), 4),
        "changed": changed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=24, help="vertebrae timed")
    parser.add_argument("--halving", type=int, default=0, help="vertebrae injected at 1.5 and 0.75 mm")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(2024)
    makes = [draw_make(rng) for _ in range(max(arguments.cases, arguments.halving))]
    report: dict[str, object] = {
        "device": arguments.device,
        "machine": platform.processor() or platform.machine(),
        "load_average": os.getloadavg()[0],
        "vertebrae": arguments.cases,
        "spacing_mm": 1.5,
        "seconds_per_vertebra": timing(makes[: arguments.cases], arguments.device),
    }
    if arguments.halving:
        report["halved_voxel"] = halving(makes[: arguments.halving], 4.0)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({k: v for k, v in report.items() if k != "halved_voxel"}, indent=2))


if __name__ == "__main__":
    main()
