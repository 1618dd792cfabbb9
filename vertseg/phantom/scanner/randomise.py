"""Appearance at random, as in SynthSeg, so that a network learns shape and not one scanner's attenuations.

Billot et al., Medical Image Analysis 2023;86:102789: tissue means, contrasts, a smooth bias field and gamma
are drawn anew. Kept milder here: CT is calibrated, and bone stays brighter than soft tissue in most.
"""

import numpy as np
import torch
from torch import Tensor

ONSET = 0.6
"""Strength of appearance at and below which nothing is redrawn."""

WIDEST_SHARE = 0.35
"""Share of the scans that are redrawn at strength 1; it grows linearly from none at `ONSET`."""

_RANGES_HU = {
    "air": (-1010.0, -950.0), "lung": (-950.0, -550.0), "fat": (-160.0, -20.0), "skin": (-80.0, 160.0),
    "muscle": (-10.0, 170.0), "organ": (-20.0, 250.0), "disc": (20.0, 220.0), "canal": (-20.0, 120.0),
    "cartilage": (20.0, 300.0), "bowel": (-60.0, 400.0), "kidney": (0.0, 380.0), "artery": (-20.0, 550.0),
    "vein": (-20.0, 400.0), "trabecular": (-20.0, 480.0), "cortical": (450.0, 1900.0),
}  # fmt: skip
_INVERTED_RATE = 0.05


def is_redrawn(strength: float, rng: np.random.Generator) -> bool:
    """Whether this scan's appearance is redrawn; one number is taken from `rng` whatever the strength."""
    share = WIDEST_SHARE * max(0.0, min(1.0, (strength - ONSET) / (1.0 - ONSET)))
    return bool(rng.random() < share)


def randomise_tissues(hu: dict[str, float], strength: float, rng: np.random.Generator) -> dict[str, float]:
    """Tissue attenuations, redrawn widely in a share of the scans (`is_redrawn`); else the same ones.

    Cortex stays above muscle, organs and disc by 150 HU, and trabecular bone above fat, save in one redrawn
    scan of twenty. Names without a range of their own move by up to 100 HU.

    Args:
        hu: attenuation by tissue, such as `Anatomy.hu`.
        strength: `ScanConfig.appearance`, 0 to 1.
        rng: draws.
    """
    if not is_redrawn(strength, rng):
        return dict(hu)
    drawn = {
        name: float(rng.uniform(*_RANGES_HU[name]))
        if name in _RANGES_HU
        else value + float(rng.uniform(-100, 100))
        for name, value in hu.items()
    }
    if rng.random() >= _INVERTED_RATE:
        soft = [drawn[name] for name in ("muscle", "organ", "disc") if name in drawn]
        if "cortical" in drawn and soft:
            drawn["cortical"] = max(drawn["cortical"], max(soft) + 150.0)
        if "trabecular" in drawn and "fat" in drawn:
            drawn["trabecular"] = max(drawn["trabecular"], drawn["fat"] + 60.0)
    return drawn


def randomise_image(image: Tensor, strength: float, seed: int) -> Tensor:
    """The finished image with a smooth bias field and a gamma in a share of the scans; else itself.

    The gamma bends HU between -1,000 and 2,000 and leaves the rest; the field scales by up to about 10 % and
    shifts by up to about 40 HU.

    Args:
        image: (X, Y, Z) HU.
        strength: `ScanConfig.appearance`, 0 to 1.
        seed: the same on every device.
    """
    rng = np.random.default_rng([seed, 41])
    if not is_redrawn(strength, rng):
        return image
    gamma = float(np.exp(rng.normal(0.0, 0.15)))
    low, span = -1000.0, 3000.0
    inside = ((image - low) / span).clamp(0.0, 1.0)
    bent = low + span * inside**gamma
    image = torch.where((image > low) & (image < low + span), bent, image)
    shift = _smooth_field(image, rng) * float(rng.uniform(0.0, 40.0))
    scale = _smooth_field(image, rng) * float(rng.uniform(0.0, 0.1))
    return torch.where(image > low, image * (1.0 + scale) + shift, image)


def _smooth_field(image: Tensor, rng: np.random.Generator) -> Tensor:
    """(X, Y, Z) field of unit spread from 4 knots an axis."""
    knots = torch.as_tensor(rng.normal(size=(1, 1, 4, 4, 4)), dtype=image.dtype, device=image.device)
    field: Tensor = torch.nn.functional.interpolate(
        knots, size=image.shape, mode="trilinear", align_corners=True
    )
    return field[0, 0]
