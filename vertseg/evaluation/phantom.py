"""Figures on rendered phantoms in the few words that the README tells."""

from collections.abc import Mapping
from typing import Any, Final

from vertseg.evaluation.goals import estimate_at

_NAMED: Final = {
    "vertebra_dice": ("structures", "vertebra", "dice"),
    "level_dice": ("levels", "all", "dice"),
    "body_dice": ("structures", "body", "dice"),
    "posterior_dice": ("structures", "posterior", "dice"),
    "level_accuracy": ("naming", "right"),
    "every_level_right": ("naming", "every_level_right_anchored"),
    "lytic_dice": ("structures", "lytic_lesion", "dice"),
    "lesions_found": ("objects", "lytic_lesion", "sizes", "0.2", "sensitivity"),
    "false_lesions_per_scan": ("objects", "lytic_lesion", "sizes", "0.2", "false_per_scan"),
    "defects_found": ("objects", "posterior_wall_defect", "sizes", "20", "sensitivity"),
    "false_defects_per_scan": ("objects", "posterior_wall_defect", "sizes", "20", "false_per_scan"),
    "invented_per_scan": ("naming", "invented_per_scan"),
}

TARGETS: Final = {
    "vertebra_dice": 0.95, "body_dice": 0.92, "posterior_dice": 0.92, "every_level_right": 0.95, "lytic_dice": 0.75,
    "lesions_found": 0.85, "false_lesions_per_scan": 1.0, "defects_found": 0.85, "false_defects_per_scan": 0.5,
}  # fmt: skip


def headline(overall: Mapping[str, Any]) -> dict[str, Any]:
    """The README's figures by name, their intervals, targets and whether each is met, as values for JSON.

    Args:
        overall: figures of all scans (`figures.figures`).
    """
    means: dict[str, float | None] = {}
    intervals: dict[str, tuple[float | None, float | None]] = {}
    for name, path in _NAMED.items():
        found = estimate_at(overall, path) or {}
        means[name] = found.get("value")
        intervals[name] = found.get("low"), found.get("high")
    met = {name: _meets(name, means[name]) for name in TARGETS}
    return {"scans": overall["scans"], "means": means, "intervals": intervals, "targets": TARGETS, "met": met}


def _meets(name: str, value: float | None) -> bool | None:
    if value is None:
        return None
    return value <= TARGETS[name] if name.startswith("false") else value >= TARGETS[name]
