"""The best straight way of each kind and side.

Waypoints in the pedicle's narrowest part (or on the bone beside it) and candidate tips are joined into some
thousand straight ways, which are all assessed at once on distance fields of 1 mm; the best are looked at again
between voxels, and the best of those is moved until it gets no better. A way's score, in mm, is its safety less penalties:

- safety through the pedicle: the lesser of the bone around the axis and of its distance to the canal less half a
  millimetre (a breach inward harms more than one outward), no more than 4 mm, which an 8G cannula with a margin
  of almost 2 mm needs;
- safety beside the pedicle: the lesser of the canal's distance less 1.5 mm, of lung less 3 mm, and of the bone
  around the axis within the body, no more than 4 mm, less a handicap of 2 mm, for pleura, segmental vessels and
  the lack of a bony guide: it comes first where the pedicle takes 15G at best;
- what safety lacks of 2.5 mm (11G with a margin of 1 mm) counts twice;
- penalties: 0.05 for each mm between tip and ideal target, 0.03 for each degree beyond 15 headward or footward and
  beyond 45 toward the midline, 0.15 for each mm that is not bone between entry and pedicle, 2 and more where
  another vertebra's bone is struck.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.cement.plan import TARGET_ACROSS
from vertseg.labels import Approach
from vertseg.planning.corridor_fields import CorridorFields
from vertseg.planning.corridor_margins import around_mm
from vertseg.planning.corridor_ways import Ways, assess, pairs

ENOUGH_MM: Final = 4.0
WANTED_MM: Final = 2.5
MEDIAL_DEG: Final = {"transpedicular": (0.0, 45.0), "extrapedicular": (20.0, 55.0)}
"""Ways outside of these angles to the sagittal plane are not taken for this kind."""
CRANIAL_DEG: Final = 35.0
_LESS_CANAL: Final = {"transpedicular": 0.5, "extrapedicular": 1.5}
_LESS_LUNG_MM: Final = 3.0
_HANDICAP: Final = {"transpedicular": 0.0, "extrapedicular": 2.0}
_PER_TARGET_MM, _PER_DEGREE, _PER_GAP_MM, _STRUCK = 0.05, 0.03, 0.15, 2.0
_FREE_DEGREES: Final = 15.0
_FREE_MEDIAL_DEGREES: Final = 45.0
_DEPTH_SHARES: Final = (0.69, 0.74, 0.80)
IDEAL_DEPTH: Final = 0.74
"""Where the tip is to lie, as share of the body's depth from back to front: within the anterior third."""
_ACROSS: Final = (-0.1, 0.0, 0.06, 0.12, 0.18, 0.24, 0.3)
_HEIGHTS: Final = (-0.22, 0.0, 0.22)
_MIN_TIP_DEPTH_MM: Final = 2.0
_WAYPOINTS: Final = 40
_TIPS_IN_LESION: Final = 60
_LOOKED_AT_AGAIN: Final = 80


@dataclass(frozen=True, eq=False)
class Found:
    """The best way of one kind and side.

    Attributes:
        ways: holds this one way.
        score: see the module.
        room_mm: from the axis to what bounds the cannula's radius and its margin.
    """

    ways: Ways
    score: float
    room_mm: float


@dataclass(frozen=True, eq=False)
class Tips:
    """Candidate tips.

    Attributes:
        vox: (N, 3) indices of the fields' crop.
        off_mm: (N,) their distance from the ideal one.
        ideal_vox: (3,) that one.
        within: (X, Y, Z) bool, where a tip may be moved to.
    """

    vox: NDArray[np.float64]
    off_mm: NDArray[np.float64]
    ideal_vox: NDArray[np.float64]
    within: NDArray[np.bool_]


def anterior_tips(fields: CorridorFields, side: float, approach: Approach) -> Tips | None:
    """Tips in the anterior third, between and beside the middle, at several heights; None where nothing is deep enough."""
    (x_low, _, _), (x_high, y_high, _) = fields.box
    middle = float(np.argwhere(fields.body.any(axis=(1, 2))).mean())
    width = float(x_high - x_low + 1)
    back = fields.canal.wall_vox - fields.start_vox[1]
    depth = y_high + 1 - back
    ideal = _column(fields, middle + side * TARGET_ACROSS[approach] * width, back + IDEAL_DEPTH * depth, 0.0)
    tips = [
        _column(fields, middle + side * across * width, back + share * depth, height)
        for share, across, height in product(_DEPTH_SHARES, _ACROSS, _HEIGHTS)
    ]
    found = [t for t in tips if t is not None and _deep(fields, t)]
    if ideal is None or not found:
        return None
    vox = np.array(found)
    front = np.arange(fields.body.shape[1]) >= back + 2.0 / 3.0 * depth
    within = (fields.in_body_mm >= _MIN_TIP_DEPTH_MM - 0.5) & front[:, None]
    return Tips(vox, np.linalg.norm(vox - ideal, axis=1) * fields.spacing_mm, ideal, within)


