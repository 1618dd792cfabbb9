"""The column: which candidates are vertebrae, and which levels they are, decided together."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.evidence import log_emission
from vertseg.inference.instances import Instance
from vertseg.inference.priors import BODY_ML, SACRUM_SPACING_MM, SPACING_MM, expected
from vertseg.labels import LEVEL_NUMBERS, SACRUM, T13, VERTEBRA_LEVELS

CUT_FACTOR = 0.7
"""Confidence is multiplied by this where the field of view cuts a vertebra."""

_MIN_BODY_SHARE = 0.12
_MIN_BODY_SHARE_CUT = 0.06
_MIN_ARCH_ML = 1.5
"""A vertebra at the field's edge may show only its arch; with less than this it is not named."""
_ATLAS_SHARE, _MIN_ATLAS_ML = 0.25, 3.0
"""The atlas has no body to speak of: what looks like one is judged by its whole volume."""
_CERTAIN, _MIN_CERTAIN_BODY_ML = 0.9, 2.5
"""What is surely vertebra may be as small as in the neck, whatever level it looks like."""
_STEEP_DEG, _TOO_STEEP_DEG = 50.0, 72.0
_KINK_DEG = 55.0
_FAR_SHARE, _FAR_KINK_DEG = 1.7, 28.0
"""Where vertebrae were missed, the column bends less from one step to the next than such a long step could."""
_NEAREST_SHARE = 0.35
_ANOMALY_COST = 3.0
_SKIP_COST = 1.0
_GAP_COST = 6.0
_GAP_SLACK = 0.4
_SIZES = (0.8, 1.25)
_LEAST_STEPS_FOR_SIZE = 4
_REPEAT_COST = 2.0
_REPEAT_SHARE = 0.6
_DISC_MM = 20.0
_MOST_END_COST = 6.0
"""What was taken for a sacrum may be none, so that it never outweighs all vertebrae together."""
_MOST_FALLEN_COST = 3.0
"""What follows far below the last vertebra is no vertebra, wherever it lies."""
_FALLEN_COST = 0.5
_FALLEN_UNUSUAL_COST = 2.0

_STATES = (*VERTEBRA_LEVELS, SACRUM)
_L5, _L6 = LEVEL_NUMBERS["L5"], LEVEL_NUMBERS["L6"]
_C1 = LEVEL_NUMBERS["C1"]
_L1, _T12 = LEVEL_NUMBERS["L1"], LEVEL_NUMBERS["T12"]
_ORDINARY = [n for n in _STATES if n not in (T13, _L6)]
_RANK = {n: i for i, n in enumerate(_ORDINARY)}


@dataclass(frozen=True, eq=False)
class SacrumSeen:
    """Where the sacrum is: `voxels_mm` (n, 3) world positions of its voxels."""

    voxels_mm: NDArray[np.float64]


def chain(candidates: list[Instance], sacrum: SacrumSeen | None) -> list[Instance]:
    """The candidates that form a column, from head to foot.

    Too small ones and ones below the sacrum's middle go first; then the path down the column that gathers
    most bone with steps of plausible length and direction is kept (dynamic programming), which leaves out
    whatever lies beside it.
    """
    plausible = [c for c in candidates if _is_large_enough(c) and not _is_below(c, sacrum)]
    order = sorted(plausible, key=lambda c: -c.centre_mm[2])
    if not order:
        return []
    worth = [_worth(c) for c in order]
    best, before = list(worth), [-1] * len(order)
    for j in range(len(order)):
        for i in range(j):
            score = best[i] + worth[j] - _step_cost(order[i], order[j])
            if score > best[j]:
                best[j], before[j] = score, i
    at, path = int(np.argmax(best)), []
    while at >= 0:
        path.append(order[at])
        at = before[at]
    return _straight_part(path[::-1])


