"""The figures of an evaluation, from its scans' scores: means, shares and medians with intervals, by stratum."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from vertseg.evaluation.bootstrap import Resampling
from vertseg.evaluation.froc import object_figures
from vertseg.evaluation.leak_scores import leak_figures, leak_items
from vertseg.evaluation.objects import RULES
from vertseg.evaluation.score import LEAST_FINDING_ML, LEAST_ML
from vertseg.labels import FINDINGS, LEAK_OUTCOMES, LEVEL_NAMES, REGIONS, VERTEBRA_LEVELS, region_of

Score = Mapping[str, Any]
"""A scan's scores (`score.score`) with "name", "patient" and "set"."""

SPACING_CLASSES: Final = ("<= 1.5 mm", "1.5-3 mm", "> 3 mm")
FRACTURE: Final = 0.2
"""Share of body height lost from which a vertebra is called fractured (Genant et al. 1993, grade 1)."""

_SURFACE: Final = (("dice", "dice"), ("nsd_1mm", "nsd"), ("hd95_mm", "hd95_mm"))


def figures(scores: Sequence[Score], resampling: Resampling, *, leaks: bool = True) -> dict[str, Any]:
    """All figures of a set of scans, as values for JSON; each is an `Estimate`.

    Dice and surface Dice of a scan count where the truth has something to find (a finding: `LEAST_ML`); HD95 is the
    median over scans where both masks are there.
    """
    vertebrae = [(s["patient"], v) for s in scores for v in s["vertebrae"]]
    result: dict[str, Any] = {
        "scans": len(scores),
        "patients": len({s["patient"] for s in scores}),
        "vertebrae": len(vertebrae),
        "structures": _structures(scores, resampling),
        "levels": _levels(vertebrae, resampling),
        "naming": _naming(scores, vertebrae, resampling),
        "objects": {name: object_figures(name, scores, resampling) for name in _annotated(scores)},
    }
    if leaks:
        rows = [(patient, v["leak"]) for patient, v in vertebrae if v["leak"] is not None]
        result["leak"] = {
            "vertebrae": len(rows),
            "not_found": sum(leak["risk"] is None for _, leak in rows),
            "not_in_view": sum(s["leaks_unscored"] for s in scores),
            "outcomes": {name: leak_figures(leak_items(rows, name), resampling) for name in LEAK_OUTCOMES}
            if rows
            else {},
        }
    return result


def strata(scores: Sequence[Score], resampling: Resampling) -> dict[str, dict[str, Any]]:
    """Figures by region, slice spacing, lesion, fracture and set; strata without a scan are left out.

    A region takes scans that mostly show it and its own vertebrae and objects of all scans.
    """
    split: dict[str, dict[str, list[Score]]] = {
        "region": {name: [_in_region(s, name) for s in scores if _shows(s, name)] for name in REGIONS},
        "spacing": _split(scores, lambda s: spacing_class(s["spacing_mm"])),
        "lesion": _split(scores, _lesion),
        "fracture": _split(scores, _fracture),
        "set": _split(scores, lambda s: str(s["set"])),
    }
    return {
        kind: {name: figures(part, resampling) for name, part in parts.items() if part}
        for kind, parts in split.items()
    }


def spacing_class(spacing_mm: Sequence[float]) -> str:
    """Class of a scan by its coarsest spacing, that between slices."""
    coarsest = max(spacing_mm)
    return SPACING_CLASSES[0 if coarsest <= 1.5 else 1 if coarsest <= 3.0 else 2]


def _shows(s: Score, region: str) -> bool:
    return any(v["region"] == region for v in s["vertebrae"])


def _split(scores: Sequence[Score], of: Callable[[Score], str | None]) -> dict[str, list[Score]]:
    parts: dict[str, list[Score]] = {}
    for s in scores:
        name = of(s)
        if name is not None:
            parts.setdefault(name, []).append(s)
    return dict(sorted(parts.items(), key=lambda part: (part[0] not in SPACING_CLASSES[:1], part[0])))


def _lesion(s: Score) -> str | None:
    found = [s["structures"][n] for n in ("lytic_lesion", "sclerotic_lesion") if n in s["structures"]]
    if not found:
        return None
    return "with lesion" if any(f["truth_ml"] >= LEAST_ML for f in found) else "without lesion"


