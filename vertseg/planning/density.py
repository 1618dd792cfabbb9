"""Attenuation of the spongy bone that disease has spared."""

from dataclasses import dataclass
from typing import Literal

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
