"""Cement of a rendered phantom by where it leaked: from the drawn casts, so that no pixel and no label changes."""

from typing import Final

import numpy as np
import torch

from vertseg.phantom.pathology.disease import Strand
from vertseg.phantom.pathology.treatment import strand_distance
from vertseg.phantom.types import Anatomy, VertebraShape
from vertseg.volume import Volume

WAYS: Final = ("canal", "disc", "vein", "track")
"""Where phantoms' cement leaks to (`phantom.pathology.cementation.LEAK_RATES`)."""

_STEP_MM: Final = 0.4


def leaked_by_way_ml(
    anatomy: Anatomy, level: Volume, world_from_patient: np.ndarray
) -> dict[int, dict[str, float]]:
    """Leaked cement in ml by vertebra's level number and by each of `WAYS`, of the treated vertebrae.

    A cast's volume is what lies within its drawn surface, in the field of view, and outside of its own vertebra's
    labels; where two casts of a vertebra meet, each place counts for the one whose surface it lies deeper under.

    Args:
        anatomy: the patient.
        level: VerSe numbers of the rendered scan.
        world_from_patient: (4, 4) pose on the table, mm.
    """
    return {
        shape.level: _of_vertebra(shape, level, world_from_patient)
        for shape in anatomy.vertebrae
        if shape.cement is not None
    }


def _of_vertebra(shape: VertebraShape, level: Volume, world_from_patient: np.ndarray) -> dict[str, float]:
    found = dict.fromkeys(WAYS, 0.0)
    strands = () if shape.cement is None else shape.cement.strands
    if not strands:
        return found
    points = _grid(strands)
    distance = np.stack([strand_distance(torch.from_numpy(points), s).numpy() for s in strands])
    inside = distance.min(axis=0) <= 0
    nearest = distance.argmin(axis=0)[inside]
    patient = shape.centre_mm + points[inside] @ shape.axes.T
    world = patient @ world_from_patient[:3, :3].T + world_from_patient[:3, 3]
    vox = np.rint(level.grid.voxel(world)).astype(int)
    seen = ((vox >= 0) & (vox < level.array.shape)).all(axis=1)
    own = np.zeros(len(vox), bool)
    own[seen] = level.array[tuple(vox[seen].T)] == shape.level
    for k, strand in enumerate(strands):
        count = np.count_nonzero((nearest == k) & seen & ~own)
        found[strand.route] += count * _STEP_MM**3 / 1000.0
    return found


def _grid(strands: tuple[Strand, ...]) -> np.ndarray:
    """Points (N, 3) of a fine grid, in the vertebra's frame, around all strands."""
    corners = np.concatenate([np.asarray(s.points) for s in strands])
    margin = max(1.6 * s.radius_mm * max(s.stretch) for s in strands) + 1.0
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    axes = [np.arange(a, b, _STEP_MM) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
