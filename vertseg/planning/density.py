"""Attenuation of the spongy bone that disease has spared: opportunistic density.

The thresholds are those of Pickhardt et al. (Ann Intern Med 2013;158:588-95) for L1 at 120 kVp without contrast: at
160 HU or less 90 % of the people with osteoporosis by DXA are found, 110 HU or less is more than 90 % specific. Contrast
in the blood raises the value (by some 10 HU and more: Pompe et al., Eur J Radiol 2015;84:1542-9), and so does a lower
tube voltage, so that both must be told with the number.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import ndimage

from vertseg.labels import LEVEL_NUMBERS
from vertseg.planning.posterior_wall import PosteriorWall
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import box_around

SPECIFIC_HU: Final = 110.0
SENSITIVE_HU: Final = 160.0

CAVEATS: Final = ("contrast", "kvp", "band_is_for_l1")
"""What must be said with the number: contrast and tube voltage shift it, and the thresholds are those of L1."""

_FROM_SURFACE_MM: Final = 4.0
_FROM_FINDING_MM: Final = 2.0
_VEIN_HALF_MM: Final = 6.0
_MIN_ML: Final = 0.5

DensityBand = Literal["low", "intermediate", "normal"]


@dataclass(frozen=True)
class TrabecularDensity:
    """HU of spared trabecular bone; None where too little is left of it.

    Attributes:
        mean_hu, sd_hu, median_hu: over the voxels.
        voxel_count, volume_ml: how much was measured.
        band: by the thresholds that were published for L1; None at other levels.
    """

    mean_hu: float | None = None
    sd_hu: float | None = None
    median_hu: float | None = None
    voxel_count: int = 0
    volume_ml: float = 0.0
    band: DensityBand | None = None


def trabecular_density(vertebra: UprightVertebra, wall: PosteriorWall | None) -> TrabecularDensity:
    """HU of the body more than 4 mm under its surface, away from lesions, cement and the basivertebral vein.

    Args:
        vertebra: in its own frame.
        wall: its posterior wall, which tells where the vein runs.
    """
    if not vertebra.body.any():
        return TrabecularDensity()
    grown = box_around(vertebra.body, 3)
    body, hu = vertebra.body[grown], vertebra.hu[grown]
    step = vertebra.spacing_mm
    spared = ndimage.distance_transform_edt(body, sampling=step) > _FROM_SURFACE_MM
    found = np.zeros_like(body)
    for name in ("lytic_lesion", "sclerotic_lesion", "cement"):
        found |= vertebra.masks[name][grown]
    if found.any():
        spared &= ndimage.distance_transform_edt(~found, sampling=step) > _FROM_FINDING_MM
    right, anterior, up = (places[s] for places, s in zip(vertebra.places_mm, grown, strict=True))
    middle = 0.0 if wall is None else wall.middle_mm
    vein = (
        (np.abs(right - middle) < _VEIN_HALF_MM)[:, None, None]
        & (anterior < 0)[None, :, None]
        & (np.abs(up) < _VEIN_HALF_MM)[None, None, :]
    )
    values = hu[spared & ~vein]
    volume_ml = float(values.size) * vertebra.voxel_ml
    if volume_ml < _MIN_ML:
        return TrabecularDensity(voxel_count=int(values.size), volume_ml=volume_ml)
    mean = float(values.mean())
    return TrabecularDensity(
        mean_hu=mean,
        sd_hu=float(values.std()),
        median_hu=float(np.median(values)),
        voxel_count=int(values.size),
        volume_ml=volume_ml,
        band=density_band(mean) if vertebra.level == LEVEL_NUMBERS["L1"] else None,
    )


def density_band(mean_hu: float) -> DensityBand:
    """Band of L1's mean: low up to 110 HU, intermediate up to 160 HU, normal above (Pickhardt et al. 2013)."""
    if mean_hu <= SPECIFIC_HU:
        return "low"
    return "intermediate" if mean_hu <= SENSITIVE_HU else "normal"
