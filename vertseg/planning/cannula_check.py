"""The cannula on a CT taken with it in: where it lies, and how far from its plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vertseg.planning.corridor import Corridor, Point
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import Volume


@dataclass(frozen=True)
class Cannula:
    """A straight metal rod found in a scan.

    Attributes:
        tip_mm: (3,) its deep end, world RAS mm.
        tail_mm: its outer end, or where it leaves the scan.
        direction: unit vector from tail to tip.
        length_mm: what of it is seen.
        diameter_mm: mean width as the scanner shows it, blurred; wider than the cannula.
    """

    tip_mm: Point
    tail_mm: Point
    direction: Point
    length_mm: float
    diameter_mm: float


@dataclass(frozen=True)
class CannulaDeviation:
    """How far a cannula lies from its plan.

    Attributes:
        angle_deg: between both axes.
        entry_mm: from the planned entry on the bone to the cannula's axis.
        tip_mm: from the planned target to the tip.
        tip_depth_mm: the part of that along the planned axis; positive beyond the target.
        tip_aside_mm: the part across it.
    """

    angle_deg: float
    entry_mm: float
    tip_mm: float
    tip_depth_mm: float
    tip_aside_mm: float


@dataclass(frozen=True)
class CannulaPlace:
    """Where a cannula's tip lies.

    Attributes:
        level: VerSe number of the vertebra that it lies in or next to; None if more than 15 mm from any.
        part: part of that vertebra.
        third: third of the body's depth; None outside of the body.
        to_anterior_mm: from the tip to the body's front wall along the vertebra's anterior axis; None outside.
        to_posterior_wall_mm: the same to the back.
        to_endplate_mm: to the nearer endplate.
        canal_mm: least distance of the cannula's axis to the canal; negative inside.
    """

    level: int | None
    part: Literal["body", "posterior_elements", "canal", "outside"]
    third: Literal["anterior", "middle", "posterior"] | None
    to_anterior_mm: float | None
    to_posterior_wall_mm: float | None
    to_endplate_mm: float | None
    canal_mm: float | None


@dataclass(frozen=True)
class CannulaCheck:
    """A cannula with its place, and its deviation from the nearest plan; None without a plan."""

    cannula: Cannula
    place: CannulaPlace
    deviation: CannulaDeviation | None


def check_cannulas(
    scan: Volume, vertebrae: Sequence[UprightVertebra] = (), plans: Sequence[Corridor] = ()
) -> tuple[CannulaCheck, ...]:
    """Every cannula in a scan, the longest first; screws, cement and streaks are not taken for one.

    Args:
        scan: HU, any orientation.
        vertebrae: of the same scan.
        plans: corridors in the same world; each cannula is compared with the one that it is nearest to.
    """
    raise NotImplementedError
