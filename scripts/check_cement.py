#!/usr/bin/env python3
"""Measure cement in rendered phantoms and compare it with what was drawn.

python scripts/check_cement.py --seeds 900000-900019 [--masks true|predicted|both] [--output benchmarks/cement.json]

Every other vertebra from T4 to L5 of each seed's patient gets cement with drawn leaks (besides what the patient has
already); the scan is rendered, and `planning.cement_spread` measures it with the true labels, with labels whose
cement mask lacks all leaks ("weak"), or with those that the default networks predict. Figures: volume (share of
vertebrae within 5 %), compartments (of all leaks that are drawn or found, the share in the right one; a leak is 0.05 ml
or more by one way), with 95 % intervals by patient.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import ConfigError, VertsegError
from vertseg.evaluation.cement_truth import labelled_findings, leaked_by_way_ml
from vertseg.inference.findings import Findings
from vertseg.io.atomic import write_text
from vertseg.labels import LUMBAR, THORACIC, level_name
from vertseg.phantom import ScanConfig
from vertseg.phantom.memory import keep_freed_memory
from vertseg.phantom.pathology.cementation import draw_cement
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.render import render_acquired
from vertseg.phantom.scanner.acquisition import acquire
from vertseg.phantom.types import Anatomy, PhantomScan
from vertseg.planning.cement_spread import LEAK_THRESHOLD_ML, CementSpread, cement_spread

MASKS: Final = ("true", "weak", "predicted")
WAYS: Final = {
    "canal": ("canal",), "disc": ("disc_above", "disc_below"), "vein": ("vein",), "track": ("cannula_track",),
}  # fmt: skip
"""Drawn ways, and the compartments that are right for each; nothing is drawn into soft tissue."""

INJECTED_SHARE: Final = 0.5
_STREAM: Final = 77
_RESAMPLES: Final = 2000

Row = dict[str, Any]


def treated(seed: int, config: ScanConfig) -> Anatomy:
    """The seed's patient, with cement in half of the vertebrae from T4 to L5 that hold no screws."""
    anatomy = draw_anatomy(seed, config)
    rng = np.random.default_rng([seed, _STREAM])
    column = []
    for shape in anatomy.vertebrae:
        free = shape.screws is None and shape.cement is None and shape.level in (*THORACIC[3:], *LUMBAR)
        if free and rng.random() < INJECTED_SHARE:
            shape = replace(shape, cement=draw_cement(shape, rng))
        column.append(shape)
    return replace(anatomy, vertebrae=tuple(column))


def rows_of(
    seed: int, config: ScanConfig, masks: list[str], predict: Callable[[PhantomScan], Findings]
) -> dict[str, list[Row]]:
    """Each treated vertebra's drawn and measured ml, for each kind of masks."""
    anatomy = treated(seed, config)
    acquisition = acquire(anatomy, config)
    scan = render_acquired(anatomy, acquisition, config.device)
    ways = leaked_by_way_ml(
        anatomy, scan.level, np.linalg.inv(np.asarray(acquisition.patient_from_world, np.float64))
    )
    found = {}
    for kind in masks:
        findings = predict(scan) if kind == "predicted" else labelled_findings(scan, leaks=kind == "true")
        spreads = cement_spread(findings, scan.hu)
        found[kind] = [
            _row(seed, v.level, (v.cement_ml, ways.get(v.level, {})), spreads.get(v.level))
            for v in scan.vertebrae
            if v.cement_ml >= LEAK_THRESHOLD_ML and _whole(scan, v.level)
        ]
    return found


def _whole(scan: PhantomScan, level: int) -> bool:
    """Whether the field of view cuts neither the vertebra nor its cement off."""
    at = np.argwhere(scan.level.array == level)
    return bool(at.size and (at > 0).all() and (at < np.array(scan.level.array.shape) - 1).all())


def _row(seed: int, level: int, drawn: tuple[float, dict[str, float]], found: CementSpread | None) -> Row:
    measured = dict.fromkeys(WAYS, 0.0)
    if found is not None:
        measured = {w: sum(found.compartment_ml[c] for c in parts) for w, parts in WAYS.items()}
    return {
        "seed": seed,
        "level": level_name(level),
        "drawn_ml": round(drawn[0], 4),
        "measured_ml": None if found is None else round(found.cement_ml, 4),
        "drawn_by_way_ml": {w: round(float(ml), 4) for w, ml in drawn[1].items()},
        "measured_by_way_ml": {w: round(ml, 4) for w, ml in measured.items()},
        "soft_tissue_ml": 0.0 if found is None else round(found.compartment_ml["soft_tissue"], 4),
    }


