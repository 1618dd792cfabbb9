"""Check that no offered corridor crosses the canal: many random phantom vertebrae against the generator's own canal.

Each patient's vertebrae from T4 down are drawn as labels on a 1 mm grid in their own frame, which is off by what a
locate network would be off; corridors are planned on those labels alone, and then compared with the analytic canal
of the generator at 0.5 mm. Written to a JSON file after every patient, from which a stopped run goes on:

    python scripts/check_corridors.py --patients 1000 --first 900000 --output benchmarks/corridors.json
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation
from scipy.stats import beta

from vertseg.io.atomic import write_text
from vertseg.labels import FINDINGS, LocateClass
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.case import INJECTED_LEVELS
from vertseg.phantom.pathology.patch import local_points
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.shapes import smooth_min
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, ScanConfig, VertebraShape
from vertseg.phantom.vertebra.bones import FILLET_MM, vertebra_corners
from vertseg.phantom.vertebra.deformation import deformed_distances, warped
from vertseg.phantom.vertebra.distances import canal_distances
from vertseg.planning.corridor import Corridor, plan_corridors
from vertseg.planning.gauges import GAUGES
from vertseg.planning.upright import UprightVertebra
from vertseg.processor import processor
from vertseg.volume import Grid, crop_grid

SHAPE, SPACING_MM, BEHIND_MM = (92, 104, 64), 1.0, 24.0
TRUTH_STEP_MM = 0.5
FRAME_ERROR_DEG, FRAME_ERROR_MM = 3.0, 1.5
"""Standard deviation of the frame's turn about each axis and of its centre along each axis."""


def drawn_labels(
    canvas: Canvas, anatomy: Anatomy, target: VertebraShape
) -> tuple[LabelSheet, dict[str, Any]]:
    """Labels of a vertebra and its neighbours, and its own distances on the canvas's voxels."""
    sheet, own = LabelSheet.blank(canvas), {}
    at = [s.level for s in anatomy.vertebrae].index(target.level)
    for shape in anatomy.vertebrae[max(0, at - 1) : at + 2]:
        box = canvas.box(vertebra_corners(shape), 1.0)
        if box is None:
            continue

        def distances(p: torch.Tensor, shape: VertebraShape = shape) -> tuple[torch.Tensor, ...]:
            d = deformed_distances(local_points(p, shape), shape)
            return d.body, d.posterior

        body, posterior = canvas.field(box, distances, 2.0 if shape.level == target.level else 4.0)
        part = torch.where(body <= posterior, int(LocateClass.BODY), int(LocateClass.POSTERIOR))
        whole = smooth_min(body, posterior, FILLET_MM)
        sheet.claim(box, whole, part.to(torch.uint8), shape.level)
        if shape.level == target.level:
            own = {"box": box, "whole": whole.numpy()}
    return sheet, own


def drawn_upright(
    anatomy: Anatomy, target: VertebraShape, rng: np.random.Generator
) -> tuple[UprightVertebra, dict[str, Any]]:
    """A vertebra as a perfect segmentation would give it, in a frame that is a little off, and its distances."""
    turn = Rotation.from_euler("xyz", rng.normal(0, FRAME_ERROR_DEG, 3), degrees=True).as_matrix()
    axes, centre = turn @ target.axes, target.centre_mm + rng.normal(0, FRAME_ERROR_MM, 3)
    grid = crop_grid(centre - BEHIND_MM * axes[:, 1], axes, SHAPE, SPACING_MM)
    canvas = Canvas(grid, np.eye(4), SPACING_MM, "cpu")
    sheet, own = drawn_labels(canvas, anatomy, target)
    level, tissue = sheet.level.numpy(), sheet.tissue.numpy()
    mine = level == target.level
    nothing = np.zeros(SHAPE, bool)
    vertebra = UprightVertebra(
        target.level, centre, axes, grid, np.full(SHAPE, 40.0, np.float32),
        mine & (tissue == LocateClass.BODY), mine & (tissue == LocateClass.POSTERIOR), level,
        dict.fromkeys(FINDINGS, nothing),
    )  # fmt: skip
    return vertebra, own