def _straight_part(path: list[Instance]) -> list[Instance]:
    """The heaviest part of a path between kinks that no spine has, such as the turn from L5 into a hip."""
    if len(path) < 3:
        return path
    steps = np.diff([c.centre_mm for c in path], axis=0)
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    steps /= lengths
    turns_deg = np.degrees(np.arccos(np.clip((steps[:-1] * steps[1:]).sum(axis=1), -1, 1)))
    spacings = np.array([expected(SPACING_MM, a.level + b.level) for a, b in pairwise(path)])
    far = lengths[:, 0] > _FAR_SHARE * spacings
    most_deg = np.where(far[:-1] | far[1:], _FAR_KINK_DEG, _KINK_DEG)
    # The far side of a long step goes, be it at the upper or the lower end.
    after = np.where(far[:-1] & ~far[1:], 1, 2)
    ends = [0, *(np.arange(len(after)) + after)[turns_deg > most_deg].tolist(), len(path)]
    parts = [path[a:b] for a, b in pairwise(ends)]
    return max(parts, key=lambda part: sum(_worth(c) for c in part))


def _is_large_enough(c: Instance) -> bool:
    if c.cut and c.volume_ml >= _MIN_ARCH_ML:
        return True
    if c.level[_C1] >= _ATLAS_SHARE and c.volume_ml >= _MIN_ATLAS_ML:
        return True
    if c.certainty >= _CERTAIN and c.body_ml >= _MIN_CERTAIN_BODY_ML:
        return True
    share = _MIN_BODY_SHARE_CUT if c.cut else _MIN_BODY_SHARE
    return c.body_ml > 0 and c.body_ml >= share * expected(BODY_ML, c.level)


def _is_below(c: Instance, sacrum: SacrumSeen | None) -> bool:
    return sacrum is not None and bool(c.centre_mm[2] < np.median(sacrum.voxels_mm[:, 2]))


def _worth(c: Instance) -> float:
    bone_ml = max(c.body_ml, 0.5 * c.volume_ml)
    return float(min(1.0, bone_ml / (0.5 * expected(BODY_ML, c.level))) * c.certainty)


def _step_cost(upper: Instance, lower: Instance) -> float:
    step = upper.centre_mm - lower.centre_mm
    distance = float(np.linalg.norm(step))
    ratio = distance / expected(SPACING_MM, upper.level + lower.level)
    angle = float(np.degrees(np.arccos(np.clip(step[2] / max(distance, 1e-6), -1, 1))))
    if ratio < _NEAREST_SHARE or angle > _TOO_STEEP_DEG:
        return float("inf")
    steepness = max(0.0, (angle - _STEEP_DEG) / (_TOO_STEEP_DEG - _STEEP_DEG))
    return steepness + 0.3 * max(0.0, ratio - 1.6) + 1.5 * max(0.0, 0.55 - ratio)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Levels of a chain: `levels` (n) and the posterior probability of each, from the same costs."""

    levels: list[int]
    probabilities: list[float]


def label(column: list[Instance], sacrum: SacrumSeen | None, ribs: NDArray[np.float64]) -> Labelled:
    """Levels of the whole column at once: the cheapest path (Viterbi) and its marginals.

    Emissions are those of `evidence.log_emission`, with the ribs (n,) in ml of `evidence.ribs_ml`. A step to the next level is free; T13, L6, and a
    missing T12 or L5 cost `_ANOMALY_COST`; a skipped level costs less the better the distance fits. The
    sacrum, where seen, is one more step below the last vertebra.
    """
    states = list(_STATES)
    emission = np.stack([log_emission(c, seen, states) for c, seen in zip(column, ribs, strict=True)])
    steps = [_log_steps(ratio, states) for ratio in _ratios(column)]
    start = np.array([-_ANOMALY_COST if n in (T13, _L6) else 0.0 for n in states])
    end = _log_end(column[-1], sacrum, states)

    score, back = start + emission[0], []
    for t, step in enumerate(steps):
        total = score[:, None] + step
        back.append(total.argmax(axis=0))
        score = total.max(axis=0) + emission[t + 1]
    state = int((score + end).argmax())
    path = [state]
    for pointers in reversed(back):
        state = int(pointers[state])
        path.append(state)
    path.reverse()
    marginals = _marginals(emission, steps, start, end)
    return Labelled([states[s] for s in path], [float(marginals[t, s]) for t, s in enumerate(path)])


def _ratios(column: list[Instance]) -> list[float]:
    """Distances between neighbours over what their levels let expect, for a patient of this column's size."""
    ratios = [
        float(np.linalg.norm(upper.centre_mm - lower.centre_mm))
        / expected(SPACING_MM, upper.level + lower.level)
        for upper, lower in pairwise(column)
    ]
    size = float(np.clip(np.median(ratios), *_SIZES)) if len(ratios) >= _LEAST_STEPS_FOR_SIZE else 1.0
    return [ratio / size for ratio in ratios]


