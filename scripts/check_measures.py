"""Checks the measures of planning on rendered phantoms against what the phantoms were drawn with.

    python scripts/check_measures.py --seeds 900000 900100 --cache .cache --output checkpoints/evaluation/measures.json

Each seed gives one patient with a vertebra that is sick more often than usual, and its neighbours, in a field of about three
vertebrae. Measured are its true masks, or with `--predicted` the default networks' ones. What is compared: the
height lost against the neighbours (within 5 points), the area of wall defects (within 20 %, or 4 mm2 of small ones),
the volume of lesions (within 5 %, or 0.05 ml). Results of a seed are kept in the cache, so that a run goes on where it ended.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from vertseg.errors import ConfigError, VertsegError
from vertseg.evaluation.bootstrap import Resampling
from vertseg.frames import labelled_vertebrae
from vertseg.io.atomic import write_text
from vertseg.labels import FINDINGS, level_name
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.crop import crop_frame, draw_patient
from vertseg.phantom.render import paint_patient
from vertseg.phantom.scanner.acquisition import crop_acquisition
from vertseg.phantom.scanner.crop_scan import scan_crop
from vertseg.phantom.scanner.randomise import randomise_image
from vertseg.phantom.truth import measured
from vertseg.phantom.types import PhantomScan, PhantomVertebra
from vertseg.planning.upright import ScanLabels, UprightVertebra, stand_upright, upright_vertebra
from vertseg.planning.vertebra_measures import VertebraMeasures, measure_vertebrae
from vertseg.volume import Volume

SHAPE: Final = (70, 80, 78)
SPACING_MM: Final = 1.6
LOSS_POINTS: Final = 5.0
AREA_SHARE: Final = 0.2
AREA_MM2: Final = 4.0
VOLUME_SHARE: Final = 0.05
VOLUME_ML: Final = 0.05


def phantom(seed: int) -> PhantomScan:
    """About three vertebrae around one that is often sick, at 1.6 mm, turned and taken as a clinic would."""
    rng = np.random.default_rng([seed, 7])
    anatomy, target = draw_patient(seed, rng, "cpu")
    grid = crop_frame(target, rng, (SHAPE, SPACING_MM))
    acquisition = crop_acquisition(grid, rng)
    canvas = Canvas(grid, np.eye(4), acquisition.psf_mm, "cpu")
    sheet = paint_patient(canvas, anatomy, acquisition.apparent_edge_mm)
    image = randomise_image(
        scan_crop(canvas.hu, canvas.grid, acquisition, anatomy.seed), anatomy.appearance, anatomy.seed
    )

    def volume(values: torch.Tensor) -> Volume:
        return Volume(values.cpu().numpy(), grid.affine).oriented("RAS")

    findings = {name: volume(sheet.findings[i]) for i, name in enumerate(FINDINGS)}
    truth = measured(anatomy, canvas, sheet, np.eye(4))
    return PhantomScan(
        volume(image.float()), volume(sheet.level), volume(sheet.tissue), findings, truth, anatomy.seed
    )


def true_vertebrae(scan: PhantomScan) -> list[UprightVertebra]:
    """The vertebrae of true masks whose body is whole in view, with axes as inference finds them."""
    labels = ScanLabels(scan.level, scan.tissue, scan.findings)
    return [stand_upright(labels, scan.hu, v) for v in labelled_vertebrae(scan.level, scan.tissue)]


def predicted_vertebrae(scan: PhantomScan) -> list[UprightVertebra]:
    """The vertebrae as the default networks find them; those that the border cuts are left out."""
    from vertseg.inference.pipeline import predict

    findings = predict(scan.hu)
    whole = [i for i, v in enumerate(findings.vertebrae) if not v.cut_by_field]
    return [upright_vertebra(findings, scan.hu, i) for i in whole]


def rows_of(seed: int, predicted: bool) -> list[dict[str, Any]]:
    """What was drawn and what is measured of each vertebra in view that is whole."""
    scan = phantom(seed)
    vertebrae = predicted_vertebrae(scan) if predicted else true_vertebrae(scan)
    truth = {v.level: v for v in scan.vertebrae}
    found = [m for m in measure_vertebrae(vertebrae) if m.level in truth]
    return [row(seed, m, truth[m.level]) for m in found]


def row(seed: int, found: VertebraMeasures, truth: PhantomVertebra) -> dict[str, Any]:
    """Drawn and measured values of one vertebra, in plain numbers."""
    return {
        "seed": seed,
        "level": level_name(found.level),
        "fracture": truth.fracture,
        "true_loss_percent": 100 * truth.height_loss,
        "loss_percent": found.collapse.loss_percent,
        "shape": found.collapse.shape,
        "neighbours": len(found.collapse.neighbours),
        "true_wall_mm2": truth.wall_defect_mm2,
        "wall_mm2": found.wall.defect_mm2 + found.wall.foramen_defect_mm2,
        "true_lytic_ml": truth.lytic_ml,
        "lytic_ml": found.lesion.lytic_ml,
        "retropulsion_mm": found.canal.retropulsion_mm,
    }


Row = dict[str, Any]


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of vertebrae within the tolerances, and errors, with 95 % intervals over patients."""
    sampling = Resampling.of([str(r["seed"]) for r in rows])
    loss = [r for r in rows if r["loss_percent"] is not None]
    wall = [r for r in rows if r["true_wall_mm2"] > 0 or r["wall_mm2"] > 0]
    lytic = [r for r in rows if r["true_lytic_ml"] > 0 or r["lytic_ml"] > 0]
    losses = {"share": 0.0, "absolute": LOSS_POINTS}
    groups: list[tuple[str, list[Row], str, dict[str, float]]] = [
        ("height_loss", loss, "loss_percent", losses),
        ("height_loss_fractured", [r for r in loss if r["true_loss_percent"] >= 20], "loss_percent", losses),
        ("height_loss_two_neighbours", [r for r in loss if r["neighbours"] == 2], "loss_percent", losses),
        ("wall_area", wall, "wall_mm2", {"share": AREA_SHARE, "absolute": AREA_MM2}),
        ("lytic_volume", lytic, "lytic_ml", {"share": VOLUME_SHARE, "absolute": VOLUME_ML}),
    ]
    result = {}
    for name, some, key, tolerance in groups:
        patients = [str(r["seed"]) for r in some]
        within = sampling.mean([float(_near(r, key, **tolerance)) for r in some], patients)
        result[name] = {"within": _plain(within)} | _errors(sampling, some, key)
    return result


