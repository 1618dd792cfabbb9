"""Small changes of the scanner, on whole batches and on the batch's device: noise, blur, offset, gain, gamma."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from monai.networks.layers.simplelayers import GaussianFilter
from torch import Tensor

from vertseg.preprocess import KNOTS_HU, KNOTS_VALUE

_STREAM: Final = 61
"""Keeps these draws apart from the sample's other chances, which have the same seed."""


@dataclass(frozen=True)
class Intensities:
    """What changes in one sample, in this order.

    Attributes:
        gain: factor of HU.
        offset_hu: added.
        gamma: exponent of HU between the sample's lowest and highest.
        blur_vox: standard deviations along x, y and z; None leaves the sample sharp.
        noise_hu: standard deviation of white noise.
        noise_seed: of the noise.
    """

    gain: float = 1.0
    offset_hu: float = 0.0
    gamma: float = 1.0
    blur_vox: tuple[float, float, float] | None = None
    noise_hu: float = 0.0
    noise_seed: int = 0


def drawn_intensities(seed: int, strength: float) -> Intensities:
    """The changes of a sample by its seed; `strength` 0 changes nothing, 1 is usual, any other scales their size."""
    rng = np.random.default_rng([seed, _STREAM])
    happens = rng.random(5) < np.array([0.3, 0.3, 0.2, 0.15, 0.3]) * min(strength, 1.0)
    widest = 1.0 + 0.15 * strength
    gain, offset = 1.0 + rng.uniform(-0.08, 0.08) * strength, rng.uniform(-25, 25) * strength
    gamma, blur = rng.uniform(1 / widest, widest), rng.uniform(0.01, 0.01 + 0.7 * strength, 3)
    noise = rng.uniform(0, 25) * strength
    return Intensities(
        float(gain) if happens[0] else 1.0,
        float(offset) if happens[1] else 0.0,
        float(gamma) if happens[2] else 1.0,
        (float(blur[0]), float(blur[1]), float(blur[2])) if happens[3] else None,
        float(noise) if happens[4] else 0.0,
        int(rng.integers(2**31)),
    )


def varied(hu: Tensor, draws: Tensor, strength: float) -> Tensor:
    """HU (N, 1, X, Y, Z) with each sample changed by its own draw, whatever else is in the batch.

    Args:
        hu: the batch.
        draws: (N,) seeds; a negative one leaves its sample alone (validation).
        strength: see `drawn_intensities`.
    """
    rows = [
        sample if seed < 0 else changed(sample, drawn_intensities(seed, strength))
        for sample, seed in zip(hu, draws.tolist(), strict=True)
    ]
    return torch.stack(rows)


def changed(hu: Tensor, own: Intensities) -> Tensor:
    """HU (1, X, Y, Z) of one sample with these changes."""
    hu = hu * own.gain + own.offset_hu
    if own.gamma != 1.0:
        low, high = hu.amin(), hu.amax()
        span = (high - low).clamp_min(1e-3)
        hu = ((hu - low) / span) ** own.gamma * span + low
    if own.blur_vox is not None:
        blur = GaussianFilter(3, own.blur_vox, approx="erf").to(hu.device)
        with torch.no_grad():
            hu = blur(hu[None])[0]
    if own.noise_hu > 0:
        generator = torch.Generator(hu.device).manual_seed(own.noise_seed)
        noise = torch.randn(hu.shape, generator=generator, device=hu.device, dtype=hu.dtype)
        hu = hu + own.noise_hu * noise
    return hu


def normalised(hu: Tensor) -> Tensor:
    """`preprocess.normalise_hu` of a tensor on its device."""
    result = torch.full_like(hu, float(KNOTS_VALUE[0]))
    pieces = zip(KNOTS_HU[:-1], KNOTS_HU[1:], np.diff(KNOTS_VALUE), strict=True)
    for low, high, rise in pieces:
        result += (hu.clamp(float(low), float(high)) - float(low)) * (float(rise) / float(high - low))
    return result
