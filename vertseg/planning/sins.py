"""Spinal instability neoplastic score (SINS): what the image tells of it, and the range of the total.

Points and classes: Fisher et al., Spine 2010;35:E1221-9. Stable 0-6, potentially unstable 7-12, unstable 13-18.
Pain is the clinic's to tell. One scan cannot tell whether a deformity is new, so that kyphosis counts 0 or 2.
"""

from dataclasses import dataclass
from typing import Final, Literal

from vertseg.labels import level_number, region_of
from vertseg.planning.alignment import Alignment
from vertseg.planning.collapse import Collapse, reference_wedge_deg
from vertseg.planning.lesion import SMALLEST_ML, LesionExtent

JUNCTIONAL: Final = frozenset(
    level_number(n) for n in ("C1", "C2", "C7", "T1", "T2", "T11", "T12", "T13", "L1", "L5", "L6")
)
"""Occiput-C2, C7-T2, T11-L1 and L5-S1; T13 and L6 stand at the same junctions."""

MOBILE: Final = frozenset(level_number(n) for n in ("C3", "C4", "C5", "C6", "L2", "L3", "L4"))

PAIN_POINTS: Final = {"mechanical": 3, "occasional": 1, "none": 0}

TRANSLATION_MM: Final = {"cervical": 3.5, "thoracic": 2.5, "lumbar": 4.5}
"""Slips from which a segment counts as unstable: White and Panjabi, Clinical Biomechanics of the Spine, 2nd ed. 1990."""

KYPHOSIS_DEG: Final = 10.0
"""Wedging beyond the level's usual one that may be a new deformity. Assumed."""

COLLAPSE_PERCENT: Final = 20.0
"""Height loss that counts as collapse: where Genant's grade 1 begins. SINS itself gives no lower border."""

PEDICLE_SHARE: Final = 0.2
"""Part of a pedicle taken by lesion from which it counts as involved. Assumed."""

Stability = Literal["stable", "potentially_unstable", "unstable"]
Pain = Literal["mechanical", "occasional", "none"]


@dataclass(frozen=True)
class SinsComponent:
    """Points of one of the six components.

    Attributes:
        low, high: least and most points that it may have; equal where it is known.
        finding: key of what was found, such as "junctional", "lytic" or "unknown".
    """

    low: int
    high: int
    finding: str


@dataclass(frozen=True)
class Sins:
    """The score of one vertebra.

    Attributes:
        applicable: whether the vertebra has a lesion at all; the score is made for tumours only.
        location, pain, lesion, alignment, collapse, posterolateral: the components.
        low, high: range of the total, 0-18.
        stability_low, stability_high: classes of those.
    """

    applicable: bool
    location: SinsComponent
    pain: SinsComponent
    lesion: SinsComponent
    alignment: SinsComponent
    collapse: SinsComponent
    posterolateral: SinsComponent
    low: int
    high: int
    stability_low: Stability
    stability_high: Stability


def sins(
    level: int, lesion: LesionExtent, collapse: Collapse, alignment: Alignment, pain: Pain | None = None
) -> Sins:
    """The score of one vertebra from its measures.

    Args:
        level: VerSe number.
        lesion: its lesions.
        collapse: its heights.
        alignment: how it stands to its neighbours.
        pain: "mechanical" (on movement or load, better lying down), "occasional" but not mechanical, or "none";
            None where it is not known.
    """
    parts = (
        location(level),
        SinsComponent(0, 3, "unknown") if pain is None else _known(PAIN_POINTS[pain], pain),
        _lesion(lesion),
        _alignment(level, alignment),
        _collapse(lesion, collapse),
        _posterolateral(lesion),
    )
    low, high = sum(p.low for p in parts), sum(p.high for p in parts)
    has_lesion = lesion.lytic_ml + lesion.sclerotic_ml >= SMALLEST_ML
    return Sins(has_lesion, *parts, low, high, stability(low), stability(high))


def stability(total: int) -> Stability:
    """Class of a total of 0-18."""
    if total <= 6:
        return "stable"
    return "potentially_unstable" if total <= 12 else "unstable"


def location(level: int) -> SinsComponent:
    """Points of a level: junctional 3, mobile 2, semirigid (T3-T10) 1."""
    if level in JUNCTIONAL:
        return _known(3, "junctional")
    return _known(2, "mobile") if level in MOBILE else _known(1, "semirigid")


def _known(points: int, finding: str) -> SinsComponent:
    return SinsComponent(points, points, finding)


def _lesion(lesion: LesionExtent) -> SinsComponent:
    if lesion.kind == "none":
        return _known(0, "none")
    points = {"lytic": 2, "mixed": 1, "sclerotic": 0}[lesion.kind]
    return _known(points, lesion.kind)


def _alignment(level: int, alignment: Alignment) -> SinsComponent:
    region = region_of(level)
    slips = [abs(s) for s in (alignment.slip_above_mm, alignment.slip_below_mm) if s is not None]
    if slips and max(slips) >= TRANSLATION_MM[region]:
        return _known(4, "translation")
    if alignment.wedge_deg is None:
        return SinsComponent(0, 4, "unknown")
    kyphotic = alignment.wedge_deg - reference_wedge_deg(level) > KYPHOSIS_DEG
    if len(slips) < 2:
        return SinsComponent(0, 4, "deformity_possible" if kyphotic else "partly_seen")
    return SinsComponent(0, 2, "deformity_possible") if kyphotic else _known(0, "normal")


def _collapse(lesion: LesionExtent, collapse: Collapse) -> SinsComponent:
    involved = max(lesion.lytic_share or 0.0, 0.0) + max(lesion.sclerotic_share or 0.0, 0.0) > 0.5
    if collapse.loss_percent is None:
        return SinsComponent(1 if involved else 0, 3, "unknown")
    if collapse.loss_percent > 50:
        return _known(3, "collapse_over_half")
    if collapse.loss_percent >= COLLAPSE_PERCENT:
        return _known(2, "collapse_under_half")
    return _known(1, "over_half_involved") if involved else _known(0, "none")


def _posterolateral(lesion: LesionExtent) -> SinsComponent:
    shares = (lesion.right_pedicle_share, lesion.left_pedicle_share)
    sides = sum(s is not None and s >= PEDICLE_SHARE for s in shares)
    unseen = sum(s is None for s in shares)
    points = (0, 1, 3)
    finding = "unknown" if unseen else ("none", "unilateral", "bilateral")[sides]
    return SinsComponent(points[sides], points[min(2, sides + unseen)], finding)