def summary(rows: list[Row], seeds: list[int]) -> dict[str, Any]:
    """Figures with intervals: the seeds are drawn anew with replacement."""
    by_seed = {seed: [r for r in rows if r["seed"] == seed] for seed in seeds}
    held = [seed for seed in seeds if by_seed[seed]]
    rng = np.random.default_rng(0)
    drawn = [
        figures([r for seed in rng.choice(held, len(held)) for r in by_seed[int(seed)]])
        for _ in range(_RESAMPLES if held else 0)
    ]
    result: dict[str, Any] = {}
    for name, value in figures(rows).items():
        values = np.array([d[name] for d in drawn if d[name] is not None], np.float64)
        low, high = np.percentile(values, (2.5, 97.5)) if len(values) and name[:2] != "n_" else (None, None)
        result[name] = {"value": _short(value), "low": _short(low), "high": _short(high)}
    return result


def figures(rows: list[Row]) -> dict[str, float | None]:
    """Shares and counts of some vertebrae."""
    found = [r for r in rows if r["measured_ml"] is not None]
    error = _errors(found)
    large = np.array([r["drawn_ml"] >= 1.0 for r in found], bool)
    right, drawn, measured, soft = 0, 0, 0, 0
    for row in rows:
        for way in WAYS:
            a, b = (
                row[f"{kind}_by_way_ml"].get(way, 0.0) >= LEAK_THRESHOLD_ML for kind in ("drawn", "measured")
            )
            right, drawn, measured = right + (a and b), drawn + a, measured + b
        soft += row["soft_tissue_ml"] >= LEAK_THRESHOLD_ML
    return {
        "n_vertebrae": len(rows),
        "n_leaks_drawn": drawn,
        "found": len(found) / len(rows) if rows else None,
        "volume_within_5_percent": _mean(np.abs(error) <= 0.05),
        "volume_within_10_percent": _mean(np.abs(error) <= 0.10),
        "volume_within_5_percent_from_1_ml": _mean(np.abs(error[large]) <= 0.05),
        "volume_bias": _mean(error),
        "volume_mean_absolute_error": _mean(np.abs(error)),
        "total_volume_error": _total(found),
        "leaks_right": right / drawn if drawn else None,
        "leaks_precision": right / (measured + soft) if measured + soft else None,
        "compartments_right": right / (drawn + measured + soft - right) if drawn + measured + soft else None,
    }


def _errors(rows: list[Row]) -> NDArray[np.float64]:
    return np.array([r["measured_ml"] / r["drawn_ml"] - 1.0 for r in rows], np.float64)


def _total(rows: list[Row]) -> float | None:
    drawn = sum(r["drawn_ml"] for r in rows)
    return float(sum(r["measured_ml"] for r in rows) / drawn - 1.0) if drawn else None


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def parse_seeds(text: str) -> range:
    """The seeds of "A-B", both included.

    Raises:
        ConfigError: not two numbers in order.
    """
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ConfigError(f"--seeds '{text}' is not a range; write it like --seeds 900000-900019.")
    return range(int(first), int(last) + 1)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", required=True, metavar="A-B")
    parser.add_argument("--masks", default="true,weak", help="some of true, weak, predicted")
    parser.add_argument("--spacing", type=float, nargs=3, default=(1.25, 1.25, 2.0), metavar="MM")
    parser.add_argument("--field", choices=("lumbar", "thoracic", "whole", "random"), default="random")
    parser.add_argument("--appearance", type=float, default=0.5)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/cement.json"))
    return parser.parse_args()


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    arguments = parse_arguments()
    keep_freed_memory()
    try:
        seeds = parse_seeds(arguments.seeds)
        masks = arguments.masks.split(",")
        if not set(masks) <= set(MASKS):
            raise ConfigError(f"--masks '{arguments.masks}' has other words than {', '.join(MASKS)}.")
        config = ScanConfig(
            field=arguments.field, spacing_mm=tuple(arguments.spacing), appearance=arguments.appearance
        )
        rows: dict[str, list[Row]] = {kind: [] for kind in masks}
        predict = _predictor(masks)
        for seed in seeds:
            for kind, new in rows_of(seed, config, masks, predict).items():
                rows[kind] += new
            print(f"{seed}: {len(rows[masks[0]])} treated vertebrae so far", flush=True)
        content = {
            "seeds": [seeds.start, seeds.stop - 1],
            "field": arguments.field,
            "spacing_mm": list(arguments.spacing),
            "appearance": arguments.appearance,
            "leak_threshold_ml": LEAK_THRESHOLD_ML,
            "targets": {"volume_within_5_percent": None, "compartments_right": 0.95},
            "figures": {kind: summary(rows[kind], list(seeds)) for kind in masks},
            "vertebrae": rows,
        }
        write_text(arguments.output, json.dumps(content, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    for kind in masks:
        print(kind, {name: f["value"] for name, f in content["figures"][kind].items()})
    return 0


def _predictor(masks: list[str]) -> Callable[[PhantomScan], Findings]:
    from vertseg.inference.engines import open_engine
    from vertseg.inference.pipeline import predict

    engine = open_engine("auto", None, "auto", None) if "predicted" in masks else None
    return lambda scan: predict(scan.hu, engine=engine)


if __name__ == "__main__":
    sys.exit(main())
