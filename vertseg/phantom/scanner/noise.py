"""Quantum noise of a CT: power spectrum of the kernel, more of it where and along which the patient is thick."""

from math import sqrt

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.scanner.kernel import KERNELS, Kernel, profile_correlation, resampling_response

WATER_PER_MM = 0.0193
"""Linear attenuation of water at 70 keV, about the mean of a 120 kV beam (NIST XCOM)."""

UNCOMPENSATED = 0.35
"""Share of the attenuation's exponent that neither bowtie filter nor tube current modulation evens out.

Modulation holds the noise near constant: the current follows the attenuation's exponent to a power between
0.5 and 1 (Gies et al., Med Phys 1999;26:2235: 0.5 is best within a turn of the gantry).
"""

_FLOOR_PER_MM = 0.02
_CORNER_PER_MM = 0.12
_TAKEN = 0.75
_RATIO_LIMITS = (0.45, 2.5)


def noise_power(frequency: Tensor, kernel: Kernel, iterative: float) -> Tensor:
    """Radial noise power spectrum, unscaled, at frequencies in 1/mm.

    Ramp times squared MTF (Riederer, Pelc and Chesler, Phys Med Biol 1978;23:446), with the small value at
    frequency zero that sampling leaves (Kijewski and Judy, Phys Med Biol 1987;32:565). Iterative
    reconstruction acts as a filter on top that keeps low frequencies and takes up to `_TAKEN` of the amplitude
    of the others: noise falls by 12 to 64 % and moves to lower frequencies with the level (De Marco and
    Origgi, J Appl Clin Med Phys 2018;19:275, ASiR and ASiR-V). The corner is where the spectrum of the quiet
    parts of the liver in the 5 mm scan at hand leaves its plateau.

    Args:
        frequency: 1/mm.
        kernel: whose MTF.
        iterative: 0 filtered back projection, to 1.
    """
    ramp = torch.sqrt(frequency**2 + _FLOOR_PER_MM**2)
    kept = (1.0 - _TAKEN * iterative) ** 2
    return (
        ramp
        * kernel.mtf(frequency) ** 2
        * (kept + (1.0 - kept) * torch.exp(-((frequency / _CORNER_PER_MM) ** 2)))
    )


def noise_factor(kernel: Kernel, iterative: float) -> float:
    """Noise against B30f's filtered back projection of the same raw data, from the areas under the spectra."""

    def total(k: Kernel, strength: float) -> float:
        f = torch.linspace(0.0, 2.5, 2000)
        return float((noise_power(f, k, strength) * f).sum())

    return sqrt(total(kernel, iterative) / total(KERNELS["B30f"], 0.0))


def resampled_factor(kernel: Kernel, iterative: float, native_mm: float, step_mm: float) -> float:
    """Share of the noise that smoothing from `native_mm` pixels to longer steps in plane leaves."""
    f = torch.linspace(0.0, 2.5, 500)
    power = noise_power(f, kernel, iterative) * f
    smooth = resampling_response(f, native_mm, step_mm) ** 2
    return float(torch.sqrt((power * smooth).sum() / power.sum()))


def plane_power(
    frequencies: tuple[Tensor, Tensor], steps_mm: tuple[float, float], native_mm: float,
    kernel: Kernel, iterative: float,
) -> Tensor:  # fmt: skip
    """Noise power (KX, KY) that pixels of `steps_mm` see, folded frequencies included.

    Args:
        frequencies: fx (KX, 1) and fy (1, KY) in 1/mm.
        steps_mm: pixel spacing.
        native_mm: pixel of the reconstruction; longer steps come from smoothing and resampling it.
        kernel: reconstruction kernel.
        iterative: as for `noise_power`.
    """
    fx, fy = frequencies
    folds = torch.tensor([-1.0, 0.0, 1.0], device=fx.device)
    gx = fx + folds[:, None, None, None] / steps_mm[0]
    gy = fy + folds[:, None, None] / steps_mm[1]
    smooth = resampling_response(gx, native_mm, steps_mm[0]) * resampling_response(gy, native_mm, steps_mm[1])
    return (noise_power(torch.hypot(gx, gy), kernel, iterative) * smooth**2).sum((0, 1))


