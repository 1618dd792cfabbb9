"""Scores of the whole path on phantom scans, whose truth is known."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vertseg.evaluation.matching import match_levels
from vertseg.evaluation.metrics import detect_defects, dice, mean
from vertseg.inference.engines import Engine
from vertseg.inference.findings import Findings
from vertseg.inference.options import PredictOptions
from vertseg.inference.pipeline import predict
from vertseg.labels import VERTEBRA_LEVELS, LocateClass, Tissue, level_name
from vertseg.phantom import PhantomScan, ScanConfig, render_scan

LEAST_LYTIC_ML = 0.1
"""Scans and vertebrae with less true lesion than this are not scored for it."""

TARGETS = {"vertebra_dice": 0.90, "lytic_dice": 0.60, "defects_found": 0.70, "false_defects_per_scan": 1.0}


@dataclass(frozen=True)
class ScanScore:
    """One scan's figures; None where the truth has nothing to score.

    Attributes:
        vertebra_dice: all vertebrae together, whatever their names.
        level_dice: mean over the true vertebrae whose body centre is in view, by name.
        body_dice: all bodies together.
        posterior_dice: all posterior elements together.
        level_accuracy: share of those vertebrae found and rightly named.
        lytic_dice: all lytic voxels together.
        lytic_dice_per_vertebra: mean over the vertebrae with a lesion.
        false_lytic_ml: lytic volume predicted in a scan without any.
    """

    seed: int
    levels: str
    spacing_mm: tuple[float, float, float]
    vertebra_dice: float | None
    level_dice: float | None
    body_dice: float | None
    posterior_dice: float | None
    level_accuracy: float | None
    misnamed: dict[str, str | None]
    invented: tuple[str, ...]
    lytic_dice: float | None
    lytic_dice_per_vertebra: float | None
    false_lytic_ml: float | None
    defects: int
    defects_found: int
    false_defects: int
    seconds: float


def score(truth: PhantomScan, findings: Findings) -> ScanScore:
    """Figures of one prediction; both lie on the phantom's grid."""
    grid = truth.level.grid
    true_level = np.where(np.isin(truth.level.array, VERTEBRA_LEVELS), truth.level.array, 0)
    level = np.where(np.isin(findings.levels.array, VERTEBRA_LEVELS), findings.levels.array, 0)
    wanted = [v.level for v in truth.vertebrae if _in_view(v.centroid_mm, truth)]
    match = match_levels(level, true_level, wanted)
    lytic, true_lytic = findings.lytic_lesion.array > 0, truth.findings["lytic_lesion"].array > 0
    lesion_ml = np.count_nonzero(true_lytic) * grid.voxel_volume_mm3 / 1000.0
    sick = [v.level for v in truth.vertebrae if v.lytic_ml >= LEAST_LYTIC_ML]
    wall = findings.posterior_wall_defect.array
    detection = detect_defects(wall, truth.findings["posterior_wall_defect"].array, grid)
    return ScanScore(
        seed=truth.seed,
        levels=" ".join(level_name(n) for n in wanted),
        spacing_mm=grid.spacing_mm,
        vertebra_dice=dice(level, true_level),
        level_dice=mean([dice(level == n, true_level == n) for n in wanted]),
        body_dice=dice(findings.tissue.array == Tissue.BODY, truth.tissue.array == LocateClass.BODY),
        posterior_dice=dice(
            findings.tissue.array == Tissue.POSTERIOR, truth.tissue.array == LocateClass.POSTERIOR
        ),
        level_accuracy=match.accuracy,
        misnamed={
            level_name(n): None if named is None else level_name(named)
            for n, named in match.predicted.items()
            if named != n
        },
        invented=tuple(level_name(n) for n in match.invented),
        lytic_dice=dice(lytic, true_lytic) if lesion_ml >= LEAST_LYTIC_ML else None,
        lytic_dice_per_vertebra=mean([_lesion_dice(lytic, true_lytic, true_level == n) for n in sick]),
        false_lytic_ml=None
        if true_lytic.any()
        else float(np.count_nonzero(lytic)) * grid.voxel_volume_mm3 / 1000.0,
        defects=detection.truths,
        defects_found=detection.found,
        false_defects=detection.false,
        seconds=sum(findings.seconds.values()),
    )


def _lesion_dice(
    lytic: NDArray[np.bool_], true_lytic: NDArray[np.bool_], vertebra: NDArray[np.bool_]
) -> float | None:
    return dice(lytic & vertebra, true_lytic & vertebra)


def _in_view(centre_mm: NDArray[np.float64], truth: PhantomScan) -> bool:
    vox = truth.level.grid.voxel(centre_mm)
    return bool(((vox >= -0.5) & (vox <= np.array(truth.level.grid.shape) - 0.5)).all())


def summary(scores: list[ScanScore]) -> dict[str, Any]:
    """Means over the scans, with the targets and whether they are met."""
    defects = sum(s.defects for s in scores)
    means: dict[str, float | None] = {
        name: mean([getattr(s, name) for s in scores])
        for name in (
            "vertebra_dice", "level_dice", "body_dice", "posterior_dice", "level_accuracy", "lytic_dice",
            "lytic_dice_per_vertebra", "false_lytic_ml", "seconds",
        )
    }  # fmt: skip
    means["defects_found"] = sum(s.defects_found for s in scores) / defects if defects else None
    means["false_defects_per_scan"] = mean([float(s.false_defects) for s in scores])
    means["invented_per_scan"] = mean([float(len(s.invented)) for s in scores])
    met = {name: _meets(name, means[name]) for name in TARGETS}
    return {"scans": len(scores), "defects": defects, "means": means, "targets": TARGETS, "met": met}


def _meets(name: str, value: float | None) -> bool | None:
    if value is None:
        return None
    return value <= TARGETS[name] if name.startswith("false") else value >= TARGETS[name]


Seen = Callable[[PhantomScan, Findings, ScanScore], None]


def evaluate(
    seeds: range, config: ScanConfig, engine: Engine, options: PredictOptions, seen: Seen
) -> dict[str, Any]:
    """Render, predict and score a scan per seed.

    Args:
        seeds: none of them in the training or validation ranges.
        config: how the scans are taken.
        engine: runs the networks.
        options: of the predictions.
        seen: called with each scan and its score, such as to draw it.

    Returns:
        Plain values for JSON: the summary and every scan's figures.
    """
    scores: list[ScanScore] = []
    for seed in seeds:
        truth = render_scan(seed, config)
        findings = predict(truth.hu, options=options, engine=engine)
        scores.append(score(truth, findings))
        seen(truth, findings, scores[-1])
    return {
        "seeds": [seeds.start, seeds.stop - 1],
        "field": config.field,
        "appearance": config.appearance,
        "checkpoints": engine.checkpoints,
        **summary(scores),
        "per_scan": [asdict(s) for s in scores],
    }
