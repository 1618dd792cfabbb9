"""Vertebrae that the locate network did not see, looked for where the column leaves room for them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.column import Labelled
from vertseg.inference.examine import Examined
from vertseg.inference.instances import Instance, make_instance
from vertseg.inference.located import Located
from vertseg.inference.priors import BODY_ML, SPACING_MM
from vertseg.labels import LEVEL_NUMBERS, T13, VERTEBRA_LEVELS, Tissue, level_name

_BALL_MM = 12.0
_LEAST_BODY_SHARE = 0.3
_ROOM = (0.7, 1.4)
_ORDINARY = [n for n in VERTEBRA_LEVELS if n not in (T13, LEVEL_NUMBERS["L6"])]


def fill_gaps(
    instances: list[Instance], labelled: Labelled, located: Located
) -> tuple[list[Instance], Labelled, set[int]]:
    """The column with a ball in the place of each level that is skipped although there is room for it.

    The examine network then says what is there; `confirmed` drops the balls that hold no vertebra. A level
    that is absent by nature (no T12) leaves no room and gets no ball.

    Returns:
        Instances and levels from head to foot, and the levels that are only inferred.
    """
    filled, levels, probabilities = instances[:1], labelled.levels[:1], labelled.probabilities[:1]
    inferred: set[int] = set()
    for i, (upper, lower) in enumerate(pairwise(instances)):
        above, below = labelled.levels[i], labelled.levels[i + 1]
        for level, share in _missing(above, below, float(np.linalg.norm(lower.centre_mm - upper.centre_mm))):
            centre = upper.centre_mm + share * (lower.centre_mm - upper.centre_mm)
            ball = _ball(centre, located)
            if ball.size:
                filled.append(make_instance(located, ball, np.ones(len(ball), dtype=bool), centre))
                levels.append(level)
                probabilities.append(0.5 * min(labelled.probabilities[i], labelled.probabilities[i + 1]))
                inferred.add(level)
        filled.append(lower)
        levels.append(below)
        probabilities.append(labelled.probabilities[i + 1])
    return filled, Labelled(levels, probabilities), inferred


def _missing(above: int, below: int, distance_mm: float) -> list[tuple[int, float]]:
    """Levels skipped between two, and at which share of the way down each lies; none where there is no room."""
    if above not in _ORDINARY or below not in _ORDINARY:
        return []
    between = _ORDINARY[_ORDINARY.index(above) : _ORDINARY.index(below)]
    steps = SPACING_MM[between]
    if len(between) < 2 or not _ROOM[0] < distance_mm / steps.sum() < _ROOM[1]:
        return []
    shares = np.cumsum(steps) / steps.sum()
    return [(level, float(share)) for level, share in zip(between[1:], shares, strict=False)]


def _ball(centre_mm: NDArray[np.float64], located: Located) -> NDArray[np.int64]:
    """Voxels (n, 3) of the locate grid within a ball."""
    grid = located.grid
    reach = int(np.ceil(_BALL_MM / grid.spacing_mm[0]))
    middle = np.rint(grid.voxel(centre_mm)).astype(np.int64)
    offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    voxels = middle + offsets
    kept = (voxels >= 0).all(axis=1) & (voxels < np.array(grid.shape)).all(axis=1)
    near = np.linalg.norm(grid.world(voxels) - centre_mm, axis=1) < _BALL_MM
    return np.asarray(voxels[kept & near])


def confirmed(examined: Sequence[Examined]) -> tuple[list[Examined], list[str]]:
    """The crops without those inferred ones in which examine finds no body, and a sentence for each of these."""
    kept, sentences = [], []
    for crop in examined:
        body_ml = float((crop.tissue[Tissue.BODY] > 0.5).sum()) * crop.grid.voxel_volume_mm3 / 1000.0
        level = crop.vertebra.level
        if crop.vertebra.inferred and body_ml < _LEAST_BODY_SHARE * BODY_ML[level]:
            sentences.append(f"There is room for {level_name(level)} in the column, but it was not found.")
        else:
            kept.append(crop)
    return kept, sentences
