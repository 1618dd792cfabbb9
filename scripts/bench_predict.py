#!/usr/bin/env python3
"""Time a prediction from file to outputs, stage by stage, in fresh processes; figures as JSON, bars as PNG.

python scripts/bench_predict.py [--scan PATH ...] [--threads 2] [--repeats 1] [--only whole,lumbar] [--engine auto]

Scans: a whole spine of 512x512x824 voxels of 0.8x0.8x1 mm and a lumbar one of 512x512x250 (phantoms, rendered at
2 mm once, interpolated to the full size, with noise, and kept in .cache/bench), and any given as --scan. Wall and
CPU seconds are both given: on a busy machine only the second is steady. Peak memory is the process's own high-water
mark, cold start what comes on top of a second prediction in the same process.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from vertseg import __version__
from vertseg.errors import ConfigError, VertsegError
from vertseg.io import read_scan, write_nifti
from vertseg.io.atomic import write_text
from vertseg.processor import processor
from vertseg.volume import Grid, Volume

SPACING_MM = (0.8, 0.8, 1.0)
SHAPES = {"whole": (512, 512, 824), "lumbar": (512, 512, 250)}
SEED = 900_310
NOISE_HU = 15.0
TARGET_S = {"whole": 15.0, "lumbar": 6.0}
TARGET_PEAK_GB = 4.0
TARGET_COLD_S = 3.0
TARGET_LEVEL_SHARE = 0.25
TARGET_POINT_S = 0.5
POINTS = 3
CACHE = Path(".cache/bench")


def phantom(field: str) -> Path:
    """The phantom of a field in full size; made once."""
    path = CACHE / f"{field}_{SEED}.nii.gz"
    if path.exists():
        return path
    from vertseg.phantom import ScanConfig, render_scan

    print(f"Rendering the {field} phantom", file=sys.stderr)
    rendered = render_scan(SEED, ScanConfig(field=field, spacing_mm=(2.0, 2.0, 2.0), appearance=0.3)).hu  # type: ignore[arg-type]
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])
    centre = rendered.grid.world((np.array(rendered.array.shape) - 1) / 2)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(SHAPES[field]) - 1) / 2)
    full = rendered.resampled_to(Grid(SHAPES[field], affine), 1, -1024.0).array
    rng = np.random.default_rng(SEED)
    stored = np.empty(full.shape, dtype=np.int16, order="F")
    for z in range(full.shape[2]):
        noise = rng.normal(0, NOISE_HU, full.shape[:2]) * (full[..., z] > -1000)
        stored[..., z] = np.rint(np.clip(full[..., z] + noise, -1024, 3071))
    write_nifti(path, Volume(stored, affine))
    return path


def predict_once(scan: Path, folder: Path, engine: Any, levels: tuple[int, ...] | None) -> dict[str, Any]:
    """Wall and CPU seconds of each stage, from the file to the outputs."""
    from vertseg import PredictOptions, predict
    from vertseg.report.writer import write_outputs

    start, cpu = time.perf_counter(), time.process_time()
    opened = read_scan(scan, as_stored=True)
    read = time.perf_counter() - start
    findings = predict(opened, options=PredictOptions(levels=levels), engine=engine)
    written = time.perf_counter()
    write_outputs(findings, opened.volume, folder)
    end = time.perf_counter()
    stages = {"read": read, **{k: v for k, v in findings.seconds.items() if k not in ("load", "read")}}
    stages["write"] = end - written
    return {
        "wall_s": round(end - start, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "stages_s": {name: round(s, 3) for name, s in stages.items()},
        "vertebrae": [v.name for v in findings.vertebrae],
    }


def points_once(scan: Path, engine: Any) -> dict[str, Any]:
    """Seconds of one vertebra at a point, of a scan in memory whose column is known: the median of a few."""
    from vertseg import PredictOptions
    from vertseg.inference.session import ScanSession

    session = ScanSession(read_scan(scan, as_stored=True), engine)
    vertebrae = session.column().vertebrae[:POINTS]
    runs = []
    for vertebra in vertebrae:
        start, cpu = time.perf_counter(), time.process_time()
        x, y, z = (float(c) for c in vertebra.centroid_mm)
        session.predict(PredictOptions(point_mm=(x, y, z)))
        runs.append((time.perf_counter() - start, time.process_time() - cpu))
    wall, cpu_s = np.median(np.array(runs), axis=0)
    return {"wall_s": round(float(wall), 3), "cpu_s": round(float(cpu_s), 3), "vertebrae": len(runs)}


def child(scan: Path, engine_name: str, threads: int, warm: bool, levels: str | None) -> None:
    """One process: a cold prediction and, if `warm`, a second one; prints JSON."""
    born = _seconds_since_start()
    from vertseg.cli import parse_levels
    from vertseg.inference.engines import open_engine

    loading = time.perf_counter()
    engine = open_engine(engine_name, None, "auto", threads)
    result: dict[str, Any] = {"engine": engine.name, "device": engine.device}
    result |= {"precision": getattr(engine, "precision", "float32"), "before_s": round(born, 2)}
    result["open_engine_s"] = round(time.perf_counter() - loading, 2)
    with tempfile.TemporaryDirectory() as folder:
        result["cold"] = predict_once(scan, Path(folder) / "out", engine, parse_levels(levels))
        result["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
        result["start_to_result_s"] = round(_seconds_since_start(), 2)
        if warm:
            result["warm"] = predict_once(scan, Path(folder) / "out", engine, parse_levels(levels))
    if warm and levels is None:
        result["point"] = points_once(scan, engine)
    print(json.dumps(result))


def _seconds_since_start() -> float:
    """Seconds since this process was started, by the kernel's clock."""
    ticks = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def measured(scan: Path, arguments: argparse.Namespace, levels: str | None = None) -> dict[str, Any]:
    """The child's figures in a fresh process; of several repeats the one with the least wall time."""
    command = [sys.executable, __file__, "--child", str(scan), "--threads", str(arguments.threads)]
    command += ["--engine", arguments.engine, *(["--levels", levels] if levels else [])]
    limits = {"OMP_NUM_THREADS": str(arguments.threads), "OPENBLAS_NUM_THREADS": str(arguments.threads)}
    runs = []
    for _ in range(arguments.repeats):
        out = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, **limits}
        )
        runs.append(json.loads(out.stdout.splitlines()[-1]))
    best: dict[str, Any] = min(runs, key=lambda run: run["warm"]["wall_s"])
    return best


