"""Cannula corridors of one vertebra: through the pedicle, or beside it, from the skin into the body."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.cement.plan import LESION_ML
from vertseg.labels import LUMBAR, T13, THORACIC, Approach
from vertseg.planning.corridor_fields import CorridorFields, corridor_fields
from vertseg.planning.corridor_margins import angles, clearance, entry_vox
from vertseg.planning.corridor_remarks import CUT, infeasible, not_planned, warnings
from vertseg.planning.corridor_search import (
    Tips,
    anterior_tips,
    extrapedicular,
    lesion_tips,
    pedicle,
    transpedicular,
)
from vertseg.planning.corridor_types import (
    Corridor,
    CorridorAngles,
    CorridorClearance,
    Kind,
    Point,
    Side,
    Target,
)
from vertseg.planning.gauges import BONE_MARGIN_MM, GAUGES, largest_gauge
from vertseg.planning.skin import skin_entry
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import Volume

__all__ = [
    "Corridor", "CorridorAngles", "CorridorClearance", "Kind", "Point", "Side", "Target", "plan_corridors",
]  # fmt: skip

EXTRAPEDICULAR_LEVELS: Final = THORACIC[3:]
"""T4 to T12, where a rib's head shields the way beside the pedicle."""

_PLANNED_LEVELS: Final = (*THORACIC, T13, *LUMBAR)
_SIDES: Final[tuple[tuple[Side, float], ...]] = (("left", -1.0), ("right", 1.0))


def plan_corridors(
    vertebra: UprightVertebra,
    scan: Volume | None = None,
    cut_by_field: bool = False,
    target: Target = "auto",
    approach: Approach = "unipedicular",
) -> tuple[Corridor, ...]:
    """Corridors of a vertebra, the safest first; those that are not feasible come last and say why.

    Left and right through the pedicle, and from T4 to T12 also left and right beside it.

    Args:
        vertebra: in its own frame.
        scan: HU of the whole scan, for the entry on the skin; None gives none.
        cut_by_field: the vertebra touches the edge of the scan.
        target: "auto" aims into a lytic lesion from `cement.plan.LESION_ML` on, else at the anterior third.
        approach: a single cannula is led near the midline, two to the middle of each half.
    """
    kinds: tuple[Kind, ...] = ("transpedicular",)
    if vertebra.level in EXTRAPEDICULAR_LEVELS:
        kinds = ("transpedicular", "extrapedicular")
    asked = [(kind, side, sign) for kind in kinds for side, sign in _SIDES]
    fields = corridor_fields(vertebra) if vertebra.level in _PLANNED_LEVELS else None
    if fields is None:
        reason = not_planned(vertebra)
        return tuple(Corridor(kind, side, False, reason) for kind, side, _ in asked)
    lesion = lesion_tips(fields) if _aims_at_lesion(vertebra, target) else None
    found = [
        _corridor(
            fields,
            scan,
            (kind, side, sign),
            lesion or anterior_tips(fields, sign, approach),
            lesion is not None,
        )
        for kind, side, sign in asked
    ]
    if cut_by_field:
        found = [replace(corridor, warnings=(*corridor.warnings, CUT)) for corridor in found]
    return tuple(sorted(found, key=_rank, reverse=True))


def _aims_at_lesion(vertebra: UprightVertebra, target: Target) -> bool:
    lesion = vertebra.masks["lytic_lesion"] & vertebra.body
    ml = float(np.count_nonzero(lesion)) * vertebra.voxel_ml
    return target == "lesion" or (target == "auto" and ml >= LESION_ML)


def _rank(corridor: Corridor) -> tuple[bool, float]:
    return corridor.feasible, -np.inf if corridor.score is None else corridor.score


def _corridor(
    fields: CorridorFields,
    scan: Volume | None,
    asked: tuple[Kind, Side, float],
    tips: Tips | None,
    in_lesion: bool,
) -> Corridor:
    kind, side, sign = asked
    search = transpedicular if kind == "transpedicular" else extrapedicular
    found = None if tips is None else search(fields, sign, tips)
    bone = pedicle(fields, sign)
    width = None if bone is None else bone.width_mm
    if found is None:
        why = infeasible(fields, (kind, side, sign), tips, None)
        return Corridor(kind, side, False, why, pedicle_width_mm=width)
    fits = largest_gauge(found.room_mm)
    reason = None if fits is not None else infeasible(fields, (kind, side, sign), tips, found)
    gauge = fits or GAUGES[-1]
    margins = clearance(fields, found.ways, sign, gauge.outer_mm / 2)
    target = fields.world_mm(found.ways.target_vox[0])
    entry = fields.world_mm(entry_vox(fields, found.ways))
    outward = fields.vertebra.axes @ found.ways.outward[0]
    skin = None if scan is None else skin_entry(scan, entry, outward)
    bone_mm = float(np.linalg.norm(entry - target))
    skin_mm = None if skin is None else float(np.linalg.norm(skin - entry))
    return Corridor(
        kind, side, reason is None, reason, _point(skin), _point(entry), _point(target),
        "lesion" if in_lesion else "anterior_third",
        angles(found.ways, outward, sign),
        skin_mm, bone_mm, None if skin_mm is None else skin_mm + bone_mm,
        gauge.name if reason is None else None, gauge.outer_mm if reason is None else None,
        BONE_MARGIN_MM, margins, round(found.score, 3),
        warnings(fields, found.ways, (kind, side, sign), margins, scan is not None and skin is None), width,
    )  # fmt: skip


def _point(world_mm: NDArray[np.float64] | None) -> Point | None:
    if world_mm is None:
        return None
    x, y, z = (round(float(v), 2) for v in world_mm)
    return x, y, z
