"""How much of its height a vertebral body has lost, and in which shape.

Heights are those of Genant et al. 1993 (J Bone Miner Res 8:1137-48): anterior, middle and posterior, in the middle of
the body from side to side, between the endplates. They are measured along the body's own up, over windows of the
depth rather than at single points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from vertseg.labels import column_position, level_name
from vertseg.phantom.patient.morphometry import LEVEL_SIZES, LIVING_HEIGHT_FACTOR, WEDGE
from vertseg.planning.body_surfaces import BodySurfaces

Heights = tuple[float, float, float]
"""Anterior, middle and posterior height in mm."""

GENANT_PERCENT: Final = (20.0, 25.0, 40.0)
"""Height losses at which Genant's grades 1, 2 and 3 begin (J Bone Miner Res 1993;8:1137-48)."""

PLANA_PERCENT: Final = 70.0
"""Loss in front, middle and behind from which a body is called a vertebra plana.

Severe collapse of more than two thirds of the height is the usual border in vertebroplasty series (Peh et al.,
Radiology 2002;223:121-6: "severe" leaves less than one third of the height).
"""

_SOUND_PERCENT: Final = 20.0
_FARTHEST: Final = 3
_NEIGHBOURS: Final = 2
_WINDOW: Final = (0.04, 0.20)
_MIDDLE: Final = (0.40, 0.60)
_MIN_COLUMNS: Final = 4
_SIDE_SHARE: Final = 1 / 6


CollapseShape = Literal["none", "wedge", "biconcave", "crush"]


@dataclass(frozen=True)
class Collapse:
    """Heights of one body and what of them is lost; None where it cannot be measured.

    Attributes:
        anterior_mm, middle_mm, posterior_mm: heights between the endplates.
        expected_anterior_mm, expected_middle_mm, expected_posterior_mm: those that its neighbours let expect.
        neighbours: names of the levels compared with.
        loss_anterior_percent, loss_middle_percent, loss_posterior_percent: against those; negative where higher.
        loss_percent: the largest of the three, not below 0.
        reference_mm: published posterior height of this level (see `reference_heights`).
        loss_reference_percent: largest loss of the three heights against the published ones, not below 0; people
            differ in size by some 10 %.
        genant_grade: 0-3.
        shape: of a body of grade 1 or more.
        vertebra_plana: nearly all height is gone in front and behind.
    """

    anterior_mm: float | None = None
    middle_mm: float | None = None
    posterior_mm: float | None = None
    expected_anterior_mm: float | None = None
    expected_middle_mm: float | None = None
    expected_posterior_mm: float | None = None
    neighbours: tuple[str, ...] = ()
    loss_anterior_percent: float | None = None
    loss_middle_percent: float | None = None
    loss_posterior_percent: float | None = None
    loss_percent: float | None = None
    reference_mm: float | None = None
    loss_reference_percent: float | None = None
    genant_grade: int | None = None
    shape: CollapseShape | None = None
    vertebra_plana: bool | None = None


def reference_heights(level: int) -> Heights:
    """Anterior, middle and posterior height (mm) that are published for a level.

    Posterior heights of Panjabi et al. (Spine 1991;16:861-9 and 888-901, 1992;17:299-306), made those of living
    adults, and anterior over posterior ones of Masharawi et al. (Clin Anat 2008;21:46-54): see
    `phantom.patient.morphometry`. The middle one is the mean of both, less the hollow of the endplates (4 %).
    """
    posterior = LEVEL_SIZES[level]["height"] * LIVING_HEIGHT_FACTOR
    anterior = posterior * WEDGE[level]
    return anterior, 0.96 * (anterior + posterior) / 2, posterior


def reference_wedge_deg(level: int) -> float:
    """Wedging in degrees, kyphotic positive, that the published heights and depth of a level give it."""
    anterior, _, posterior = reference_heights(level)
    return float(np.degrees(np.arctan2(posterior - anterior, LEVEL_SIZES[level]["depth"])))


def body_heights(surfaces: BodySurfaces) -> Heights | None:
    """Anterior, middle and posterior height in mm along the body's own up; None where too little is seen."""
    axes = surfaces.own_axes
    flat = np.stack([surfaces.right_mm, surfaces.anterior_mm])
    upper, lower = (np.vstack([flat, z]).T @ axes for z in (surfaces.upper_mm, surfaces.lower_mm))
    middle = (upper + lower) / 2
    side, forward = middle[:, 0], middle[:, 1]
    half_width = (np.percentile(side, 99) - np.percentile(side, 1)) * _SIDE_SHARE
    core = np.abs(side - np.median(side)) <= half_width
    if np.count_nonzero(core) < 3 * _MIN_COLUMNS:
        return None
    front, back = forward[core].max(), forward[core].min()
    heights = []
    for begin, end in ((1 - _WINDOW[1], 1 - _WINDOW[0]), _MIDDLE, _WINDOW):
        low, high = back + begin * (front - back), back + end * (front - back)
        above = core & (upper[:, 1] >= low) & (upper[:, 1] <= high)
        below = core & (lower[:, 1] >= low) & (lower[:, 1] <= high)
        if min(np.count_nonzero(above), np.count_nonzero(below)) < _MIN_COLUMNS:
            return None
        heights.append(float(np.median(upper[above, 2]) - np.median(lower[below, 2])))
    return heights[0], heights[1], heights[2]


