"""Many straight ways at once: what each keeps from canal, bone surfaces, neighbours and lung."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.corridor_fields import CorridorFields

_STEP_MM: Final = 1.0
_BEHIND_MM: Final = 34.0
_DEEP_MM: Final = 6.0
_FAR_MM: Final = 99.0


@dataclass(frozen=True, eq=False)
class Ways:
    """N straight ways from targets outward through waypoints; arrays (N,), distances from the axis in mm.

    Attributes:
        target_vox: (N, 3) tips, indices of the fields' crop.
        through_vox: (N, 3) points that they pass.
        outward: (N, 3) unit vectors from tip to skin.
        canal_mm: least distance to the canal; negative inside.
        room_mm: least depth under the bone's surface from the tip back to the canal's middle depth.
        deep_room_mm: the same only in the body, deeper than 6 mm under the waypoint.
        lung_mm: least distance to lung, 99 without any.
        entry_mm: distance from the tip to the outermost bone of this vertebra.
        gap_mm: what is not bone between that and the canal's middle depth.
        outer_bone_mm: this vertebra's bone beyond the waypoint.
        struck_mm: other vertebrae's bone on the way.
        medial_deg: angle toward the midline in the axial plane.
        cranial_deg: angle headward in the sagittal plane.
    """

    target_vox: NDArray[np.float64]
    through_vox: NDArray[np.float64]
    outward: NDArray[np.float64]
    canal_mm: NDArray[np.float64]
    room_mm: NDArray[np.float64]
    deep_room_mm: NDArray[np.float64]
    lung_mm: NDArray[np.float64]
    entry_mm: NDArray[np.float64]
    gap_mm: NDArray[np.float64]
    outer_bone_mm: NDArray[np.float64]
    struck_mm: NDArray[np.float64]
    medial_deg: NDArray[np.float64]
    cranial_deg: NDArray[np.float64]


def pairs(
    through_vox: NDArray[np.float64], target_vox: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every waypoint (K, 3) with every target (M, 3), as two arrays (K * M, 3)."""
    k, m = len(through_vox), len(target_vox)
    return np.repeat(through_vox, m, axis=0), np.tile(target_vox, (k, 1))


def assess(
    fields: CorridorFields,
    through_vox: NDArray[np.float64],
    target_vox: NDArray[np.float64],
    side: float,
    fine: bool = False,
) -> Ways:
    """What the ways through (N, 3) to (N, 3) keep, sampled every millimetre.

    Args:
        fields: of the vertebra.
        through_vox: where they pass.
        target_vox: where they end.
        side: 1 for the patient's right, -1 for the left.
        fine: interpolate the fields between voxels instead of taking the nearest.
    """
    spacing = fields.spacing_mm
    span = through_vox - target_vox
    length = np.linalg.norm(span, axis=1)
    outward = span / np.maximum(length, 1e-9)[:, None]
    t = np.arange(0.0, float(length.max()) * spacing + _BEHIND_MM, _STEP_MM)
    x, y, z = (
        (target_vox[:, axis, None] + outward[:, axis, None] * (t / spacing)).astype(np.float32)
        for axis in range(3)
    )
    index, at_z = _nearest(x, y, z, fields.bone.shape)
    bone = fields.bone.ravel()[index]
    inner = y >= fields.middle_vox[:, 1].astype(np.float32)[at_z]

    def values(field: NDArray[np.float32]) -> NDArray[np.float32]:
        if not fine:
            return field.ravel()[index]
        return np.asarray(
            ndimage.map_coordinates(field, np.stack([x, y, z]), np.float32, order=1, mode="nearest")
        )

    in_bone, in_body, canal = (values(f) for f in (fields.in_bone_mm, fields.in_body_mm, fields.canal_mm))
    past = t[None] >= length[:, None] * spacing
    deep = t[None] <= length[:, None] * spacing - _DEEP_MM
    lung = np.full(len(length), _FAR_MM)
    if fields.lung_mm is not None:
        lung = fields.lung_mm.ravel()[index].min(axis=1)
    last = t.size - 1 - bone[:, ::-1].argmax(axis=1)
    between = ~bone & ~inner & (np.arange(t.size)[None] < last[:, None])
    return Ways(
        target_vox, through_vox, outward,
        canal_mm=canal.min(axis=1),
        room_mm=np.where(inner, in_bone, _FAR_MM).min(axis=1),
        deep_room_mm=np.where(deep, in_body, _FAR_MM).min(axis=1),
        lung_mm=lung,
        entry_mm=t[last],
        gap_mm=between.sum(axis=1) * _STEP_MM,
        outer_bone_mm=(bone & past).sum(axis=1) * _STEP_MM,
        struck_mm=fields.other_bone.ravel()[index].sum(axis=1) * _STEP_MM,
        medial_deg=np.degrees(np.arctan2(side * outward[:, 0], -outward[:, 1])),
        cranial_deg=np.degrees(np.arctan2(-outward[:, 2], -outward[:, 1])),
    )  # fmt: skip


def _nearest(
    x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Flat indices of the voxels nearest to points, and their z; points beyond the crop take its outer layer."""
    i, j, k = (
        np.clip(np.rint(axis).astype(np.int32), 0, count - 1)
        for axis, count in zip((x, y, z), shape, strict=True)
    )
    return (i * shape[1] + j) * shape[2] + k, k
