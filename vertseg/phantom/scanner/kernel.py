"""Reconstruction kernels by their modulation transfer, and the slice sensitivity profile.

A kernel is given by the frequencies (line pairs per cm) at which its MTF has fallen to 50 % and 10 %, as
manufacturers and test reports state it. Between them the MTF is a stretched Gaussian, times a rise
`1 + boost (f / f50)^2` for edge-enhancing kernels, whose MTF exceeds 1 at middle frequencies:

    MTF(f) = (1 + b x^2) exp(-a x^p),  x = f / f50,  a = ln(2 (1 + b)),
    p = ln(ln(10 (1 + b r^2)) / a) / ln r,  r = f10 / f50
"""

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
import torch
from scipy.special import erf
from torch import Tensor

from vertseg.phantom.types import Array


@dataclass(frozen=True)
class Kernel:
    """A reconstruction kernel: MTF 50 % and 10 % in line pairs per cm, and how much it enhances edges."""

    f50: float
    f10: float
    boost: float = 0.0

    @property
    def fwhm_mm(self) -> float:
        """Width of the point spread: that of the Gaussian whose modulation falls to half at `f50`."""
        return 2 * log(2) / (pi * self.f50 / 10.0)

    def mtf(self, frequency: Tensor) -> Tensor:
        """Modulation transfer at spatial frequencies in 1/mm, same shape."""
        b, r = self.boost, self.f10 / self.f50
        a = log(2.0 * (1.0 + b))
        p = log(log(10.0 * (1.0 + b * r * r)) / a) / log(r)
        x = frequency * (10.0 / self.f50)
        return (1.0 + b * x * x) * torch.exp(-a * x**p)


KERNELS = {
    "B20": Kernel(2.8, 4.8),
    "B30f": Kernel(3.5, 5.9),
    "Br40": Kernel(4.1, 6.9),
    "D45": Kernel(5.6, 9.4),
    "Bl57": Kernel(6.9, 10.2, 1.0),
    "B60f": Kernel(7.6, 10.8, 1.5),
}
"""Kernels by the name of a typical one of that sharpness.

B30f and D45: 50 % / 10 % of Siemens' body and sharp kernels as stated with the FDA's simulated Catphan
(Nelson and Zeng, pediatric CT phantoms, DIDSR). The others are not measured values: they lie on the scale
on which one step of a kernel's number is about 4 % of resolution (Siemens' naming, syngo kernels), below the
10 % at 14.4 lp/cm of GE's Edge (J Appl Clin Med Phys, HD mode of the CT750 HD), with the smaller ratio
f10 / f50 and the overshoot of edge-enhancing kernels.
"""


def draw_kernel(rng: np.random.Generator, slice_mm: float) -> Kernel:
    """A kernel as clinics send them for spines: two thirds soft to standard, one fifth bone, the rest between.

    Slices of 4 mm and more are for soft tissue: no bone kernel among them.
    """
    u = rng.random() * (0.75 if slice_mm >= 4.0 else 1.0)
    if u < 0.66:
        f50 = float(np.clip(np.exp(rng.normal(np.log(3.6), 0.14)), 2.6, 4.8))
        return Kernel(f50, f50 * float(rng.uniform(1.6, 1.75)))
    if u < 0.8:
        f50 = float(rng.uniform(4.6, 6.2))
        return Kernel(f50, f50 * float(rng.uniform(1.55, 1.7)), float(rng.uniform(0.0, 0.5)))
    f50 = float(rng.uniform(6.2, 8.5))
    return Kernel(f50, f50 * float(rng.uniform(1.35, 1.5)), float(rng.uniform(0.6, 2.0)))


def resampling_response(frequency: Tensor, native_mm: float, step_mm: float) -> Tensor:
    """Response of the smoothing with which an image of `native_mm` pixels goes to longer steps.

    The Gaussian whose FWHM makes up the difference of the footprints (Cardoso et al. 2015, IPMI), as
    `vertseg.resampling.resample` does; 1 where the step is not longer.
    """
    width = sqrt(max(0.0, step_mm**2 - native_mm**2))
    sigma = width / (2 * sqrt(2 * log(2)))
    return torch.exp(-2 * (np.pi * sigma * frequency) ** 2)


def profile_matrix(planes: int, slices: int, step_mm: float, slice_mm: float) -> Array | None:
    """Slice sensitivity profile as weights (slices, planes) of the painted planes; None if it changes nothing.

    The profile is a box of the nominal thickness with edges of the collimation, so that its FWHM is the
    thickness whatever the increment: measured profiles of 64-row scanners are symmetric, without far tails,
    and as wide as the nominal thickness within 0.1 mm (Liu et al., Chin J Radiol, Sensation 64). Rows sum to 1.

    Args:
        planes: painted over the same length as the slices, as many or more.
        slices: that come out.
        step_mm: increment between slices.
        slice_mm: nominal thickness.
    """
    if planes == slices and slice_mm <= 1.05 * step_mm:
        return None
    fine = step_mm * slices / planes
    spread = min(0.7, 0.4 * slice_mm) / 2.355 * sqrt(2)
    centres = (np.arange(slices) + 0.5) * step_mm
    z = (np.arange(planes) + 0.5) * fine - centres[:, None]
    within = np.linspace(-0.4, 0.4, 5)[:, None, None] * fine
    curve = erf((z + within + slice_mm / 2) / spread) - erf((z + within - slice_mm / 2) / spread)
    weights: Array = curve.mean(axis=0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def profile_correlation(slices: int, step_mm: float, slice_mm: float) -> Array | None:
    """Correlation (slices,) of the noise of slices 0, 1, 2... increments apart; None if neighbours share nothing.

    The overlap of two boxes of the slice thickness.
    """
    if slice_mm <= 1.02 * step_mm:
        return None
    shared: Array = np.clip(1.0 - np.arange(slices) * step_mm / slice_mm, 0.0, 1.0)
    return shared
