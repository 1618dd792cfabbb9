"""The cannula on a CT taken with it in: where it lies, and how far from its plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.planning.cannula_metal import Cannula, find_cannulas
from vertseg.planning.corridor_types import Corridor
from vertseg.planning.keep_out import keep_out
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import Volume

__all__ = [
    "Cannula",
    "CannulaCheck",
    "CannulaDeviation",
    "CannulaPlace",
    "check_cannulas",
    "deviation",
    "place",
]

_NEAR_MM: Final = 15.0
_STEP_MM: Final = 0.25


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
        canal_mm: least distance of the cannula's axis to the canal; negative, the length inside it, where it enters.
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
    return tuple(
        CannulaCheck(cannula, place(cannula, vertebrae), _nearest_deviation(cannula, plans))
        for cannula in find_cannulas(scan)
    )


def deviation(cannula: Cannula, plan: Corridor) -> CannulaDeviation | None:
    """How far a cannula lies from one plan; None where the plan has no way."""
    if plan.target_mm is None or plan.entry_bone_mm is None:
        return None
    tip, axis = np.array(cannula.tip_mm), np.array(cannula.direction)
    target, entry = np.array(plan.target_mm), np.array(plan.entry_bone_mm)
    planned = (target - entry) / np.linalg.norm(target - entry)
    span, miss = entry - tip, tip - target
    depth = float(miss @ planned)
    return CannulaDeviation(
        angle_deg=round(float(np.degrees(np.arccos(np.clip(axis @ planned, -1.0, 1.0)))), 1),
        entry_mm=round(float(np.linalg.norm(span - (span @ axis) * axis)), 1),
        tip_mm=round(float(np.linalg.norm(miss)), 1),
        tip_depth_mm=round(depth, 1),
        tip_aside_mm=round(float(np.linalg.norm(miss - depth * planned)), 1),
    )


def _nearest_deviation(cannula: Cannula, plans: Sequence[Corridor]) -> CannulaDeviation | None:
    known = [d for d in (deviation(cannula, plan) for plan in plans) if d is not None]
    return min(known, key=lambda d: d.entry_mm + d.tip_mm) if known else None


def place(cannula: Cannula, vertebrae: Sequence[UprightVertebra]) -> CannulaPlace:
    """Where a cannula's tip lies among vertebrae."""
    tip = np.array(cannula.tip_mm)
    near = [(_gap_mm(v, tip), v) for v in vertebrae]
    if not near or min(gap for gap, _ in near) > _NEAR_MM:
        return CannulaPlace(None, "outside", None, None, None, None, None)
    vertebra = min(near, key=lambda pair: pair[0])[1]
    vox = vertebra.grid.voxel(tip)
    canal = keep_out(vertebra)
    canal_mm = None if canal is None else _to_canal_mm(vertebra, canal.mask, cannula)
    if _holds(vertebra.body, vox):
        return _in_body(vertebra, vox, canal_mm)
    part: Literal["posterior_elements", "canal", "outside"] = "outside"
    if canal is not None and _holds(canal.mask, vox):
        part = "canal"
    elif _holds(vertebra.posterior, vox):
        part = "posterior_elements"
    return CannulaPlace(vertebra.level, part, None, None, None, None, canal_mm)


def _in_body(vertebra: UprightVertebra, vox: NDArray[np.float64], canal_mm: float | None) -> CannulaPlace:
    front, back, above, below = (
        _leaves_mm(vertebra, vox, np.array(way))
        for way in ((0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0))
    )
    share = back / max(front + back, 1e-9)
    third: Literal["anterior", "middle", "posterior"] = (
        "anterior" if share > 2 / 3 else "middle" if share > 1 / 3 else "posterior"
    )
    return CannulaPlace(vertebra.level, "body", third, front, back, min(above, below), canal_mm)


def _leaves_mm(vertebra: UprightVertebra, vox: NDArray[np.float64], way: NDArray[np.float64]) -> float:
    """How far it is from a position in the body to its surface in a direction of its frame."""
    t = np.arange(0.0, 80.0, _STEP_MM)
    at = np.rint(vox + (t / vertebra.spacing_mm)[:, None] * way).astype(int)
    at = np.clip(at, 0, np.array(vertebra.body.shape) - 1)
    inside = vertebra.body[tuple(at.T)]
    return round(float(t[int(inside.argmin())]), 1) if not inside.all() else round(float(t[-1]), 1)


def _holds(mask: NDArray[np.bool_], vox: NDArray[np.float64]) -> bool:
    at = np.rint(vox).astype(int)
    return bool((at >= 0).all() and (at < mask.shape).all() and mask[tuple(at)])


def _gap_mm(vertebra: UprightVertebra, tip: NDArray[np.float64]) -> float:
    """Distance from a world position to a vertebra's bone; 0 inside."""
    bone = np.argwhere(vertebra.body | vertebra.posterior)
    if len(bone) == 0:
        return np.inf
    gap = float(np.sqrt(((bone - vertebra.grid.voxel(tip)) ** 2).sum(axis=1).min())) * vertebra.spacing_mm
    return max(gap - vertebra.spacing_mm, 0.0)


def _to_canal_mm(vertebra: UprightVertebra, canal: NDArray[np.bool_], cannula: Cannula) -> float | None:
    """Least distance from the cannula's axis to the canal; negative, by what of it lies inside, where it enters."""
    at = np.argwhere(canal)
    if len(at) == 0:
        return None
    tip, tail = (vertebra.grid.voxel(np.array(p)) for p in (cannula.tip_mm, cannula.tail_mm))
    axis = (tail - tip) / np.linalg.norm(tail - tip)
    t = np.arange(0.0, float(np.linalg.norm(tail - tip)), 0.5)
    inside = sum(_holds(canal, tip + step * axis) for step in t)
    if inside:
        return round(-0.5 * inside * vertebra.spacing_mm, 1)
    span = at - tip
    along = np.clip(span @ axis, 0.0, t[-1])
    gap = float(np.linalg.norm(span - along[:, None] * axis, axis=1).min())
    return round((gap - 0.5) * vertebra.spacing_mm, 1)
