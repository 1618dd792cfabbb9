"""What each vertebra of a column says of its own level: its looks, its ribs, and whether it is sacrum."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from vertseg.inference.instances import Instance
from vertseg.inference.located import Located
from vertseg.labels import LEVEL_NUMBERS, SACRUM, T13, THORACIC, LocateClass

_FLOOR = 0.02
_WEIGHT = 1.0
_LOOK_ALIKE_SHARE = 0.5

_RIB_REACH_MM = 7.0
_RIBS_ML, _RIBS_WIDTH_ML = 0.4, 0.1
"""Other bone at a vertebra that is as likely ribs as not, and over which the doubt falls."""

_SACRUM_FLOOR = 0.02

_L5, _L6 = LEVEL_NUMBERS["L5"], LEVEL_NUMBERS["L6"]
_LOOK_ALIKES = {_L6: (_L5,), T13: (LEVEL_NUMBERS["T12"], LEVEL_NUMBERS["L1"])}

_RIBLESS = {
    **{LEVEL_NUMBERS[n]: 0.97 for n in ("C3", "C4", "C5", "C6", "L2", "L3", "L4")},
    **{LEVEL_NUMBERS[n]: 0.85 for n in ("L5", "L6")},
    **dict.fromkeys(THORACIC, 0.05),
    **{LEVEL_NUMBERS[n]: 0.1 for n in ("T12", "T13")},
    LEVEL_NUMBERS["L1"]: 0.95,
    LEVEL_NUMBERS["C7"]: 0.7,
    LEVEL_NUMBERS["T1"]: 0.2,
}
"""How probably no bone is seen at a level. First ribs pass near C7 and may be missed at T1, twelfth ribs may be short,
iliac crests come near L5; the skull lies at C1 and C2 and the pelvis at the sacrum, which therefore say nothing."""


def ribs_ml(column: list[Instance], located: Located) -> NDArray[np.float64]:
    """Volume (n,) in ml of other bone that nearly touches each vertebra, within 7 mm: the heads of its ribs.

    NaN where there is none but the scan's border cuts the vertebra, so that they may lie outside.
    """
    bone = located.grid.world(np.argwhere(located.tissue[LocateClass.OTHER_BONE] > 0.5))
    voxel_ml = located.grid.voxel_volume_mm3 / 1000.0
    found = np.zeros(len(column))
    for i, instance in enumerate(column):
        own = located.grid.world(instance.voxels)
        low, high = own.min(axis=0) - _RIB_REACH_MM, own.max(axis=0) + _RIB_REACH_MM
        near = bone[((bone >= low) & (bone <= high)).all(axis=1)]
        if len(near):
            distance, _ = cKDTree(own).query(near, distance_upper_bound=_RIB_REACH_MM)
            found[i] = np.count_nonzero(np.isfinite(distance)) * voxel_ml
        if instance.cut and found[i] < _RIBS_ML:
            found[i] = np.nan
    return found


def log_emission(c: Instance, ribs: float, states: list[int]) -> NDArray[np.float64]:
    """Log-likelihood (S,) of what is seen of one vertebra under each state, up to a constant.

    Args:
        c: the vertebra; its mean level probabilities count by their weight. An L6 looks like an L5 and a T13
            like a T12 or an L1, of which the network saw many more: they share those levels' probabilities.
        ribs: ml of other bone at it; NaN says nothing.
        states: level numbers.
    """
    p = c.level.astype(np.float64).copy()
    for level, others in _LOOK_ALIKES.items():
        p[level] += _LOOK_ALIKE_SHARE * max(c.level[n] for n in others)
    q = p[states] / max(c.level[states].sum(), 1e-6)
    looks = _WEIGHT * np.log((q + _FLOOR) / (1 + _FLOOR * len(states)))
    return np.asarray(looks + _log_ribs(ribs, states) + _log_sacrum(c, states))


def _log_ribs(ribs: float, states: list[int]) -> NDArray[np.float64]:
    if np.isnan(ribs):
        return np.zeros(len(states))
    seen = 1.0 / (1.0 + np.exp(-(ribs - _RIBS_ML) / _RIBS_WIDTH_ML))
    none = np.array([_RIBLESS.get(n, 0.5) for n in states])
    return np.asarray(np.log((1 - seen) * none + seen * (1 - none)))


def _log_sacrum(c: Instance, states: list[int]) -> NDArray[np.float64]:
    """A vertebra in which the network sees no sacrum at all, in tissue or level, is none, whatever is below it."""
    seen = max(c.sacrum_share, float(c.level[SACRUM]))
    fallen = np.log(np.clip(2 * seen, _SACRUM_FLOOR, 1.0))
    return np.array([fallen if n == SACRUM else 0.0 for n in states])
