"""Findings painted over with bone as healthy as the rest of the vertebra: what a scan would show without them."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.upright import UprightVertebra

Ablated = Literal["posterior_wall_defect", "lytic_lesion", "cleft", "sclerotic_lesion"]
ABLATED: Final[tuple[Ablated, ...]] = ("posterior_wall_defect", "lytic_lesion", "cleft", "sclerotic_lesion")
"""Findings that can be painted over, in the order of a report."""

HEALTHY_MARROW_HU: Final = 160.0
"""Trabecular bone where too little of the vertebra's own is spared: above it osteoporosis is unlikely (Pickhardt et
al. 2013, Ann Intern Med 158:588-95)."""

LEAST_CORTEX_HU: Final = 300.0
"""A wall is painted at least this dense; cortex of 0.4 mm in a voxel of 1 mm is thinned to about this."""

GAS_HU: Final = -120.0
"""Below this, the inside of a body is gas (as in `cement.site`)."""

_SHELL_MM: Final = 2.0
_LEAST_SPARED: Final = 300
_CLEFT_RIM_MM: Final = 1.0

Mask = NDArray[np.bool_]


def finding_mask(upright: UprightVertebra, finding: Ablated) -> Mask:
    """Voxels (X, Y, Z) that are painted over for a finding; a cleft is gas in the body with a rim of `_CLEFT_RIM_MM`."""
    bone = upright.body | upright.posterior
    if finding == "cleft":
        # Single voxels of noise below the threshold are no cleft.
        gas = ndimage.binary_opening(upright.body & (upright.hu < GAS_HU))
        rim = max(1, round(_CLEFT_RIM_MM / upright.spacing_mm))
        return np.asarray(ndimage.binary_dilation(gas, iterations=rim) & upright.body if gas.any() else gas)
    return np.asarray(upright.masks[finding] & bone)


def painted(upright: UprightVertebra, mask: Mask) -> NDArray[np.float32]:
    """HU (X, Y, Z) with the mask painted over: as cortex in the outer `_SHELL_MM` of the bone, as marrow inside.

    Cortex is the upper quartile of the body's own shell, at least `LEAST_CORTEX_HU`; marrow is drawn from the body's own
    voxels without findings, so that its noise and texture stay, or is `HEALTHY_MARROW_HU` where fewer than
    `_LEAST_SPARED` are left. The same mask always gives the same voxels.
    """
    layers = max(1, round(_SHELL_MM / upright.spacing_mm))
    bone = upright.body | upright.posterior
    shell = bone & ~ndimage.binary_erosion(bone, iterations=layers)
    core = ndimage.binary_erosion(upright.body, iterations=layers + 1)
    sick = np.any([finding_mask(upright, finding) for finding in ABLATED], axis=0) | upright.masks["cement"]
    spared, wall = upright.hu[core & ~sick], upright.hu[shell & upright.body & ~sick]
    rng = np.random.default_rng(0)
    result = upright.hu.copy()
    inside = mask & ~shell
    if spared.size < _LEAST_SPARED:
        result[inside] = HEALTHY_MARROW_HU
    else:
        result[inside] = rng.choice(spared, int(inside.sum()))
    cortex = max(LEAST_CORTEX_HU, float(np.quantile(wall, 0.75)) if wall.size else 0.0)
    result[mask & shell] = np.maximum(result[mask & shell], cortex)
    return np.asarray(result, np.float32)
