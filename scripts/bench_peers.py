#!/usr/bin/env python3
"""Time a whole prediction beside nnU-Net's predictor and MONAI's sliding window, on one scan and one machine.

python scripts/bench_peers.py --scan PATH [--threads 2] [--patches 2] [--only vertseg,monai,nnunet]

    vertseg  the scan's file to all outputs, by scripts/bench_predict.py, in a fresh process
    monai    the examine network (without its marker) by MONAI's transforms and SlidingWindowInferer over the whole scan
             at 1.5 mm, windows of 64^3 that overlap by a quarter, labels brought back and written
    nnunet   nnU-Net v2's predictor with its default 3d_fullres network (PlainConvUNet of 6 stages, patch 128^3, step
             half a patch) at 1.5 mm with 27 outputs, as one of the five models of TotalSegmentator's task "total" has
             them; read, resampled, predicted, and its own export. Weights are random: they do not change the time

nnU-Net's patches are all alike; --patches of them are run and the prediction is their mean time their number, which the
figures say ("patches_run", "patches"); reading, preprocessing and export are run in full. 0 runs every patch. nnU-Net
lives in a virtual environment of its own (.venv-peers), which is made when absent. Memory is each process's own peak.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from vertseg.errors import ConfigError, VertsegError
from vertseg.io.atomic import write_text
from vertseg.processor import processor

REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = REPOSITORY / ".venv-peers"
NNUNET = "nnunetv2==2.8.1"
PEERS = ("vertseg", "monai", "nnunet")
GOALS = {"nnunet": 50.0, "monai": 5.0}


def nnunet_python() -> Path:
    """Python of nnU-Net's environment; made when absent.

    Raises:
        ConfigError: a package could not be installed.
    """
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / f".{NNUNET}-installed"
    if stamp.exists():
        return python
    pins = (REPOSITORY / "constraints.txt").read_text().splitlines()
    kept = [pin for pin in pins if pin.startswith(("torch==", "numpy=="))]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(kept) + "\n")
        constraints.flush()
        pip = [str(python), "-m", "pip", "install", "--quiet", "-c", constraints.name]
        torch = next(pin for pin in kept if pin.startswith("torch=="))
        made = [sys.executable, "-m", "venv", str(ENVIRONMENT)]
        for command in (made, [*pip, torch], [*pip, NNUNET]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
                raise ConfigError(f"nnU-Net's environment could not be made: {' '.join(reason)}")
    stamp.touch()
    return python


def vertseg_run(scan: Path, threads: int) -> dict[str, Any]:
    """Our own figures, with a loaded engine and from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "predict.json"
        command = [sys.executable, str(REPOSITORY / "scripts" / "bench_predict.py"), "--only", ""]
        command += ["--scan", str(scan), "--threads", str(threads), "--output", str(output)]
        _run(command, threads)
        (run,) = json.loads(output.read_text())["scans"].values()
    return {
        "wall_s": run["warm"]["wall_s"],
        "cpu_s": run["warm"]["cpu_s"],
        "peak_gb": run["peak_gb"],
        "first_of_a_process_wall_s": run["cold"]["wall_s"],
        "engine": f"{run['engine']}, {run['precision']}",
        "vertebrae": run["vertebrae"] if "vertebrae" in run else run["warm"]["vertebrae"],
    }


def peer_run(
    python: Path, name: str, scan: Path, arguments: argparse.Namespace, *options: str
) -> dict[str, Any]:
    """Figures that `peer_predict.py` prints."""
    script = REPOSITORY / "scripts" / "peer_predict.py"
    command = [str(python), str(script), name, str(scan), str(arguments.threads), *options]
    found: dict[str, Any] = json.loads(_run(command, arguments.threads).splitlines()[-1])
    return found


def _run(command: list[str], threads: int) -> str:
    limits = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    environment = {**os.environ, **limits, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ConfigError(f"{' '.join(command[1:3])} failed: {' '.join(said)}")
    return done.stdout


def ratios(runs: dict[str, Any]) -> dict[str, Any]:
    """How many times as long, as much CPU and as much memory each peer takes as vertseg."""
    ours = runs["vertseg"]
    return {
        name: {
            "times_wall": round(run["wall_s"] / ours["wall_s"], 1),
            "times_cpu": round(run["cpu_s"] / ours["cpu_s"], 1),
            "times_peak": round(run["peak_gb"] / ours["peak_gb"], 2),
            "goal_times": GOALS[name.partition("_")[0]],
            "met": run["cpu_s"] / ours["cpu_s"] >= GOALS[name.partition("_")[0]],
        }
        for name, run in runs.items()
        if name != "vertseg"
    }


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patches", type=int, default=2, help="of nnU-Net's; 0 for all")
    parser.add_argument(
        "--only", default=",".join(PEERS), help="which of them; the others keep their figures"
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/peers.json"))
    arguments = parser.parse_args()
    try:
        names = arguments.only.split(",")
        unknown = sorted({*names} - {*PEERS})
        if unknown:
            raise ConfigError(f"There is no peer '{unknown[0]}'; choose of {', '.join(PEERS)}.")
        runs: dict[str, Any] = {}
        if arguments.output.exists():
            before = json.loads(arguments.output.read_text())
            runs = before["runs"] if before["scan"] == arguments.scan.name else {}
        if "vertseg" in names:
            runs["vertseg"] = vertseg_run(arguments.scan, arguments.threads)
        if "monai" in names:
            runs["monai"] = peer_run(Path(sys.executable), "monai", arguments.scan, arguments)
        if "nnunet" in names:
            python, patches = nnunet_python(), str(arguments.patches)
            for mirrored in ("plain", "mirrored"):
                key = "nnunet" if mirrored == "plain" else "nnunet_mirrored"
                runs[key] = peer_run(python, "nnunet", arguments.scan, arguments, patches, mirrored)
        result = {
            "scan": arguments.scan.name,
            "cpu": processor(),
            "cores": os.cpu_count(),
            "threads": arguments.threads,
            "load_average": round(os.getloadavg()[0], 2),
            "versions": {name: importlib.metadata.version(name) for name in ("monai", "torch")},
            "runs": runs,
            "beside_vertseg": ratios(runs) if "vertseg" in runs else None,
        }
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result["beside_vertseg"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