def lesion_tips(fields: CorridorFields) -> Tips | None:
    """Tips in the body's lytic lesion, ideally at its middle; None where it is nowhere deep enough."""
    crop = tuple(slice(int(a), int(a) + n) for a, n in zip(fields.start_vox, fields.body.shape, strict=True))
    lesion = fields.vertebra.masks["lytic_lesion"][crop] & (fields.in_body_mm >= _MIN_TIP_DEPTH_MM)
    at = np.argwhere(lesion).astype(np.float64)
    if len(at) == 0:
        return None
    middle = at.mean(axis=0)
    off = np.linalg.norm(at - middle, axis=1)
    # Every n-th of the voxels from the middle outward, so that the whole lesion is tried.
    order = np.argsort(off, kind="stable")[:: max(1, len(at) // _TIPS_IN_LESION)]
    return Tips(at[order], off[order] * fields.spacing_mm, middle, lesion)


@dataclass(frozen=True, eq=False)
class Pedicle:
    """The pedicle of one side.

    Attributes:
        width_mm: from its medial to its lateral surface at its narrowest, where it is widest over its height.
        through_vox: (K, 3) points well inside it in its narrowest part, indices of the fields' crop.
    """

    width_mm: float
    through_vox: NDArray[np.float64]


def pedicle(fields: CorridorFields, side: float) -> Pedicle | None:
    """The pedicle of one side: bone between the canal's middle depth and the posterior wall; None without any.

    It is no higher or lower than the body by more than 4 mm.
    """
    back = int(fields.canal.wall_vox - fields.start_vox[1])
    low, high = int(fields.box[0][2]), int(fields.box[1][2])
    around = slice(max(0, low - 4), high + 5)
    middle_x, middle_y = fields.middle_vox[low : high + 1].mean(axis=0)
    x = np.arange(fields.bone.shape[0])
    beside = (side * (x - middle_x) > 3.0 / fields.spacing_mm) & (
        np.abs(x - middle_x) < 30.0 / fields.spacing_mm
    )
    rows = np.arange(max(0, int(np.ceil(middle_y))), max(back, int(np.ceil(middle_y)) + 1))
    depth = np.where(beside[:, None, None], fields.in_bone_mm[:, rows, around], 0.0)
    most = depth.max(axis=(0, 2))
    row = int(most.argmin())
    room = float(most[row])
    if room <= 0.0:
        return None
    at = np.argwhere(depth[:, row] >= max(0.45, min(room - 1.6, 2.4))).astype(np.float64)
    vox = np.column_stack([at[:, 0], np.full(len(at), rows[row]), at[:, 1] + around.start])
    return Pedicle(_width_mm(depth > 0.0, fields.spacing_mm), vox[:: max(1, -(-len(vox) // _WAYPOINTS))])


def _width_mm(bone: NDArray[np.bool_], spacing_mm: float) -> float:
    """Least width over the depth (axis 1) of the mean of the four widest chords over the height (axis 2)."""
    chords = np.sort(bone.sum(axis=0), axis=1)[:, -4:].mean(axis=1)
    smooth = np.convolve(chords, np.ones(3) / 3.0, "valid") if chords.size >= 3 else chords
    return round(float(smooth.min()) * spacing_mm, 1)


def transpedicular(fields: CorridorFields, side: float, tips: Tips) -> Found | None:
    """The best way through the pedicle; None where there is no pedicle."""
    found = pedicle(fields, side)
    return None if found is None else _best(fields, found.through_vox, tips, side, "transpedicular")


def extrapedicular(fields: CorridorFields, side: float, tips: Tips) -> Found | None:
    """The best way beside the pedicle, through the costovertebral joint; None where no bone is met there."""
    found = pedicle(fields, side)
    if found is None:
        return None
    middle = found.through_vox.mean(axis=0)
    spacing = fields.spacing_mm
    back = int(fields.canal.wall_vox - fields.start_vox[1])
    rows = slice(max(0, back - round(7 / spacing)), back + round(5 / spacing))
    low = max(0, int(middle[2]))
    heights = slice(low, int(fields.box[1][2]) + 1)
    near = fields.bone[:, rows, heights]
    shell = ndimage.binary_dilation(near, iterations=round(2 / spacing)) & ~ndimage.binary_dilation(near)
    x = np.arange(fields.bone.shape[0])
    shell &= (side * (x - middle[0]) > 1.0 / spacing)[:, None, None]
    at = np.argwhere(shell).astype(np.float64) + (0.0, rows.start, low)
    if len(at) == 0:
        return None
    return _best(fields, at[:: max(1, -(-len(at) // (2 * _WAYPOINTS)))], tips, side, "extrapedicular")


def _best(
    fields: CorridorFields, through: NDArray[np.float64], tips: Tips, side: float, kind: str
) -> Found | None:
    way, tip = pairs(through, tips.vox)
    scores = _scores(assess(fields, way, tip, side), np.tile(tips.off_mm, len(through)), kind)
    first = np.argsort(scores, kind="stable")[::-1][:_LOOKED_AT_AGAIN]
    first = first[np.isfinite(scores[first])]
    if first.size == 0:
        return None
    at, end, score = _finest(fields, way[first], tip[first], tips, side, kind)
    for step in (2.0, 1.0, 0.5):
        moves = np.array(list(product((0.0, -step, step), repeat=4))) / fields.spacing_mm
        still = np.zeros(len(moves))
        ways = at + np.column_stack([moves[:, 0], still, moves[:, 1]])
        ends = end + np.column_stack([moves[:, 2], still, moves[:, 3]])
        at, end, score = _finest(fields, ways, ends, tips, side, kind)
    if not np.isfinite(score):
        return None
    one = assess(fields, at[None], end[None], side, fine=True)
    return Found(one, score, _room(fields, one, kind))


def _finest(
    fields: CorridorFields,
    through: NDArray[np.float64],
    target: NDArray[np.float64],
    tips: Tips,
    side: float,
    kind: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Waypoint, tip and score of the best of some ways, assessed between voxels."""
    ways = assess(fields, through, target, side, fine=True)
    off = np.linalg.norm(target - tips.ideal_vox, axis=1) * fields.spacing_mm
    i, j, k = np.clip(np.rint(target).astype(int), 0, np.array(tips.within.shape) - 1).T
    scores = np.where(tips.within[i, j, k], _scores(ways, off, kind), -np.inf)
    best = int(scores.argmax())
    return through[best], target[best], float(scores[best])


def _room(fields: CorridorFields, way: Ways, kind: str) -> float:
    """From the one way's axis to what bounds the cannula and its margin."""
    canal = float(way.canal_mm[0])
    if kind == "transpedicular":
        return min(around_mm(fields, way), canal)
    return min(canal, float(way.deep_room_mm[0]), float(way.lung_mm[0]) - _LESS_LUNG_MM)


def _scores(ways: Ways, off_mm: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    safety = ways.canal_mm - _LESS_CANAL[kind]
    if kind == "transpedicular":
        safety = np.minimum(safety, ways.room_mm)
        aside = _PER_GAP_MM * ways.gap_mm
    else:
        safety = np.minimum(np.minimum(safety, ways.deep_room_mm), ways.lung_mm - _LESS_LUNG_MM)
        aside = _PER_GAP_MM * 2.0 * ways.outer_bone_mm
    steep = np.maximum(np.abs(ways.cranial_deg) - _FREE_DEGREES, 0.0)
    steep = steep + np.maximum(ways.medial_deg - _FREE_MEDIAL_DEGREES, 0.0)
    struck = np.where(ways.struck_mm > 0.0, _STRUCK + 0.1 * ways.struck_mm, 0.0)
    scores = np.minimum(safety, ENOUGH_MM) - np.maximum(WANTED_MM - safety, 0.0) - _HANDICAP[kind]
    scores = scores - _PER_TARGET_MM * off_mm - _PER_DEGREE * steep - aside - struck
    low, high = MEDIAL_DEG[kind]
    allowed = (ways.medial_deg >= low) & (ways.medial_deg <= high) & (np.abs(ways.cranial_deg) <= CRANIAL_DEG)
    return np.where(allowed, scores, -np.inf)


def _column(fields: CorridorFields, x: float, y: float, height: float) -> NDArray[np.float64] | None:
    """The point of the body above (x, y), a share of its height there off the middle; None beside the body."""
    i, j = round(x), round(y)
    if not (0 <= i < fields.body.shape[0] and 0 <= j < fields.body.shape[1]):
        return None
    z = np.flatnonzero(fields.body[i, j])
    if z.size == 0:
        return None
    return np.array([i, j, (z[0] + z[-1]) / 2 + height * z.size], np.float64)


def _deep(fields: CorridorFields, vox: NDArray[np.float64]) -> bool:
    i, j, k = np.rint(vox).astype(int)
    return bool(fields.in_body_mm[i, j, k] >= _MIN_TIP_DEPTH_MM)