def collapse(level: int, heights: Mapping[int, Heights]) -> Collapse:
    """What one body lost against its neighbours and against published heights.

    Neighbours are the two nearest sound bodies above and below, up to three levels away, the nearer counting more; each
    one's heights are first scaled by the published growth from its level to this one. Sound is a body that has lost less than 20 % at its
    worst place against the median of all others' sizes. With no sound neighbour the published heights, scaled to
    this patient's bodies, are not used instead: the loss is None.

    Args:
        level: VerSe number.
        heights: of every body of the scan that could be measured, by VerSe number.
    """
    own = heights.get(level)
    reference = reference_heights(level)
    if own is None:
        return Collapse(reference_mm=reference[2])
    neighbours = sound_neighbours(level, heights)
    against_reference = max(_losses(own, reference))
    known = Collapse(*own, reference_mm=reference[2], loss_reference_percent=max(0.0, against_reference))
    if not neighbours:
        return known
    expected = _expected(level, [(n, heights[n]) for n in neighbours])
    losses = _losses(own, expected)
    worst = max(0.0, *losses)
    grade = int(np.searchsorted(GENANT_PERCENT, worst, side="right"))
    return replace(
        known,
        expected_anterior_mm=expected[0], expected_middle_mm=expected[1], expected_posterior_mm=expected[2],
        neighbours=tuple(level_name(n) for n in neighbours),
        loss_anterior_percent=losses[0], loss_middle_percent=losses[1], loss_posterior_percent=losses[2],
        loss_percent=worst,
        genant_grade=grade,
        shape=collapse_shape(losses) if grade else "none",
        vertebra_plana=min(losses) >= PLANA_PERCENT,
    )  # fmt: skip


def collapse_shape(losses: Heights) -> CollapseShape:
    """Shape of a body by its losses (percent) in front, in the middle and behind, after Genant et al. 1993.

    A crush has lost a grade's worth (20 %) behind as well; else it is biconcave where the middle has lost most,
    and a wedge where the front has.
    """
    anterior, middle, posterior = losses
    if posterior >= GENANT_PERCENT[0]:
        return "crush"
    return "biconcave" if middle > anterior else "wedge"


def sound_neighbours(level: int, heights: Mapping[int, Heights]) -> tuple[int, ...]:
    """Up to two sound bodies above and two below, the nearest ones, from head to foot."""
    size = {n: min(h / r for h, r in zip(heights[n], reference_heights(n), strict=True)) for n in heights}
    found = []
    for step in (-1, 1):
        place = column_position(level)
        near = sorted(
            (abs(column_position(n) - place), n)
            for n in heights
            if 0 < (column_position(n) - place) * step <= _FARTHEST
        )
        found += [n for _, n in near if _is_sound(n, level, size)][:_NEIGHBOURS]
    return tuple(sorted(found, key=column_position))


def _is_sound(candidate: int, level: int, size: Mapping[int, float]) -> bool:
    """Whether a body is as tall, for its level, as the upper half of the scan's others are."""
    others = [s for n, s in size.items() if n not in (candidate, level)]
    if not others:
        return True
    usual = float(np.percentile(others, 75))
    return size[candidate] >= (1 - _SOUND_PERCENT / 100) * usual


def _expected(level: int, neighbours: Sequence[tuple[int, Heights]]) -> Heights:
    """Mean of the neighbours' heights by nearness, each scaled to this level by the published ones."""
    own = reference_heights(level)
    rows = [
        [h * mine / theirs for h, mine, theirs in zip(heights, own, reference_heights(n), strict=True)]
        for n, heights in neighbours
    ]
    place = column_position(level)
    weights = [1.0 / abs(column_position(n) - place) for n, _ in neighbours]
    anterior, middle, posterior = np.average(rows, axis=0, weights=weights)
    return float(anterior), float(middle), float(posterior)


def _losses(own: Heights, expected: Heights) -> Heights:
    anterior, middle, posterior = (100 * (1 - a / b) for a, b in zip(own, expected, strict=True))
    return anterior, middle, posterior