def _near(row: dict[str, Any], key: str, share: float, absolute: float) -> bool:
    return bool(abs(row[key] - row[f"true_{key}"]) <= max(absolute, share * row[f"true_{key}"]))


def _errors(sampling: Resampling, rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    errors = [r[key] - r[f"true_{key}"] for r in rows]
    patients = [str(r["seed"]) for r in rows]
    return {
        "bias": _plain(sampling.mean(errors, patients)),
        "median_absolute_error": _plain(sampling.median([abs(e) for e in errors], patients)),
    }


def _plain(estimate: Any) -> dict[str, Any]:
    numbers = {name: getattr(estimate, name) for name in ("value", "low", "high")}
    return {k: None if v is None else round(float(v), 4) for k, v in numbers.items()} | {
        "n": estimate.n,
        "patients": estimate.patients,
    }


def main() -> int:
    """Measure the seeds that are not there yet and write the figures of all; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "END"))
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder of the seeds' results")
    parser.add_argument(
        "--predicted", action="store_true", help="measure the networks' masks, not the true ones"
    )
    parser.add_argument("--output", type=Path, required=True, help="JSON with the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if arguments.seeds[1] <= arguments.seeds[0]:
            raise ConfigError("Give a range of seeds: the first, and the one past the last.")
        rows = []
        for seed in range(*arguments.seeds):
            rows += _kept(seed, arguments.predicted, arguments.cache)
            print(f"\r{seed}", end="", file=sys.stderr, flush=True)
        result = {
            "masks": "predicted" if arguments.predicted else "true",
            "seeds": arguments.seeds,
            "spacing_mm": SPACING_MM,
            "vertebrae": len(rows),
            "tolerances": {
                "loss_points": LOSS_POINTS, "area_share": AREA_SHARE, "area_mm2": AREA_MM2,
                "volume_share": VOLUME_SHARE, "volume_ml": VOLUME_ML,
            },
            "figures": figures(rows),
        }  # fmt: skip
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(f"check_measures: {error}", file=sys.stderr)
        return 2
    return 0


def _kept(seed: int, predicted: bool, cache: Path) -> list[dict[str, Any]]:
    path = cache / f"measures_{'predicted' if predicted else 'true'}_{seed}.json"
    if path.is_file():
        kept: list[dict[str, Any]] = json.loads(path.read_text())
        return kept
    rows = rows_of(seed, predicted)
    cache.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(rows) + "\n")
    return rows


if __name__ == "__main__":
    sys.exit(main())
