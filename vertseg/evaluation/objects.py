"""Lesions and wall defects found and invented, piece by piece, at many thresholds of the probability.

A true piece is found at every threshold up to its own (`TrueObject.found_at`): with a lower threshold predicted
pieces only grow. Invented pieces are counted at each threshold. Both together are the points of a free-response ROC
curve (Bunch et al. 1978, J Appl Photogr Eng 4:166-71).
"""

from dataclasses import dataclass
from typing import Any, Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.evaluation.surfaces import bounding_box
from vertseg.volume import Grid

THRESHOLDS: Final = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Probabilities at which objects are counted."""

WALL_SHELL_MM: Final = 2.0
"""Thickness of the shell in which the posterior wall's defects are drawn."""

_ML: Final = 1000.0


@dataclass(frozen=True)
class ObjectRule:
    """What counts as an object of a finding, and when it is found.

    Attributes:
        unit: "ml" or "mm2".
        unit_mm3: volume of one unit; for a wall defect the shell's thickness times 1 mm2.
        least: smaller pieces, true or predicted, are not counted.
        near_mm: a predicted piece this near to a true one is the same; 0 asks for overlap instead.
        sizes: true pieces of at least these sizes are told apart.
    """

    unit: str
    unit_mm3: float
    least: float
    near_mm: float
    sizes: tuple[float, ...]


RULES: Final = {
    "lytic_lesion": ObjectRule("ml", _ML, 0.2, 0.0, (0.2, 1.0)),
    "sclerotic_lesion": ObjectRule("ml", _ML, 0.2, 0.0, (0.2, 1.0)),
    "posterior_wall_defect": ObjectRule("mm2", WALL_SHELL_MM, 10.0, 3.0, (10.0, 20.0)),
    "cement": ObjectRule("ml", _ML, 0.2, 0.0, (0.2, 1.0)),
}
"""By finding. The least sizes are those below which inference drops a piece as a speck (10 mm2, 0.2 ml)."""

OVERLAP_SHARE: Final = 0.1
"""Where overlap is asked for: a true piece is found when predicted ones cover this share of it, and a predicted one
is false when less than this share of it lies on true ones."""


@dataclass(frozen=True)
class TrueObject:
    """One true piece.

    Attributes:
        size: in the rule's unit.
        level: number of the vertebra that most of it lies on, 0 for none.
        found_at: highest of `THRESHOLDS` at which it is found, 0 for none.
        predicted_size: size of the predicted pieces that are its own at the finding's own threshold; 0 if missed.
    """

    size: float
    level: int
    found_at: float
    predicted_size: float


@dataclass(frozen=True)
class Objects:
    """Objects of one finding in one scan; `false` counts invented pieces at each of `THRESHOLDS`."""

    truths: tuple[TrueObject, ...]
    false: tuple[int, ...]


def detect(
    probability: NDArray[np.floating[Any]],
    truth: NDArray[np.bool_],
    level: NDArray[np.integer],
    grid: Grid,
    rule: ObjectRule,
    threshold: float,
) -> Objects:
    """Objects (26-connected pieces) of a finding.

    Args:
        probability: (X, Y, Z), 0 to 1.
        truth: mask (X, Y, Z).
        level: true level numbers (X, Y, Z).
        grid: where all lie.
        rule: what counts.
        threshold: the finding's own, one of `THRESHOLDS`, at which sizes are compared.
    """
    margin = 1 + int(np.ceil(rule.near_mm / min(grid.spacing_mm)))
    box = bounding_box(truth | (probability > THRESHOLDS[0]), margin)
    if box is None:
        return Objects((), (0,) * len(THRESHOLDS))
    unit = grid.voxel_volume_mm3 / rule.unit_mm3
    p, mask = probability[box], truth[box]
    pieces, n = _pieces(mask)
    voxels = np.bincount(pieces.ravel(), minlength=n + 1)
    owner = _owner(pieces, grid, rule.near_mm)
    found_at, own, false = np.zeros(n + 1), np.zeros(n + 1), []
    for t in THRESHOLDS:
        hits = _hits(p > t, owner, n, rule.least / unit)
        false.append(_count_false(hits, rule))
        covered = hits[:, 1:].sum(axis=0)
        is_found = covered > 0 if rule.near_mm else covered >= OVERLAP_SHARE * voxels[1:]
        found_at[1:][is_found] = t
        if t == threshold and hits.shape[0] and n:
            best = 1 + hits[:, 1:].argmax(axis=1)
            touching = hits[:, 1:].any(axis=1)
            np.add.at(own, best[touching], hits.sum(axis=1)[touching])
    levels = [_level_of(level[box][pieces == i]) for i in range(1, n + 1)]
    truths = [
        TrueObject(
            float(voxels[i] * unit), levels[i - 1], float(found_at[i]),
            float(own[i] * unit) if found_at[i] >= threshold else 0.0,
        )
        for i in range(1, n + 1)
        if voxels[i] * unit >= rule.least
    ]  # fmt: skip
    return Objects(tuple(truths), tuple(false))


def _pieces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.integer], int]:
    pieces, n = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26, return_N=True)
    return pieces, int(n)


def _owner(pieces: NDArray[np.integer], grid: Grid, near_mm: float) -> NDArray[np.integer]:
    """Number of the true piece that each voxel belongs to: the one that it lies on, or the nearest near one."""
    if near_mm == 0 or not pieces.any():
        return pieces
    distance, nearest = ndimage.distance_transform_edt(
        pieces == 0, sampling=grid.spacing_mm, return_indices=True
    )
    return np.where(distance <= near_mm, pieces[tuple(nearest)], 0)


def _hits(mask: NDArray[np.bool_], owner: NDArray[np.integer], n: int, least: float) -> NDArray[np.int64]:
    """Voxels (pieces, n + 1) of each predicted piece of at least `least` voxels by the true piece that owns them."""
    pieces, m = _pieces(mask)
    at = pieces.ravel() > 0
    table = np.bincount(
        pieces.ravel()[at].astype(np.int64) * (n + 1) + owner.ravel()[at], minlength=(m + 1) * (n + 1)
    ).reshape(m + 1, n + 1)[1:]
    # A hair of tolerance, for a piece of just the least size whatever the voxels.
    return np.asarray(table[table.sum(axis=1) >= least - 1e-6])


def _count_false(hits: NDArray[np.int64], rule: ObjectRule) -> int:
    on_true = hits[:, 1:].sum(axis=1)
    if rule.near_mm:
        return int((on_true == 0).sum())
    return int((on_true < OVERLAP_SHARE * hits.sum(axis=1)).sum())


def _level_of(levels: NDArray[np.integer]) -> int:
    on_bone = levels[levels > 0]
    return int(np.bincount(on_bone).argmax()) if on_bone.size else 0