def true_canals_mm(
    grid: Grid, shape: VertebraShape, own: dict[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World positions (N, 3), 0.5 mm apart, of the generator's canal beside this vertebra, less its bone.

    First the tube that the generator takes out of the arch, then the box around it, which holds the lateral recesses
    between tube, wall and pedicles as well: what body and arch enclose.
    """
    s = shape.sizes
    half_width, half_height = 0.5 * s["canal_width"] + 2.0, 0.5 * s["height"] + 8.0
    back = -0.5 * s["depth"]
    ranges = (
        np.arange(-half_width, half_width, TRUTH_STEP_MM),
        np.arange(back - s["canal_depth"] - 3.0, back + 3.0, TRUTH_STEP_MM),
        np.arange(-half_height, half_height, TRUTH_STEP_MM),
    )
    local = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    points = torch.from_numpy(local)
    sound = points if shape.fracture is None else warped(points, shape, shape.fracture)
    tube, box = (d.numpy() < 0 for d in canal_distances(sound, shape))
    either = tube | box
    world = shape.centre_mm + local[either] @ shape.axes.T
    vox = grid.voxel(world) - [part.start for part in own["box"]]
    free = ndimage.map_coordinates(own["whole"], vox.T, order=1, mode="nearest") > 0.0
    return world[free & tube[either]], world[free]


def measured(
    corridor: Corridor, canals_mm: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> dict[str, Any]:
    """One offered corridor beside the truth: distances in mm from the cannula's surface to the canal."""
    target, entry = np.array(corridor.target_mm), np.array(corridor.entry_bone_mm)
    outward = (entry - target) / np.linalg.norm(entry - target)
    # The cannula goes on behind the bone, through the muscle.
    length = float(np.linalg.norm(entry - target)) + 40.0

    def gap(canal_mm: NDArray[np.float64]) -> float:
        span = canal_mm - target
        along = np.clip(span @ outward, 0.0, length)
        squares = (span * span).sum(axis=1) - 2 * along * (span @ outward) + along * along
        return float(np.sqrt(max(squares.min(), 0.0))) - TRUTH_STEP_MM / 2

    tube, enclosed = (gap(canal) for canal in canals_mm)
    radius = (corridor.diameter_mm or GAUGES[-1].outer_mm) / 2
    assert corridor.clearance is not None
    return {
        "kind": corridor.kind, "gauge": corridor.gauge, "planned_mm": corridor.clearance.canal_mm,
        "true_mm": round(enclosed - radius, 3), "tube_mm": round(tube - radius, 3), "axis_mm": round(enclosed, 3),
    }  # fmt: skip


def checked_patient(seed: int) -> list[dict[str, Any]]:
    """Rows of one patient's vertebrae: level, reasons, corridors beside the truth, seconds of the planning."""
    anatomy, rng, rows = draw_anatomy(seed, ScanConfig()), np.random.default_rng([seed, 77]), []
    for shape in anatomy.vertebrae:
        if shape.level not in INJECTED_LEVELS or shape.screws is not None or shape.cement is not None:
            continue
        vertebra, own = drawn_upright(anatomy, shape, rng)
        start = time.perf_counter()
        corridors = plan_corridors(vertebra)
        seconds = time.perf_counter() - start
        canals = true_canals_mm(vertebra.grid, shape, own)
        rows.append(
            {
                "seed": seed, "level": vertebra.name, "seconds": round(seconds, 3),
                "infeasible": [f"{c.kind} {c.reason.code}" for c in corridors if c.reason is not None],
                "offered": [measured(c, canals) for c in corridors if c.feasible],
            }
        )  # fmt: skip
    return rows


def errors(corridors: list[dict[str, Any]]) -> dict[str, Any]:
    """How planned clearances of one kind of corridor stand to true ones."""
    error = np.array([c["planned_mm"] - c["true_mm"] for c in corridors])
    if error.size == 0:
        return {"corridors": 0}
    low, median, high = (float(q) for q in np.quantile(error, (0.05, 0.5, 0.95)))
    return {
        "corridors": int(error.size), "median": median, "p05": low, "p95": high,
        "lowest": float(error.min()), "highest": float(error.max()),
        "share_within_1_mm": float((np.abs(error) <= 1.0).mean()),
        "share_claiming_over_1_mm_too_much": float((error > 1.0).mean()),
    }  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts, the interval of the rate of crossings, and how planned clearances stand to true ones."""
    offered = [(row, c) for row in rows for c in row["offered"]]
    claimed = [(row, c) for row, c in offered if c["planned_mm"] > 0]
    crossing = [(row, c) for row, c in claimed if c["true_mm"] <= 0]
    inside = [(row, c) for row, c in claimed if c["axis_mm"] <= 0]
    bad = {(row["seed"], row["level"]) for row, _ in crossing}
    n, k = len(rows), len(bad)
    return {
        "vertebrae": n,
        "patients": len({row["seed"] for row in rows}),
        "corridors_offered": len(offered),
        "corridors_of_clearance_above_0": len(claimed),
        "cannula_surface_in_canal": len(crossing),
        "cannula_axis_in_canal": len(inside),
        "vertebrae_with_a_crossing": k,
        "crossings": [{"seed": row["seed"], "level": row["level"], **c} for row, c in crossing][:50],
        "rate_of_vertebrae_with_a_crossing_upper_95": 3.0 / n if k == 0 else float(beta.ppf(0.975, k + 1, n - k)),
        "interval": "rule of three" if k == 0 else "Clopper-Pearson, two-sided 95 %",
        "clearance_error_mm": {
            "definition": "planned less true distance from the cannula's surface to the canal; above 0 claims too much",
            **{kind: errors([c for _, c in offered if c["kind"] == kind]) for kind in ("transpedicular", "extrapedicular")},
        },
        "true_clearance_mm_lowest": float(min(c["true_mm"] for _, c in offered)),
        "vertebrae_without_any_corridor": sum(not row["offered"] for row in rows),
        "offered_by_kind_and_gauge": dict(sorted(Counter(f"{c['kind']} {c['gauge']}" for _, c in offered).items())),
        "infeasible_by_kind_and_reason": dict(
            sorted(Counter(r for row in rows for r in row["infeasible"]).items())
        ),
        "vertebrae_by_level": dict(Counter(row["level"] for row in rows)),
        "plan_seconds": {
            "median": float(np.median([r["seconds"] for r in rows])),
            "p95": float(np.quantile([r["seconds"] for r in rows], 0.95)),
            "processor": processor(), "threads": 1,
        },
    }  # fmt: skip


def main() -> None:
    """Check patient after patient, and write counts after each tenth."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--first", type=int, default=900_000, help="first seed; validation seeds by default")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/corridors.json"))
    parser.add_argument("--rows", type=Path, help="keep every vertebra's row here and go on from it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kept = arguments.rows
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    done = {row["seed"] for row in rows}
    settings = {
        "seeds": [arguments.first, arguments.first + arguments.patients - 1],
        "levels": "T4 to L6, without screws or cement",
        "frame_error": {"degrees_sd": FRAME_ERROR_DEG, "mm_sd": FRAME_ERROR_MM},
        "labels_mm": SPACING_MM, "truth_mm": TRUTH_STEP_MM,
    }  # fmt: skip
    for number, seed in enumerate(range(arguments.first, arguments.first + arguments.patients)):
        if seed not in done:
            new = checked_patient(seed)
            rows += new
            if kept:
                with kept.open("a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in new)
        if number % 10 == 9 or number == arguments.patients - 1:
            write_text(arguments.output, json.dumps({"settings": settings, **summary(rows)}, indent=1) + "\n")
            print(f"{number + 1} patients, {len(rows)} vertebrae", flush=True)


if __name__ == "__main__":
    main()
