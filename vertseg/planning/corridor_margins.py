"""What one way keeps from each wall around it, in mm from the cannula's surface, and its angles."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.corridor_fields import CorridorFields
from vertseg.planning.corridor_types import CorridorAngles, CorridorClearance
from vertseg.planning.corridor_ways import Ways

_STEP_MM: Final = 0.25
_FINE_STEP_MM: Final = 0.1
"""Gauges' radii are 0.2 to 0.4 mm apart."""
_REACH_MM: Final = 20.0
_TIP_REACH_MM: Final = 60.0
_FAN_DEG: Final = (-30.0, -15.0, 0.0, 15.0, 30.0)
_NONE_MM: Final = 99.0


def entry_vox(fields: CorridorFields, ways: Ways) -> NDArray[np.float64]:
    """Where the first of the ways first meets this vertebra's bone, found to a quarter of a millimetre."""
    spacing = fields.spacing_mm
    t = np.arange(ways.entry_mm[0] - 1.5, ways.entry_mm[0] + 1.5, _STEP_MM)
    points = ways.target_vox[0] + (t / spacing)[:, None] * ways.outward[0]
    bone = fields.linear(fields.bone.astype(np.float32), points, 0.0) >= 0.5
    last = t.size - 1 - int(bone[::-1].argmax()) if bone.any() else t.size // 2
    return np.asarray(points[last], np.float64)


def angles(ways: Ways, outward_world: NDArray[np.float64], side: float) -> CorridorAngles:
    """Angles of the first of the ways in the vertebra's frame and in the patient's RAS."""
    x, y, z = outward_world
    return CorridorAngles(
        round(float(ways.medial_deg[0]), 1),
        round(float(ways.cranial_deg[0]), 1),
        round(float(np.degrees(np.arctan2(side * x, -y))), 1),
        round(float(np.degrees(np.arctan2(-z, -y))), 1),
    )


def clearance(fields: CorridorFields, ways: Ways, side: float, radius_mm: float) -> CorridorClearance:
    """Least distances of the first of the ways from each wall.

    The pedicle's own walls are looked for square to the cannula, 30 degrees around lateral, down and up, between
    the canal's middle depth and the posterior wall.

    Args:
        fields: of the vertebra.
        ways: holds the way.
        side: 1 for the patient's right, -1 for the left.
        radius_mm: of the cannula.
    """
    target, outward = ways.target_vox[0], ways.outward[0]
    t = np.arange(0.0, float(ways.entry_mm[0]) + 0.5, 0.5)
    points = target + (t / fields.spacing_mm)[:, None] * outward
    lateral, superior = _across(outward, side)
    pedicle = points[_in_pedicle(fields, points)]
    bone = fields.bone.astype(np.float32)
    left = np.array([[-1.0, 0.0, 0.0]])
    body = fields.body.astype(np.float32)
    tip = target[None]
    return CorridorClearance(
        canal_mm=_less(float(ways.canal_mm[0]), radius_mm),
        lateral_mm=_wall(fields, bone, pedicle, _fan(lateral, superior), radius_mm),
        inferior_mm=_wall(fields, bone, pedicle, _fan(-superior, lateral), radius_mm),
        superior_mm=_wall(fields, bone, pedicle, _fan(superior, lateral), radius_mm),
        endplate_mm=_endplate(fields, body, points, radius_mm),
        wall_defect_mm=_to_defect(fields, points, radius_mm),
        lung_mm=None if fields.lung_mm is None else _less(float(ways.lung_mm[0]), radius_mm),
        tip_to_anterior_mm=_cast(fields, body, tip, -outward[None], _TIP_REACH_MM),
        tip_to_left_mm=_cast(fields, body, tip, left, _TIP_REACH_MM),
    )


