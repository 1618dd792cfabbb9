"""Scores on a real scan with a reference in TotalSegmentator's numbers."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import InputError
from vertseg.evaluation.matching import INVENTED_SHARE, match_levels
from vertseg.evaluation.metrics import dice
from vertseg.inference.findings import Findings
from vertseg.labels import TOTALSEGMENTATOR_LEVELS, VERTEBRA_LEVELS, level_name
from vertseg.volume import Volume

DICE_GOAL: Final = 0.90
"""What the wanted vertebrae together should reach."""


def reference_levels(labels: Volume, like: Volume) -> Volume:
    """TotalSegmentator's numbers as level numbers, on the grid of `like`.

    Raises:
        InputError: none of its numbers is a vertebra.
    """
    table = np.zeros(int(labels.array.max()) + 1, dtype=np.uint8)
    for number, level in TOTALSEGMENTATOR_LEVELS.items():
        if number < table.size:
            table[number] = level
    levels = Volume(table[labels.array.astype(np.int64)], labels.affine)
    if not np.isin(levels.array, VERTEBRA_LEVELS).any():
        raise InputError("The reference holds no vertebra in TotalSegmentator's numbers.")
    return levels if levels.grid.matches(like.grid) else levels.resampled_to(like.grid, 0, 0.0)


def score_real(findings: Findings, reference: Volume, wanted: list[int]) -> dict[str, Any]:
    """Figures of one prediction against a reference on the same grid.

    The binary Dice takes the wanted reference vertebrae together against *all* predicted vertebra voxels,
    whatever they are called, but for two kinds that the reference cannot judge: voxels on reference vertebrae
    that are not wanted, and predicted vertebrae that the field of view cuts and whose level the reference
    does not have at all (a reference leaves out what is only begun at the edge). A vertebra of the second kind
    that lies on wanted ones (by a fifth or more) is charged all the same. The sacrum is no vertebra here.

    Args:
        findings: the prediction.
        reference: level numbers.
        wanted: levels to score.

    Returns:
        Plain values for JSON.
    """
    truth = reference.array
    predicted = np.where(np.isin(findings.levels.array, VERTEBRA_LEVELS), findings.levels.array, 0)
    is_wanted = np.isin(truth, wanted)
    excused = _excused(findings, predicted, truth, is_wanted)
    others = np.isin(truth, VERTEBRA_LEVELS) & ~is_wanted
    charged = (predicted > 0) & ~others & ~np.isin(predicted, excused)
    match = match_levels(predicted, np.where(np.isin(truth, VERTEBRA_LEVELS), truth, 0), wanted)
    return {
        "levels": [level_name(n) for n in wanted],
        "binary_dice": dice(charged, is_wanted),
        "precision": float(is_wanted[charged].mean()) if charged.any() else None,
        "recall": float(charged[is_wanted].mean()) if is_wanted.any() else None,
        "binary_dice_same_names": dice(np.isin(predicted, wanted), is_wanted),
        "dice_per_level": {level_name(n): dice(predicted == n, truth == n) for n in wanted},
        "named": {
            level_name(n): None if named is None else level_name(named)
            for n, named in match.predicted.items()
        },
        "levels_right": match.right,
        "invented": [level_name(n) for n in match.invented if n not in excused],
        "not_charged": [level_name(n) for n in excused],
        "warnings": list(findings.warnings),
        "seconds": {stage: round(s, 3) for stage, s in findings.seconds.items()},
    }


def verdict(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the goals on a real scan are met, by name.

    Args:
        figures: as `score_real` gives them.
    """
    return {
        f"binary_dice >= {DICE_GOAL:g}": (figures["binary_dice"] or 0.0) >= DICE_GOAL,
        "every_level_right": figures["levels_right"] == len(figures["levels"]),
        "none_invented": not figures["invented"],
    }


def _excused(
    findings: Findings,
    predicted: NDArray[np.integer],
    truth: NDArray[np.integer],
    is_wanted: NDArray[np.bool_],
) -> list[int]:
    """Predicted levels that the reference cannot judge."""
    known = set(np.unique(truth).tolist())
    return [
        v.level
        for v in findings.vertebrae
        if v.cut_by_field
        and v.level not in known
        and (predicted == v.level).any()
        and is_wanted[predicted == v.level].mean() < INVENTED_SHARE
    ]
