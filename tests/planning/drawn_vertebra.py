"""A vertebra of boxes and cylinders whose pedicles and canal are known by number."""

import numpy as np

from vertseg.labels import FINDINGS
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import Grid, crop_grid

SHAPE, BEHIND_MM = (101, 111, 71), 20.0
CANAL_HALF_MM, WALL_MM, CANAL_DEPTH_MM = 11.5, -16.5, 16.0
"""Half width of the canal, the posterior wall's place and the canal's depth behind it."""


def grid_of(axes: np.ndarray, centre_mm: np.ndarray) -> Grid:
    """The grid, 1 mm, whose middle lies 20 mm behind the body's."""
    return crop_grid(centre_mm - BEHIND_MM * axes[:, 1], axes, SHAPE, 1.0)


def places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mm to the right, anterior and up of the body's centre, of every voxel."""
    i, j, k = np.indices(SHAPE)
    middle = (np.array(SHAPE) - 1) / 2
    return i - middle[0], j - middle[1] - BEHIND_MM, k - middle[2]


def drawn(
    pedicle_mm: float = 9.0,
    toe_deg: float | None = None,
    level: int = 22,
    half_height_mm: float = 13.0,
    axes: np.ndarray | None = None,
    centre_mm: tuple[float, float, float] = (10.0, -20.0, 300.0),
    **masks: np.ndarray,
) -> UprightVertebra:
    """A vertebra with pedicles of a known width.

    Args:
        pedicle_mm: their width; of square section and straight, or round where they toe in.
        toe_deg: angle of round pedicles to the sagittal plane; None for straight ones.
        level: VerSe number.
        half_height_mm: of the body.
        axes: (3, 3) its right, anterior and up.
        centre_mm: its body's centre.
        masks: findings by name.
    """
    x, y, z = places()
    round_front = (x / 22) ** 2 + (np.maximum(y, 0.0) / 16.5) ** 2 <= 1.0
    body = round_front & (np.abs(z) <= half_height_mm) & (y > WALL_MM)
    outer = CANAL_HALF_MM + pedicle_mm
    behind = WALL_MM - CANAL_DEPTH_MM
    lamina = (np.abs(x) < outer) & (y < behind) & (y > behind - 6) & (z > -9) & (z < 9)
    if toe_deg is None:
        beside = (np.abs(x) > CANAL_HALF_MM) & (np.abs(x) < outer)
        pedicles = beside & (y > behind - 6) & (y < WALL_MM + 4) & (np.abs(z - 3) < 6)
        body |= beside & (y > WALL_MM) & (y < WALL_MM + 8) & (np.abs(z) <= half_height_mm)
    else:
        slope = np.tan(np.radians(toe_deg))
        middle = CANAL_HALF_MM + pedicle_mm / 2 + 1.5 + (WALL_MM - y) * slope
        off = np.hypot((np.abs(x) - middle) * np.cos(np.radians(toe_deg)), z - 3)
        pedicles = (off < pedicle_mm / 2) & (y > behind - 6) & (y < WALL_MM + 6)
        lamina &= np.abs(x) < CANAL_HALF_MM + 2
    posterior = (pedicles | lamina) & ~body
    axes = np.eye(3) if axes is None else axes
    centre = np.array(centre_mm)
    bone = body | posterior
    return UprightVertebra(
        level, centre, axes, grid_of(axes, centre), np.where(bone, 300.0, 40.0).astype(np.float32),
        body, posterior, np.where(bone, level, 0).astype(np.uint8),
        {name: np.asarray(masks.get(name, np.zeros(SHAPE, bool))) for name in FINDINGS},
    )  # fmt: skip