def around_mm(fields: CorridorFields, ways: Ways) -> float:
    """Least distance from the first way's axis to the bone's surface, square to it, from the canal's middle depth on.

    Surfaces lie half-way between voxels, which is finer than the fields that the way was searched on; no more than
    5 mm are looked at.
    """
    outward = ways.outward[0]
    t = np.arange(0.0, float(ways.entry_mm[0]), 1.0)
    points = ways.target_vox[0] + (t / fields.spacing_mm)[:, None] * outward
    k = np.clip(np.rint(points[:, 2]).astype(int), 0, fields.bone.shape[2] - 1)
    points = points[points[:, 1] >= fields.middle_vox[k, 1]]
    lateral, superior = _across(outward, 1.0)
    turn = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)[:, None]
    ring = np.cos(turn) * lateral + np.sin(turn) * superior
    reach = 5.0
    distance = _cast(fields, fields.bone.astype(np.float32), points, ring, reach, _FINE_STEP_MM)
    return reach if distance is None else distance


def pedicle_share(fields: CorridorFields, ways: Ways, mask: NDArray[np.bool_]) -> float:
    """Share (0 to 1) of the first way's length in the pedicle that runs in a mask (X, Y, Z) of the whole grid."""
    t = np.arange(0.0, float(ways.entry_mm[0]), 0.5)
    points = ways.target_vox[0] + (t / fields.spacing_mm)[:, None] * ways.outward[0]
    points = points[_in_pedicle(fields, points)]
    if len(points) == 0:
        return 0.0
    i, j, k = np.rint(points + fields.start_vox).astype(int).T
    return float(mask[i, j, k].mean())


def _in_pedicle(fields: CorridorFields, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points between the canal's middle depth and the posterior wall, (N,) bool."""
    k = np.clip(np.rint(points[:, 2]).astype(int), 0, fields.bone.shape[2] - 1)
    back = fields.canal.wall_vox - fields.start_vox[1]
    return np.asarray((points[:, 1] >= fields.middle_vox[k, 1]) & (points[:, 1] <= back))


def _across(outward: NDArray[np.float64], side: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors square to a way: away from the midline, and up."""
    out = np.array([side, 0.0, 0.0]) - side * outward[0] * outward
    out /= np.linalg.norm(out)
    up = np.cross(outward, out)
    return out, up if up[2] > 0 else -up


def _fan(middle: NDArray[np.float64], aside: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.radians(_FAN_DEG)[:, None]
    return np.asarray(np.cos(turn) * middle + np.sin(turn) * aside)


def _cast(
    fields: CorridorFields,
    inside: NDArray[np.float32],
    points: NDArray[np.float64],
    directions: NDArray[np.float64],
    reach_mm: float = _REACH_MM,
    step_mm: float = _STEP_MM,
) -> float | None:
    """Least distance in mm from points (N, 3) along directions (M, 3) to where `inside` ends; None if nowhere."""
    if len(points) == 0:
        return None
    t = np.arange(0.0, reach_mm, step_mm) / fields.spacing_mm
    along = points[:, None, None] + directions[None, :, None] * t[None, None, :, None]
    within = ndimage.map_coordinates(inside, np.moveaxis(along, -1, 0), order=1, mode="constant") >= 0.5
    ends = ~within.all(axis=-1)
    if not ends.any():
        return None
    return float(within.argmin(axis=-1)[ends].min()) * step_mm


def _wall(
    fields: CorridorFields,
    bone: NDArray[np.float32],
    points: NDArray[np.float64],
    fan: NDArray[np.float64],
    radius_mm: float,
) -> float | None:
    distance = _cast(fields, bone, points, fan)
    return None if distance is None else _less(distance, radius_mm)


def _endplate(
    fields: CorridorFields, body: NDArray[np.float32], points: NDArray[np.float64], radius_mm: float
) -> float | None:
    inside = points[fields.linear(fields.in_body_mm, points, 0.0) > 1.0]
    up = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    distance = _cast(fields, body, inside, up, 30.0)
    return None if distance is None else _less(distance, radius_mm)


def _to_defect(fields: CorridorFields, points: NDArray[np.float64], radius_mm: float) -> float | None:
    mask = fields.vertebra.masks["posterior_wall_defect"]
    if not mask.any():
        return None
    defect = np.argwhere(mask)
    gap = np.linalg.norm((defect - fields.start_vox)[:, None] - points[None], axis=-1).min()
    return _less(float(gap) * fields.spacing_mm - 0.5 * fields.spacing_mm, radius_mm)


def _less(distance_mm: float, radius_mm: float) -> float:
    return round(distance_mm - radius_mm, 2)
