"""Where the pelvis stands: it turns with the sacrum, and its sacroiliac joints are planes. World RAS, mm."""

from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from vertseg.phantom.skeleton.bars import Half
from vertseg.phantom.types import Anatomy, Array

NEUTRAL_SLOPE_DEG: Final = 40.0
"""Sacral slope at which the landmarks of `pelvis` are given (mean of adults; Vaz et al., Eur Spine J 2002;11:80)."""
JOINT_GAP_MM: Final = 2.4
"""Width of the sacroiliac joint on CT (2-3 mm in adults)."""


def pelvis_pose(anatomy: Anatomy) -> tuple[Array, float]:
    """Rotation (3, 3) from the neutral pelvis to this patient's, and the scale of the pelvis.

    The pelvis is one rigid ring with the sacrum (its incidence is constant), hence it turns with the slope.
    """
    rng = np.random.default_rng([anatomy.seed, 12])
    slope = float(np.rad2deg(np.arctan2(anatomy.sacrum_axes[1, 2], anatomy.sacrum_axes[2, 2])))
    turn = 0.9 * (slope - NEUTRAL_SLOPE_DEG) + float(rng.normal(0, 2.5))
    matrix = Rotation.from_euler("x", -turn, degrees=True).as_matrix()
    return np.asarray(matrix), anatomy.trunk["pelvis_scale"] * float(rng.uniform(0.95, 1.05))


def joint_plane(anatomy: Anatomy, side: float, outward: bool) -> Half:
    """The half space beyond (`outward`) or within one sacroiliac joint (`side` +1 right, -1 left), with half the gap.

    The joint runs obliquely: its rear edge lies nearer the middle than its front edge. The half space within
    it ends in front of the joint, where the pelvic ring bends toward the middle.
    """
    matrix, k = pelvis_pose(anatomy)
    spot = np.array([side * 52.0 * k, -32.0 * k, -38.0 * k])
    normal = np.array([side * 0.9, -0.36, -0.14])
    normal = matrix @ (normal / np.linalg.norm(normal))
    where = anatomy.sacrum_centre_mm + matrix @ spot
    rear = matrix @ np.array([0.0, -1.0, 0.0])
    zone = float(rear @ (anatomy.sacrum_centre_mm + matrix @ np.array([0.0, -9.0 * k, 0.0])))
    offset = float(normal @ where)
    if outward:
        return Half(normal, offset - 0.5 * JOINT_GAP_MM, rear, -1.0e4)
    return Half(-normal, -(offset + 0.5 * JOINT_GAP_MM), rear, zone)
