"""Scans that the leak head must not be trusted with: how often it abstains when a crop is spoiled in a known way."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Corruption = Callable[[Array, np.random.Generator], Array]

_METAL_HU: Final = 3000.0


def noise(sd_hu: float) -> Corruption:
    """White noise on top of the scan's own."""
    return lambda hu, rng: (hu + rng.normal(0, sd_hu, hu.shape)).astype(np.float32)


def offset(by_hu: float) -> Corruption:
    """A wrong intercept: -1024 is the usual mistake of a lost one."""
    return lambda hu, rng: (hu + np.float32(by_hu)).astype(np.float32)


def scale(factor: float) -> Corruption:
    """A wrong slope."""
    return lambda hu, rng: (hu * np.float32(factor)).astype(np.float32)


def blur(sigma_vox: float) -> Corruption:
    """A far coarser scan."""
    return lambda hu, rng: ndimage.gaussian_filter(hu, sigma_vox).astype(np.float32)


def metal(hu: Array, rng: np.random.Generator) -> Array:
    """Two rods beside the spine, and the dark and bright streaks between and around them."""
    x, y, _ = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in hu.shape], indexing="ij", sparse=True)
    spoiled, inside = hu.copy(), np.zeros(hu.shape, bool)
    for side in (-1.0, 1.0):
        dx, dy = x - side * 9.0, y + 2.0
        radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
        streaks = 900.0 * np.cos(7 * angle + rng.uniform(0, 6.28)) / (1 + radius / 6)
        spoiled += np.where(radius > 2.5, streaks, 0.0).astype(np.float32)
        inside |= radius <= 2.5
    return np.where(inside, np.float32(_METAL_HU), spoiled).astype(np.float32)


def magnetic_resonance(hu: Array, rng: np.random.Generator) -> Array:
    """As T1-weighted MR: air and cortex dark, fat bright, marrow between, in arbitrary units."""
    knots = [-1000.0, -300.0, -100.0, 40.0, 150.0, 400.0, 1000.0]
    signal = [5.0, 30.0, 900.0, 350.0, 450.0, 120.0, 10.0]
    return (np.interp(hu, knots, signal) + rng.normal(0, 15, hu.shape)).astype(np.float32)


CORRUPTIONS: Final[Mapping[str, Corruption]] = {
    "none": lambda hu, rng: hu,
    "noise 100 HU": noise(100.0),
    "noise 300 HU": noise(300.0),
    "metal": metal,
    "MR": magnetic_resonance,
    "offset -1024 HU": offset(-1024.0),
    "offset +300 HU": offset(300.0),
    "scale 0.5": scale(0.5),
    "scale 2": scale(2.0),
    "blur 3 voxels": blur(3.0),
}
"""Name -> what is done to a crop's HU (X, Y, Z) before normalisation."""
