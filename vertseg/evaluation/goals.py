"""Targets on unseen phantoms, and whether an evaluation's figures meet them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vertseg.labels import LEAK_OUTCOMES, LEAK_ROUTES


@dataclass(frozen=True)
class Goal:
    """A figure and what it should be.

    Attributes:
        title: for a table.
        path: keys to the figure's `Estimate` in the overall figures.
        target: bound.
        at_least: whether the figure should be at least the target, or at most.
    """

    title: str
    path: tuple[str, ...]
    target: float
    at_least: bool = True


_WALL: Final = ("objects", "posterior_wall_defect", "sizes", "20")
_LYTIC: Final = ("objects", "lytic_lesion", "sizes", "0.2")

GOALS: Final = (
    Goal("Dice of vertebrae", ("structures", "vertebra", "dice"), 0.95),
    Goal("Dice of bodies", ("structures", "body", "dice"), 0.92),
    Goal("Dice of posterior elements", ("structures", "posterior", "dice"), 0.92),
    Goal("Every level right, scans with an anchor", ("naming", "every_level_right_anchored"), 0.95),
    Goal("Dice of lytic lesions", ("structures", "lytic_lesion", "dice"), 0.75),
    Goal("Lytic lesions found at 1 false a scan", (*_LYTIC, "froc", "at", "1"), 0.85),
    Goal("Lytic lesions found, as shipped", (*_LYTIC, "sensitivity"), 0.85),
    Goal("False lytic lesions a scan, as shipped", (*_LYTIC, "false_per_scan"), 1.0, False),
    Goal("Wall defects >= 20 mm2 found at 0.5 false a scan", (*_WALL, "froc", "at", "0.5"), 0.85),
    Goal("Wall defects >= 20 mm2 found, as shipped", (*_WALL, "sensitivity"), 0.85),
    Goal("False wall defects a scan, as shipped", (*_WALL, "false_per_scan"), 0.5, False),
    Goal("Area error of wall defects >= 20 mm2, median", (*_WALL, "size_error_share"), 0.2, False),
    *(
        Goal(f"Calibration error of leak risk, {name}", ("leak", "outcomes", name, "ece"), 0.03, False)
        for name in LEAK_OUTCOMES
    ),
)

CEILING_GAP: Final = 0.03
"""How far below its ceiling (`leak_ceiling`) a route's AUROC may lie."""


def estimate_at(figures: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The `Estimate` at the end of keys; None where one of them is absent."""
    found: Any = figures
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found if isinstance(found, Mapping) else None


def goal_rows(overall: Mapping[str, Any], ceiling: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Each goal with its figure and interval and whether it is met, as values for JSON.

    `met` is the figure's own; `surely` says that the whole interval meets it. Both are None where it was not measured.

    Args:
        overall: figures of all scans (`figures.figures`).
        ceiling: AUROC that a perfect predictor reaches, by route; without it that goal has no target.
    """
    rows = [_row(g.title, estimate_at(overall, g.path), g.target, g.at_least) for g in GOALS]
    for route in LEAK_ROUTES:
        target = None if ceiling is None or route not in ceiling else ceiling[route] - CEILING_GAP
        found = estimate_at(overall, ("leak", "outcomes", route, "auroc"))
        rows.append(_row(f"AUROC of leak risk, {route}: its ceiling less {CEILING_GAP}", found, target, True))
    return rows


def goal_cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Title, target, figure, interval and verdict of a goal, in words."""
    target = "-" if row["target"] is None else f"{row['sense']} {row['target']:.2f}"
    interval = "-" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    value = "-" if row["value"] is None else f"{row['value']:.3f}"
    return row["title"], target, value, interval, {None: "-", True: "yes", False: "no"}[row["met"]]


def _row(title: str, found: Mapping[str, Any] | None, target: float | None, at_least: bool) -> dict[str, Any]:
    value, low, high = (None if found is None else found[key] for key in ("value", "low", "high"))
    worst = low if at_least else high
    return {
        "title": title,
        "sense": ">=" if at_least else "<=",
        "target": target,
        "value": value,
        "low": low,
        "high": high,
        "n": 0 if found is None else found["n"],
        "met": _meets(value, target, at_least),
        "surely": _meets(worst, target, at_least),
    }


def _meets(value: float | None, target: float | None, at_least: bool) -> bool | None:
    if value is None or target is None:
        return None
    return value >= target if at_least else value <= target
