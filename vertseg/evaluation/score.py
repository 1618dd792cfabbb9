"""One scan's scores as plain values: what every figure of an evaluation is made from."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.data.leaks import Injection
from vertseg.evaluation.localisation import Located, locate
from vertseg.evaluation.matching import Match, match_levels
from vertseg.evaluation.metrics import dice
from vertseg.evaluation.objects import RULES, THRESHOLDS, detect
from vertseg.evaluation.surfaces import bounding_box, overlap
from vertseg.evaluation.truth import TrueVertebra, Truth, shows_anchor, true_vertebrae
from vertseg.inference.findings import Findings, VertebraFindings
from vertseg.labels import (
    FINDINGS,
    LEAK_ROUTES,
    SACRUM,
    VERTEBRA_LEVELS,
    LocateClass,
    Tissue,
    level_name,
    region_of,
)
from vertseg.volume import Grid

LEAST_FINDING_ML: Final = {"posterior_wall_defect": 0.02}
LEAST_ML: Final = 0.1
"""Scans and vertebrae with less of a finding than this have no Dice for it (a wall defect: 10 mm2 of shell)."""

Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]


class _Maps:
    """Truth and prediction on one RAS grid, cropped to where either shows anything."""

    def __init__(self, truth: Truth, findings: Findings) -> None:
        levels = findings.levels.oriented("RAS")
        tissue = findings.tissue.oriented("RAS")
        sources = findings.probabilities or findings.masks
        shown = (levels.array > 0) | (truth.level.array > 0)
        for name in truth.findings:
            shown |= (truth.findings[name].array > 0) | (sources[name].oriented("RAS").array > THRESHOLDS[0])
        box = bounding_box(shown, margin=2) or (slice(0, 1), slice(0, 1), slice(0, 1))
        self.grid: Grid = truth.level.cropped([s.start for s in box], [s.stop for s in box]).grid
        self.true_level = truth.level.array[box]
        self.level = levels.array[box]
        self.tissue = tissue.array[box]
        self.true_tissue = None if truth.tissue is None else truth.tissue.array[box]
        self.true_findings = {name: volume.array[box] > 0 for name, volume in truth.findings.items()}
        self.findings = {name: findings.masks[name].oriented("RAS").array[box] > 0 for name in FINDINGS}
        self.probability = {name: sources[name].oriented("RAS").array[box] for name in self.true_findings}
        self.true_vertebra = np.where(np.isin(self.true_level, VERTEBRA_LEVELS), self.true_level, 0)
        self.vertebra = np.where(np.isin(self.level, VERTEBRA_LEVELS), self.level, 0)


def score(truth: Truth, findings: Findings, thresholds: tuple[float, ...]) -> dict[str, Any]:
    """Scores of one prediction as values for JSON; what the truth does not annotate is left out.

    Args:
        truth: on the scan's RAS grid.
        findings: the prediction on the scan's own grid, with probabilities if objects are to be counted at all
            thresholds and not at one.
        thresholds: of `labels.FINDINGS`, as the prediction was made with.
    """
    maps = _Maps(truth, findings)
    wanted = true_vertebrae(truth)
    match = match_levels(maps.vertebra, maps.true_vertebra, [v.level for v in wanted])
    predicted_mm = {v.level: np.array(v.centroid_mm) for v in findings.vertebrae}
    located = locate([v.level for v in wanted], [v.centre_mm for v in wanted], predicted_mm)
    operating = {name: _nearest(t) for name, t in zip(FINDINGS, thresholds, strict=True)}
    return {
        "spacing_mm": [round(s, 4) for s in maps.grid.spacing_mm],
        "annotated": sorted(truth.annotated),
        "region": _main_region(wanted),
        "anchored": shows_anchor(truth, wanted),
        "counted": len(wanted),
        "levels_right": match.right,
        "every_level_right": match.right == len(wanted) if wanted else None,
        "invented": [level_name(n) for n in match.invented],
        "structures": _structures(truth, maps),
        "operating": operating,
        "objects": {
            name: asdict(
                detect(
                    maps.probability[name], maps.true_findings[name], maps.true_vertebra, maps.grid, RULES[name],
                    operating[name],
                )
            )
            for name in FINDINGS
            if name in maps.true_findings
        },
        "vertebrae": [_vertebra(v, truth, maps, match, located[v.level], findings) for v in wanted],
        "leaks_unscored": sum(level not in {v.level for v in wanted} for level in truth.injections),
        "seconds": {stage: round(s, 3) for stage, s in findings.seconds.items()},
        "warnings": list(findings.warnings),
    }  # fmt: skip


def _nearest(threshold: float) -> float:
    return min(THRESHOLDS, key=lambda t: abs(t - threshold))


def _main_region(wanted: tuple[TrueVertebra, ...]) -> str | None:
    """The region that most of the vertebrae belong to."""
    regions = [region_of(v.level) for v in wanted]
    return max(regions, key=regions.count) if regions else None


def _structures(truth: Truth, maps: _Maps) -> dict[str, Any]:
    masks: dict[str, tuple[Mask, Mask]] = {"vertebra": (maps.vertebra > 0, maps.true_vertebra > 0)}
    if maps.true_tissue is not None:
        masks["body"] = (maps.tissue == Tissue.BODY, maps.true_tissue == LocateClass.BODY)
        masks["posterior"] = (maps.tissue == Tissue.POSTERIOR, maps.true_tissue == LocateClass.POSTERIOR)
    if "sacrum" in truth.annotated:
        masks["sacrum"] = (maps.level == SACRUM, maps.true_level == SACRUM)
    for name, mask in maps.true_findings.items():
        masks[name] = (maps.findings[name], mask)
    return {name: asdict(overlap(*pair, maps.grid.spacing_mm)) for name, pair in masks.items()}


def _vertebra(
    vertebra: TrueVertebra, truth: Truth, maps: _Maps, match: Match, located: Located, findings: Findings
) -> dict[str, Any]:
    level = vertebra.level
    mine = maps.true_vertebra == level
    box = bounding_box(mine | (maps.vertebra == level)) or (slice(0), slice(0), slice(0))
    named = match.predicted[level]
    found = next((v for v in findings.vertebrae if v.level == named), None)
    lytic = maps.true_findings.get("lytic_lesion")
    return {
        "level": vertebra.name,
        "region": region_of(level),
        "named": None if named is None else level_name(named),
        "identified": located.identified,
        "error_mm": located.error_mm,
        "confidence": None if found is None else found.confidence,
        **asdict(overlap(maps.vertebra[box] == level, mine[box], maps.grid.spacing_mm)),
        "height_loss": None if truth.fractures is None else truth.fractures.get(level),
        "lytic_lesion": None
        if lytic is None
        else _part(maps.findings["lytic_lesion"], lytic, mine, box, maps.grid),
        "leak": _leak(truth.injections.get(level), found),
    }


def _part(predicted: Mask, truth: Mask, vertebra: Mask, box: Box, grid: Grid) -> dict[str, float | None]:
    """Dice and volumes of a finding on one vertebra alone."""
    p, t = predicted[box] & vertebra[box], truth[box] & vertebra[box]
    voxel_ml = grid.voxel_volume_mm3 / 1000.0
    return {"dice": dice(p, t), "truth_ml": int(t.sum()) * voxel_ml, "predicted_ml": int(p.sum()) * voxel_ml}


def _leak(injection: Injection | None, found: VertebraFindings | None) -> dict[str, Any] | None:
    """Outcome and foretold risk by route and any; None where nothing is known to have been injected."""
    if injection is None:
        return None
    outcomes: dict[str, int | None] = {
        route: None if np.isnan(leaked) else int(leaked)
        for route, leaked in zip(LEAK_ROUTES, injection.leak, strict=True)
    }
    known = [o for o in outcomes.values() if o is not None]
    outcomes["any"] = 1 if 1 in known else 0 if len(known) == len(LEAK_ROUTES) else None
    return {"outcome": outcomes, "risk": None if found is None else dict(found.leak)}