def thickness(
    hu: Tensor, spacing_mm: tuple[float, float, float], body_mm: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Attenuation along the patient's width, (1, Y, Z), and depth, (X, 1, Z), of every row and column of a slice.

    Args:
        hu: (X, Y, Z).
        spacing_mm: of the voxels.
        body_mm: width and depth of the patient, of which what lies outside the field is added as water.
    """
    water = (1.0 + hu / 1000.0).clamp(0.0, 3.0)
    outside = [max(0.0, b - n * s) for b, n, s in zip(body_mm, hu.shape[:2], spacing_mm[:2], strict=True)]
    width = water.sum(0, keepdim=True) * spacing_mm[0] + outside[0]
    depth = water.sum(1, keepdim=True) * spacing_mm[1] + outside[1]
    return WATER_PER_MM * width, WATER_PER_MM * depth


def _relative_power(width: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Noise power by rays along the width and along the depth, and the log of their ratio in each slice."""
    middle_y, middle_x = width.shape[1] // 4, depth.shape[0] // 4
    centre_w = width[0, middle_y : -middle_y or None].mean(0)
    centre_d = depth[middle_x : -middle_x or None, 0].mean(0)
    level = torch.median(0.5 * (centre_w + centre_d))
    along_w = torch.exp(UNCOMPENSATED * (width - level))
    along_d = torch.exp(UNCOMPENSATED * (depth - level))
    return along_w, along_d, UNCOMPENSATED * (centre_w - centre_d)


def noise_map(width: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Local standard deviation (X, Y, Z), 1 for the median slice's middle, and log power ratio (Z,) width : depth."""
    along_w, along_d, ratio = _relative_power(width, depth)
    return torch.sqrt(0.5 * (along_w + along_d)).clamp(*_RATIO_LIMITS), ratio


def _turned(frequencies: tuple[Tensor, Tensor], ratio: Tensor) -> Tensor:
    """Amplitude (KX, KY, Z) of frequencies by direction: rays along the width make frequencies along the depth."""
    fx, fy = frequencies
    share = fy**2 / (fx**2 + fy**2).clamp_min(1e-9)
    mean = torch.exp(0.5 * ratio) * torch.special.i0(0.5 * ratio)
    return torch.exp(0.5 * share[..., None] * ratio) / torch.sqrt(mean)


def correlated(white: Tensor, step_mm: float, slice_mm: float) -> Tensor:
    """White noise (..., Z) made to share what overlapping slices share, variance kept."""
    first = profile_correlation(white.shape[-1], step_mm, slice_mm)
    if first is None:
        return white
    n = len(first)
    matrix = first[np.abs(np.arange(n)[:, None] - np.arange(n))] + 1e-6 * np.eye(n)
    root = torch.as_tensor(np.linalg.cholesky(matrix), dtype=white.dtype, device=white.device)
    return white @ root.T


def noise_spectrum(
    power: Tensor, shape: tuple[int, int, int], generator: torch.Generator, profile: tuple[float, float]
) -> Tensor:
    """Half spectrum (X, Y // 2 + 1, Z) of noise with unit variance and the given in-plane power.

    Args:
        power: (X, Y // 2 + 1), unscaled.
        shape: of the image (X, Y, Z).
        generator: on the CPU, so that every device gets the same noise.
        profile: increment and thickness of the slices in mm.
    """
    x, y, z = shape
    weight = torch.full((y // 2 + 1,), 2.0)
    weight[0] = 0.5
    if y % 2 == 0:
        weight[-1] = 0.5
    amplitude = torch.sqrt(power)
    norm = (amplitude**2 * weight.to(power.device)).sum()
    white = torch.randn((2, x, y // 2 + 1, z), generator=generator).to(power.device)
    white = correlated(white, *profile)
    scaled = white * (amplitude * (x * y) / torch.sqrt(2.0 * norm))[..., None]
    return torch.complex(scaled[0], scaled[1])


def add_direction(spectrum: Tensor, frequencies: tuple[Tensor, Tensor], ratio: Tensor) -> Tensor:
    """The spectrum with more power across the longer way through the patient, slice by slice."""
    if float(ratio.abs().max()) < 0.1:
        return spectrum
    return spectrum * _turned(frequencies, ratio.clamp(-3.0, 3.0))


def reference_noise_hu(rng: np.random.Generator) -> float:
    """Noise of filtered back projection with B30f in slices of 3 mm, in the middle of the patient, HU.

    Lognormal, median 13: with the mix of kernels, slices and iterative reconstruction that brings muscle and
    liver of soft kernels to the 7 to 12 HU of the two real scans at hand (5 mm and 3 mm). The spread is
    assumed; medians of scanner models alone differ by 15 to 35 % (Christianson et al., AJR 2015;205:W93).
    """
    return float(np.clip(np.exp(rng.normal(np.log(13.0), 0.35)), 4.0, 40.0))


def noise_of(reference_hu: float, kernel: Kernel, slice_mm: float, iterative: float) -> float:
    """Noise of a kernel and slice thickness from the reference: areas under the spectra, 1 / sqrt(thickness)."""
    return min(120.0, reference_hu * noise_factor(kernel, iterative) * sqrt(3.0 / slice_mm))