def machine() -> dict[str, Any]:
    """What the figures were measured on, with the load of others when it began."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next((line for line in info if line.startswith("flags")), "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return {
        "cpu": processor(), "cores": os.cpu_count(), "instructions": [f for f in wanted if f in flags],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2), "python": platform.python_version(), "vertseg": __version__,
    }  # fmt: skip


def verdicts(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """Targets of a scan and whether they are met."""
    found: dict[str, Any] = {"peak_gb": {"target": TARGET_PEAK_GB, "met": run["peak_gb"] <= TARGET_PEAK_GB}}
    if name in TARGET_S:
        found["warm_s"] = {"target": TARGET_S[name], "met": run["warm"]["wall_s"] <= TARGET_S[name]}
    found["point_s"] = {"target": TARGET_POINT_S, "met": run["point"]["wall_s"] <= TARGET_POINT_S}
    if name == "lumbar":
        over = round(run["start_to_result_s"] - run["warm"]["wall_s"], 2)
        found["cold_over_warm_s"] = {"value": over, "target": TARGET_COLD_S, "met": over <= TARGET_COLD_S}
        share = round(run["L2_only"]["warm"]["wall_s"] / run["warm"]["wall_s"], 3)
        found["L2_share"] = {"value": share, "target": TARGET_LEVEL_SHARE, "met": share <= TARGET_LEVEL_SHARE}
    return found


def draw(scans: dict[str, Any], path: Path) -> None:
    """Stacked bars of the warm stages, one a scan."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 0.7 * len(scans)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    left = np.zeros(len(scans))
    for stage in dict.fromkeys(s for run in scans.values() for s in run["warm"]["stages_s"]):
        seconds = np.array([run["warm"]["stages_s"].get(stage, 0.0) for run in scans.values()])
        axes.barh(list(scans), seconds, left=left, label=stage)
        left += seconds
    axes.set_xlabel("wall seconds, warm, file to outputs")
    axes.legend(fontsize=8, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.35))
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=Path, nargs="*", default=[], metavar="PATH", help="real scans too")
    parser.add_argument("--only", default="whole,lumbar", help="which phantoms")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1, metavar="N")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/predict.json"))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--levels", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.engine, arguments.threads, True, arguments.levels)
        return 0
    try:
        names = [name for name in arguments.only.split(",") if name]
        unknown = [name for name in names if name not in SHAPES]
        if unknown:
            raise ConfigError(f"There is no phantom '{unknown[0]}'; choose of {', '.join(SHAPES)}.")
        result: dict[str, Any] = {"machine": machine(), "threads": arguments.threads, "scans": {}}
        files = {name: phantom(name) for name in names}
        files |= {path.name.removesuffix(".gz").removesuffix(".nii"): path for path in arguments.scan}
        for name, path in files.items():
            run = measured(path, arguments)
            run["file_mb"] = round(path.stat().st_size / 1e6, 1)
            if name == "lumbar":
                run["L2_only"] = measured(path, arguments, "L2")
            result["scans"][name] = {**run, "targets": verdicts(name, run)}
            print(f"{name}: {json.dumps(result['scans'][name])}", file=sys.stderr, flush=True)
        draw(result["scans"], arguments.output.with_suffix(".png"))
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except (VertsegError, subprocess.CalledProcessError) as error:
        print(getattr(error, "stderr", None) or error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
