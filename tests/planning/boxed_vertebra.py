"""A drawn vertebra in its own frame: a box of marrow in a shell of cortex, with pedicles, on a turned grid."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vertseg.labels import FINDINGS
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import crop_grid

SHAPE = (70, 80, 50)
CENTRE_MM = np.array([12.0, -40.0, 300.0])
BODY = (slice(14, 56), slice(42, 72), slice(12, 38))
"""42 x 30 x 26 mm."""


def drawn_vertebra(turned: bool = False, marrow_hu: float = 110.0) -> UprightVertebra:
    """The vertebra, whole and without findings; `turned` gives it axes of its own."""
    axes = Rotation.from_euler("xyz", [20, -10, 30], degrees=True).as_matrix() if turned else np.eye(3)
    grid = crop_grid(CENTRE_MM, axes, SHAPE, 1.0)
    body, posterior = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    body[BODY] = True
    for x in (slice(16, 23), slice(47, 54)):
        posterior[x, 22:42, 24:36] = True
    posterior[16:54, 18:22, 16:36] = True
    hu = np.full(SHAPE, 40.0, np.float32)
    hu[body] = 500.0
    hu[15:55, 43:71, 13:37] = marrow_hu
    hu[posterior] = 400.0
    return UprightVertebra(
        level=20,
        centre_mm=grid.world(np.argwhere(body).mean(axis=0)),
        axes=axes,
        grid=grid,
        hu=hu,
        body=body,
        posterior=posterior,
        levels=np.where(body | posterior, 20, 0).astype(np.uint8),
        masks={name: np.zeros(SHAPE, bool) for name in FINDINGS},
    )


def with_wall_hole(vertebra: UprightVertebra) -> tuple[UprightVertebra, NDArray[np.float64]]:
    """A lesion of 7 ml behind, with a hole of 12 x 10 mm in the posterior wall, and the hole's middle in world mm."""
    lesion = (slice(24, 46), slice(43, 60), slice(15, 35))
    vertebra.masks["lytic_lesion"][lesion] = True
    vertebra.hu[lesion] = 40.0
    hole = (slice(29, 41), slice(42, 44), slice(20, 30))
    vertebra.masks["posterior_wall_defect"][hole] = True
    vertebra.hu[hole] = 40.0
    return vertebra, vertebra.grid.world([34.5, 42.0, 24.5])
