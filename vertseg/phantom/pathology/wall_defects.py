"""A hole in the posterior wall without a lesion."""

import numpy as np

from vertseg.phantom.pathology.patch import Patch
from vertseg.phantom.shapes import coverage, waves
from vertseg.phantom.types import Hidden, VertebraShape, WallHole


def hole_reach(hole: WallHole, shape: VertebraShape) -> tuple[np.ndarray, np.ndarray]:
    """Centre (3,) and half sizes (3,) in mm of a box around a hole."""
    back = -0.5 * shape.sizes["depth"]
    wide, high = hole.radius_mm * np.sqrt(hole.stretch), hole.radius_mm / np.sqrt(hole.stretch)
    slack = 2.0 + hole.ragged_mm
    deep = 0.5 * (hole.deep_mm + 10.0)
    centre = np.array([hole.right_mm, back + deep - 5.0, hole.up_mm])
    return centre, np.array([wide + slack, deep + 1.0, high + slack])


def paint_wall_hole(patch: Patch, hole: WallHole) -> None:
    """Soft tissue where the wall and some of the marrow behind it are gone."""
    p, shape = patch.p, patch.ground.site.shape
    root = float(np.sqrt(hole.stretch))
    x, z = (p[..., 0] - hole.right_mm) / root, (p[..., 2] - hole.up_mm) * root
    ph = (float(shape.seed % 59), float(shape.seed % 53), float(shape.seed % 47))
    edge = x.square().add(z.square()).sqrt() - hole.radius_mm
    if hole.ragged_mm > 0:
        edge = edge + hole.ragged_mm * patch.field(lambda q: waves(q, ph, 7.0), 1.5)
    wall = patch.side_wall
    behind = (p[..., 1] < -0.2 * shape.sizes["depth"]) & (patch.body < 2.0)
    deep = coverage(-(wall + hole.deep_mm), 1.5)
    patch.blend(coverage(edge, patch.width) * deep * behind * patch.through, hole.hu + 5.0 * patch.grain)
    patch.open_wall(edge <= 0, coverage(edge, patch.voxel_mm))
    patch.hide((edge <= 0) & patch.shell & patch.cortex, Hidden.OPEN_CORTEX)