def _fracture(s: Score) -> str | None:
    losses = [v["height_loss"] for v in s["vertebrae"] if v["height_loss"] is not None]
    if not losses:
        return None
    return "with fracture" if max(losses) >= FRACTURE else "without fracture"


def _in_region(s: Score, region: str) -> Score:
    """A scan's scores of one region alone."""
    levels = {n for n in VERTEBRA_LEVELS if region_of(n) == region}
    return {
        **s,
        "vertebrae": [v for v in s["vertebrae"] if v["region"] == region],
        "structures": s["structures"] if s["region"] == region else {},
        "every_level_right": s["every_level_right"] if s["region"] == region else None,
        "objects": {
            name: {
                "truths": [t for t in found["truths"] if t["level"] in levels],
                "false": found["false"] if s["region"] == region else None,
            }
            for name, found in s["objects"].items()
        },
    }


def _annotated(scores: Sequence[Score]) -> list[str]:
    return [name for name in FINDINGS if name in RULES and any(name in s["objects"] for s in scores)]


def _structures(scores: Sequence[Score], resampling: Resampling) -> dict[str, Any]:
    names = dict.fromkeys(name for s in scores for name in s["structures"])
    result = {}
    for name in names:
        least = LEAST_FINDING_ML.get(name, LEAST_ML) if name in FINDINGS else 0.0
        all_of_it = [(s["patient"], s["structures"][name]) for s in scores if name in s["structures"]]
        scored = [(p, f) for p, f in all_of_it if f["truth_ml"] > 0 and f["truth_ml"] >= least]
        empty = [(p, f) for p, f in all_of_it if f["truth_ml"] == 0]
        result[name] = {
            **_surface_figures(scored, resampling),
            "false_ml": _mean(resampling, [(p, f["predicted_ml"]) for p, f in empty]),
        }
    return result


def _levels(vertebrae: Sequence[tuple[str, Score]], resampling: Resampling) -> dict[str, Any]:
    """Figures of each level by name, and of all together under "all"."""
    names = [LEVEL_NAMES[n] for n in VERTEBRA_LEVELS]
    seen = {v["level"] for _, v in vertebrae}
    groups = {"all": list(vertebrae)} | {
        name: [(p, v) for p, v in vertebrae if v["level"] == name] for name in names if name in seen
    }
    return {
        name: {
            **_surface_figures(group, resampling),
            "right": _mean(resampling, [(p, float(v["named"] == v["level"])) for p, v in group]),
        }
        for name, group in groups.items()
    }


def _surface_figures(items: Sequence[tuple[str, Score]], resampling: Resampling) -> dict[str, Any]:
    """Mean Dice and surface Dice, median HD95."""
    result = {}
    for title, key in _SURFACE:
        known = [(p, f[key]) for p, f in items if f[key] is not None]
        patients, values = [p for p, _ in known], [v for _, v in known]
        of = resampling.median if key == "hd95_mm" else resampling.mean
        result[title] = asdict(of(values, patients))
    return result


def _naming(
    scores: Sequence[Score], vertebrae: Sequence[tuple[str, Score]], resampling: Resampling
) -> dict[str, Any]:
    whole = [s for s in scores if s["every_level_right"] is not None]
    anchored = [s for s in whole if s["anchored"]]
    errors = [(p, v["error_mm"]) for p, v in vertebrae if v["error_mm"] is not None]
    every = [(s["patient"], float(s["every_level_right"])) for s in whole]
    return {
        "right": _mean(resampling, [(p, float(v["named"] == v["level"])) for p, v in vertebrae]),
        "found": _mean(resampling, [(p, float(v["named"] is not None)) for p, v in vertebrae]),
        "identification_rate": _mean(resampling, [(p, float(v["identified"])) for p, v in vertebrae]),
        "localisation_mm": _mean(resampling, errors),
        "localisation_median_mm": asdict(resampling.median([e for _, e in errors], [p for p, _ in errors])),
        "every_level_right": _mean(resampling, every),
        "every_level_right_anchored": _mean(
            resampling, [(s["patient"], float(s["every_level_right"])) for s in anchored]
        ),
        "invented_per_scan": _mean(resampling, [(s["patient"], float(len(s["invented"]))) for s in whole]),
    }


def _mean(resampling: Resampling, items: Sequence[tuple[str, float]]) -> dict[str, Any]:
    return asdict(resampling.mean([v for _, v in items], [p for p, _ in items]))