def _log_steps(ratio: float, states: list[int]) -> NDArray[np.float64]:
    costs = np.array([[step_cost(a, b, ratio) for b in states] for a in states])
    # What looks like a vertebra is seldom sacrum, and more seldom still just where L5 is absent as well.
    usual = [n in (_L5, _L6, SACRUM) for n in states]
    fallen = np.minimum(costs[:, states.index(SACRUM)], _MOST_FALLEN_COST)
    costs[:, states.index(SACRUM)] = fallen + np.where(usual, _FALLEN_COST, _FALLEN_UNUSUAL_COST)
    return -costs


def step_cost(upper: int, lower: int, ratio: float) -> float:
    """Cost of level `lower` below `upper` when their distance is `ratio` times that of neighbours."""
    if upper == lower:
        if upper == SACRUM:
            return 0.0
        return _REPEAT_COST if ratio < _REPEAT_SHARE else float("inf")
    anomaly = _ANOMALY_COST if lower in (T13, _L6) else 0.0
    from_rank = _RANK[_T12] if upper == T13 else _RANK[_L5] if upper == _L6 else _RANK[upper]
    to_rank = _RANK[_L1] if lower == T13 else _RANK[SACRUM] if lower == _L6 else _RANK[lower]
    skipped = to_rank - from_rank - 1
    if skipped < 0:
        return float("inf")
    misfit = max(0.0, abs(ratio - (skipped + 1)) - _GAP_SLACK)
    cost = _SKIP_COST * skipped + _GAP_COST * misfit + anomaly
    absent = skipped == 1 and lower in (_L1, SACRUM)
    return min(cost, _ANOMALY_COST + _GAP_COST * max(0.0, abs(ratio - 1) - _GAP_SLACK)) if absent else cost


def _log_end(last: Instance, sacrum: SacrumSeen | None, states: list[int]) -> NDArray[np.float64]:
    if sacrum is None:
        return np.zeros(len(states))
    half_body_mm = 0.5 * expected(SPACING_MM, last.level)
    gap = float(np.linalg.norm(sacrum.voxels_mm - last.centre_mm, axis=1).min()) - half_body_mm
    ratio = 1.0 if gap < _DISC_MM else 1.0 + (gap - _DISC_MM / 2) / SACRUM_SPACING_MM
    return np.array([-min(step_cost(n, SACRUM, ratio), _MOST_END_COST) for n in states])


def _marginals(
    emission: NDArray[np.float64],
    steps: list[NDArray[np.float64]],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Posterior (n, states) of each instance's state, by the forward-backward recursions."""
    n = emission.shape[0]
    forward = [start + emission[0]]
    for t in range(1, n):
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + steps[t - 1], axis=0) + emission[t])
    backward = [end]
    for t in range(n - 1, 0, -1):
        backward.insert(0, np.logaddexp.reduce(steps[t - 1] + (emission[t] + backward[0])[None, :], axis=1))
    joint = np.stack(forward) + np.stack(backward)
    return np.asarray(np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)))
