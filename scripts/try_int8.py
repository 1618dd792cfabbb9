#!/usr/bin/env python3
"""Quantise the examine graph to int8 with NNCF and say what it costs in parity and gives in time; keeps no model.

python -m venv .venv-nncf && .venv-nncf/bin/pip install nncf openvino numpy nibabel ...
.venv-nncf/bin/python scripts/try_int8.py [--seeds 900400,900401] [--output benchmarks/int8.json]

Calibrated on the crops of one half of the phantoms' vertebrae (validation seeds), compared with float32 on the other
half: Dice of what is decided from the probabilities, leak logits, CPU seconds a crop with one thread.
"""

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import VertsegError
from vertseg.inference.engines import open_engine
from vertseg.inference.engines.graph_files import graph_files
from vertseg.inference.session import ScanSession
from vertseg.io.atomic import write_text
from vertseg.labels import FINDINGS, Tissue
from vertseg.phantom import ScanConfig, render_scan
from vertseg.preprocess import examine_input
from vertseg.processor import processor

LEAST_DICE = 0.995
MOST_LEAK_APART = 0.01
FINDING_FROM = 0.5


def crops_of(seeds: list[int]) -> NDArray[np.float32]:
    """Inputs (N, 2, X, Y, Z) of the examine network: every vertebra found in lumbar phantoms."""
    engine = open_engine("openvino", None, "cpu", 1)
    crops = []
    for seed in seeds:
        config = ScanConfig(field="lumbar", spacing_mm=(1.0, 1.0, 1.5), appearance=0.5)
        session = ScanSession(render_scan(seed, config).hu, engine)
        for v in session.column().vertebrae:
            crop, _ = examine_input(session.scan.volume, v.centroid_mm, v.axes, v.marker, engine.crop)
            crops.append(crop)
    return np.stack(crops)


def run(compiled: Any, crops: NDArray[np.float32]) -> tuple[dict[str, NDArray[np.float32]], float]:
    """Outputs by name (N, ...) and CPU seconds a crop."""
    plan = np.full((1, 3), np.nan, np.float32)
    outputs: dict[str, list[NDArray[np.float32]]] = {}
    compiled([crops[:1], plan])
    start = time.process_time()
    for crop in crops:
        found = compiled([crop[None], plan])
        for port in compiled.outputs:
            outputs.setdefault(port.any_name, []).append(np.array(found[port]))
    seconds = (time.process_time() - start) / len(crops)
    return {name: np.concatenate(values) for name, values in outputs.items()}, seconds


def dices(a: dict[str, NDArray[np.float32]], b: dict[str, NDArray[np.float32]]) -> dict[str, float | None]:
    """Dice of each tissue and finding; None where neither shows it."""
    masks = {t.name.lower(): [o["tissue"].argmax(1) == t for o in (a, b)] for t in Tissue if t}
    for i, name in enumerate(FINDINGS):
        masks[name] = [o["findings"][:, i] > FINDING_FROM for o in (a, b)]
    found: dict[str, float | None] = {}
    for name, (x, y) in masks.items():
        total = int(x.sum() + y.sum())
        found[name] = round(float(2 * (x & y).sum() / total), 5) if total else None
    return found


def main() -> int:
    """Try and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="900400,900401")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/int8.json"))
    arguments = parser.parse_args()
    import openvino

    nncf: Any = import_module("nncf")

    try:
        crops = crops_of([int(seed) for seed in arguments.seeds.split(",")])
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    core = openvino.Core()
    model = core.read_model(graph_files(None)["examine"].path)
    config = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    plan = np.full((1, 3), np.nan, np.float32)
    calibration = nncf.Dataset([[crop[None], plan] for crop in crops[::2]])
    kept = crops[1::2]
    wanted, float_s = run(core.compile_model(model, "CPU", config), kept)
    result: dict[str, Any] = {
        "cpu": processor(), "nncf": nncf.__version__, "openvino": openvino.__version__, "crops": len(kept),
        "calibration_crops": len(crops) - len(kept), "bounds": {"dice": LEAST_DICE, "leak": MOST_LEAK_APART},
        "float32_cpu_s_per_crop": round(float_s, 3), "variants": {},
    }  # fmt: skip
    for name in ("PERFORMANCE", "MIXED"):
        quantised = nncf.quantize(
            model, calibration, preset=nncf.QuantizationPreset[name], subset_size=len(crops) - len(kept)
        )
        got, seconds = run(core.compile_model(quantised, "CPU", config), kept)
        scores = dices(wanted, got)
        leak = float(
            np.abs(1 / (1 + np.exp(-wanted["leak_logits"])) - 1 / (1 + np.exp(-got["leak_logits"]))).max()
        )
        result["variants"][name.lower()] = {
            "cpu_s_per_crop": round(seconds, 3),
            "times_as_fast": round(float_s / seconds, 2),
            "dice": scores,
            "leak_apart": round(leak, 4),
            "met": min(d for d in scores.values() if d is not None) >= LEAST_DICE and leak <= MOST_LEAK_APART,
        }
    write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
