"""Checks of a level map: known numbers, one place for each level, the right order, no gap, front before back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray

from vertseg.data.sets.image_checks import thinned
from vertseg.data.sets.problems import Problem, error, warning
from vertseg.frames import LabelledVertebra
from vertseg.labels import (
    COLUMN_ORDER,
    LEVEL_NAMES,
    LUMBAR,
    T13,
    THORACIC,
    VERTEBRA_LEVELS,
    LocateClass,
    column_position,
    level_name,
)
from vertseg.volume import Volume

_FAR_MM: Final = 60.0
"""Parts of one vertebra never lie this far apart."""
_PIECE_ML: Final = 0.5
_STEP_MM: Final = 1.0
_SKIPPED: Final = 1.5
"""A step of more than this many usual steps has room for the vertebra that is missing."""
_OPTIONAL: Final = (T13, LUMBAR[-1])
_MAY_BE_ABSENT: Final = (THORACIC[-1], LUMBAR[4])
"""Eleven thoracic or four lumbar vertebrae are legal."""
_WHOLE_SHARE: Final = 0.5
_CENTRE_MM: Final = 10.0
_MANY: Final = 3
_FOR_TREND: Final = 4


@dataclass(frozen=True, eq=False)
class Column:
    """The levels of a map.

    Attributes:
        centres_mm: (3,) centre of the largest piece in world RAS mm, by level number from head to foot.
        ml: its volume, by level number.
        remnants: levels of which the border of the scan leaves less than half of what the others measure; the
            tip of a process alone may lie below the next vertebra's middle.
        problems: numbers that are not known, and levels in several places.
    """

    centres_mm: dict[int, NDArray[np.float64]]
    ml: dict[int, float]
    remnants: frozenset[int]
    problems: tuple[Problem, ...]

    @property
    def vertebrae_mm(self) -> NDArray[np.float64]:
        """(n, 3) centres of the vertebrae, from head to foot."""
        return np.array([c for n, c in self.centres_mm.items() if n in VERTEBRA_LEVELS]).reshape(-1, 3)


def column_of(level: Volume) -> Column:
    """Where the levels of a map are.

    Args:
        level: VerSe numbers, RAS.
    """
    unknown = sorted(set(np.unique(level.array).tolist()) - {0, *LEVEL_NAMES})
    if unknown:
        sentence = (
            f"The level map holds the numbers {unknown[:10]}, which are no levels (VerSe's are 1 to 28)."
        )
        return Column({}, {}, frozenset(), (error("numbers", sentence),))
    thin = thinned(level)
    pieces = cc3d.connected_components(thin.array.astype(np.uint8), connectivity=26)
    statistics = cc3d.statistics(pieces)
    voxel_ml = thin.grid.voxel_volume_mm3 / 1000
    found: dict[int, list[tuple[float, NDArray[np.float64]]]] = {}
    cut = set()
    for piece, box in enumerate(statistics["bounding_boxes"]):
        if piece:
            number = int(thin.array[box][pieces[box] == piece][0])
            place = thin.grid.world(statistics["centroids"][piece])
            found.setdefault(number, []).append((float(statistics["voxel_counts"][piece]) * voxel_ml, place))
            if any(s.start == 0 or s.stop == n for s, n in zip(box, thin.array.shape, strict=True)):
                cut.add(number)
    centres, volumes, problems = {}, {}, []
    for number in sorted(found, key=column_position):
        (ml, centre), *others = sorted(found[number], key=lambda piece: -piece[0])
        centres[number], volumes[number] = centre, ml
        problems += _far_pieces(number, centre, others)
    if not any(number in VERTEBRA_LEVELS for number in found):
        problems.append(error("empty", "The level map shows no vertebra."))
    half = _WHOLE_SHARE * float(np.median(list(volumes.values()))) if volumes else 0.0
    remnants = frozenset(number for number in cut if volumes[number] < half)
    return Column(centres, volumes, remnants, tuple(problems))


def _far_pieces(
    number: int, centre: NDArray[np.float64], others: list[tuple[float, NDArray[np.float64]]]
) -> list[Problem]:
    far = [(ml, float(np.linalg.norm(place - centre))) for ml, place in others]
    far = [(ml, mm) for ml, mm in far if mm > _FAR_MM]
    if not far:
        return []
    ml, mm = max(far)
    name = level_name(number)
    if ml >= _PIECE_ML:
        return [
            error(
                "two places", f"{name} is in two places {mm:.0f} mm apart ({ml:.1f} ml in the smaller one)."
            )
        ]
    return [
        warning("two places", f"{name} has specks up to {mm:.0f} mm away from it ({ml:.2f} ml the largest).")
    ]


def check_order(column: Column) -> list[Problem]:
    """Levels must follow each other from head to foot; what the border has left of one does not count."""
    levels = [number for number in column.centres_mm if number not in column.remnants]
    heights = np.array([column.centres_mm[n][2] for n in levels])
    steps = heights[:-1] - heights[1:]
    wrong = np.flatnonzero(steps < -_STEP_MM)
    if not len(wrong):
        return []
    if len(wrong) == len(steps):
        return [error("order", _upside_down(column, levels))]
    pairs = [f"{level_name(levels[i])} lies below {level_name(levels[i + 1])}" for i in wrong]
    more = f" and {len(pairs) - _MANY} more" if len(pairs) > _MANY else ""
    return [error("order", f"Levels are out of order: {', '.join(pairs[:_MANY])}{more}.")]


def _upside_down(column: Column, levels: list[int]) -> str:
    """Vertebrae grow toward the feet, which tells a scan on its head from numbers that run the wrong way."""
    volumes = [column.ml[n] for n in levels if n in VERTEBRA_LEVELS]
    sentence = f"The levels from {level_name(levels[0])} to {level_name(levels[-1])} run from foot to head: "
    if len(volumes) < _FOR_TREND:
        return f"{sentence}the scan is upside down, or they are numbered the wrong way."
    third = len(volumes) // 3 or 1
    if np.mean(volumes[-third:]) > np.mean(volumes[:third]):
        return f"{sentence}by their sizes the scan is upside down; export it again with its orientation."
    return f"{sentence}by their sizes they are numbered the wrong way."


def check_gaps(column: Column) -> list[Problem]:
    """A warning for each vertebra that seems to be in view without a label."""
    levels = list(column.centres_mm)
    if len(levels) < 2:
        return []
    places = np.array(list(column.centres_mm.values()))
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    ranks = [column_position(n) for n in levels]
    near = [s for s, a, b in zip(steps, ranks, ranks[1:], strict=False) if not _between(a, b)]
    usual = float(np.median(near)) if near else None
    found = []
    for step, upper, lower in zip(steps, ranks, ranks[1:], strict=False):
        missing = _between(upper, lower)
        room = usual is None or step > _SKIPPED * usual
        if not missing or (not room and set(missing) <= set(_MAY_BE_ABSENT)):
            continue
        names = ", ".join(level_name(n) for n in missing)
        ends = f"{level_name(COLUMN_ORDER[upper])} and {level_name(COLUMN_ORDER[lower])}"
        how = "lie far enough apart for it to be there" if room else "are neighbours by their distance"
        found.append(warning("gap", f"{names} is not labelled between {ends}, which {how}."))
    return found


def _between(upper: int, lower: int) -> list[int]:
    """Levels between two ranks, less those that most people do not have."""
    return [n for n in COLUMN_ORDER[upper + 1 : lower] if n not in _OPTIONAL]


def check_front(vertebrae: tuple[LabelledVertebra, ...]) -> list[Problem]:
    """Posterior elements must lie behind the bodies.

    Args:
        vertebrae: with their own axes, from the label maps.
    """
    forward = [float(v.axes[1, 1]) for v in vertebrae]
    if not forward or np.median(forward) >= 0:
        return []
    names = ", ".join(level_name(v.level) for v in vertebrae[:_MANY])
    return [
        error(
            "front and back",
            f"The posterior elements lie in front of the bodies ({names} ...): the scan is flipped front to back, or "
            "body and posterior elements are exchanged.",
        )
    ]


def check_tissue(level: Volume, tissue: Volume) -> list[Problem]:
    """The tissue map must hold known numbers, bodies, and the same vertebrae as the level map."""
    counts = np.bincount(tissue.array.ravel(), minlength=len(LocateClass))
    if len(counts) > len(LocateClass):
        unknown = np.flatnonzero(counts[len(LocateClass) :])[:10] + len(LocateClass)
        return [
            error(
                "numbers",
                f"The tissue map holds the numbers {unknown.tolist()}; known are 0 to {len(LocateClass) - 1}.",
            )
        ]
    if not counts[LocateClass.BODY]:
        return [error("empty", "The tissue map shows no vertebral body.")]
    bone = np.isin(tissue.array, (LocateClass.BODY, LocateClass.POSTERIOR))
    vertebra = np.isin(level.array, VERTEBRA_LEVELS)
    apart = float((bone ^ vertebra).sum() / max(1, (bone | vertebra).sum()))
    if apart > 0.1:
        sentence = f"Level and tissue map disagree on {apart:.0%} of the vertebrae's voxels."
        return [warning("tissue", sentence)]
    return []


def check_centres(level: Volume, centres_mm: Mapping[int, NDArray[np.float64]]) -> list[Problem]:
    """Centres that the set's makers give must lie in or near the mask of their level.

    Args:
        level: VerSe numbers, RAS.
        centres_mm: (3,) in world RAS mm by level number.
    """
    if not centres_mm:
        return []
    thin = thinned(level)
    found = []
    present = set(np.unique(thin.array).tolist()) & set(VERTEBRA_LEVELS)
    for number, centre in centres_mm.items():
        if number not in present:
            continue
        places = thin.grid.world(np.argwhere(thin.array == number))
        mm = float(np.linalg.norm(places - centre, axis=1).min())
        if mm > _CENTRE_MM:
            found.append(
                warning(
                    "centroids", f"The centroid of {level_name(number)} lies {mm:.0f} mm away from its mask."
                )
            )
    lost = [n for n in centres_mm if n in VERTEBRA_LEVELS and n not in present]
    if lost:
        names = ", ".join(level_name(n) for n in lost)
        found.append(warning("centroids", f"There is a centroid but no mask of {names}."))
    return found
