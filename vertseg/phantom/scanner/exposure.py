"""What the scanner does to the patient's HU: slice thickness, kernel, noise, artefacts, field of view.

`expose` makes the image of an acquisition (`scanner.acquisition` draws one). On every device the same seed gives the same scan, as all random numbers come from the CPU.
"""

from dataclasses import replace
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from vertseg.phantom.scanner.acquisition import Acquisition
from vertseg.phantom.scanner.artefacts import CLEAN, hardening, metal_streaks
from vertseg.phantom.scanner.kernel import profile_matrix, resampling_response
from vertseg.phantom.scanner.motion import moved
from vertseg.phantom.scanner.noise import (
    add_direction,
    noise_map,
    noise_spectrum,
    plane_power,
    resampled_factor,
    thickness,
)

LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
"""What 12 bits hold."""


def expose(hu: Tensor, acquisition: Acquisition, seed: int) -> Tensor:
    """The image (X, Y, Z) on the acquisition's grid, clipped to what a CT stores.

    In this order: beam hardening and metal, slice profile, movement and kernel, noise, calibration, circle.

    Args:
        hu: painted HU over the grid's box, with as many voxels as the grid or more along any axis.
        acquisition: how the scan was taken.
        seed: of noise and streaks; the same on every device.
    """
    quality, spacing = acquisition.quality, acquisition.grid.spacing_mm
    generator = torch.Generator(device="cpu").manual_seed(seed)
    painted = _with_artefacts(hu, acquisition, generator)
    image = _in_slices(painted, acquisition)
    image = _through_kernel(image, acquisition)
    if quality.noise_hu > 0:
        image = image + _noise(image, acquisition, generator)
    image = (image * quality.gain + quality.offset_hu).clamp(LOWEST_HU, HIGHEST_HU)
    if acquisition.outside is None:
        return image
    return torch.where(_beyond(image, spacing, acquisition.outside.radius_mm), acquisition.outside.hu, image)


def _with_artefacts(hu: Tensor, acquisition: Acquisition, generator: torch.Generator) -> Tensor:
    artefacts = acquisition.artefacts
    size = zip(acquisition.grid.spacing_mm, acquisition.grid.shape, hu.shape, strict=True)
    x, y, z = (s * n / m for s, n, m in size)
    streaks = None
    if artefacts.streaks > 0:
        depth = sum(acquisition.body_mm) / 2
        streaks = metal_streaks(hu, (x, y, z), depth, artefacts.streaks, generator)
    if artefacts.hardening > 0:
        hu = hu + hardening(hu, (x, y, z), artefacts.hardening)
    return hu if streaks is None else hu + streaks


def _in_slices(hu: Tensor, acquisition: Acquisition) -> Tensor:
    """Painted voxels gathered to the scan's: means in plane, the slice profile along z."""
    x, y, z = acquisition.grid.shape
    if hu.shape[:2] != (x, y):
        hu = F.interpolate(hu.permute(2, 0, 1)[None], size=(x, y), mode="area")[0].permute(1, 2, 0)
    step = acquisition.grid.spacing_mm[2]
    profile = profile_matrix(hu.shape[2], z, step, max(acquisition.quality.slice_mm, 0.3))
    if profile is None:
        return hu
    return hu @ torch.as_tensor(profile.T, dtype=hu.dtype, device=hu.device)


def _frequencies(
    shape: tuple[int, int], steps: tuple[float, float], device: torch.device
) -> tuple[Tensor, Tensor]:
    fx = torch.fft.fftfreq(shape[0], steps[0], device=device)[:, None]
    return fx, torch.fft.rfftfreq(shape[1], steps[1], device=device)[None]


def _response(frequencies: tuple[Tensor, Tensor], acquisition: Acquisition) -> Tensor:
    """What the kernel and the resampling still have to take from the painted image, (KX, KY)."""
    quality, spacing = acquisition.quality, acquisition.grid.spacing_mm
    fx, fy = frequencies
    painted = (torch.sinc(fx * acquisition.psf_mm) * torch.sinc(fy * acquisition.psf_mm)).clamp_min(0.5)
    smooth = resampling_response(fx, quality.native_mm, spacing[0])
    smooth = smooth * resampling_response(fy, quality.native_mm, spacing[1])
    return quality.kernel.mtf(torch.hypot(fx, fy)) * smooth / painted


_MARGIN_MM = 6.0
_ALMOST_ONE = 0.03


def _through_kernel(image: Tensor, acquisition: Acquisition) -> Tensor:
    """The image with kernel and movement, its edge continued so that opposite sides do not mix."""
    steps = acquisition.grid.spacing_mm[:2]
    x, y = (_even_size(n + 2 * ceil(_MARGIN_MM / s)) for n, s in zip(image.shape[:2], steps, strict=True))
    frequencies = _frequencies((x, y), steps, image.device)
    response = _response(frequencies, acquisition)
    if acquisition.motion is None and float((response - 1.0).abs().max()) < _ALMOST_ONE:
        return image
    left, low = (x - image.shape[0]) // 2, (y - image.shape[1]) // 2
    pad = (0, 0, low, y - image.shape[1] - low, left, x - image.shape[0] - left)
    spectrum = torch.fft.rfft2(F.pad(image[None, None], pad, mode="replicate")[0, 0], dim=(0, 1))
    spectrum = spectrum * response[..., None]
    if acquisition.motion is not None:
        spectrum = moved(spectrum, frequencies, acquisition.motion, acquisition.grid.spacing_mm[2])
    out: Tensor = torch.fft.irfft2(spectrum, s=(x, y), dim=(0, 1))
    return out[left : left + image.shape[0], low : low + image.shape[1]]


def _even_size(at_least: int) -> int:
    """The next even length without prime factors above 5, at which a Fourier transform is fast."""
    n = at_least + at_least % 2
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 2


def _noise(image: Tensor, acquisition: Acquisition, generator: torch.Generator) -> Tensor:
    """Noise (X, Y, Z) in HU for this patient."""
    quality, spacing = acquisition.quality, acquisition.grid.spacing_mm
    x, y, z = image.shape
    frequencies = _frequencies((x, y), (spacing[0], spacing[1]), image.device)
    power = plane_power(
        frequencies, (spacing[0], spacing[1]), quality.native_mm, quality.kernel, quality.iterative
    )
    spectrum = noise_spectrum(power, (x, y, z), generator, (spacing[2], quality.slice_mm))
    local, ratio = noise_map(*thickness(image, spacing, acquisition.body_mm))
    spectrum = add_direction(spectrum, frequencies, ratio)
    noise: Tensor = torch.fft.irfft2(spectrum, s=(x, y), dim=(0, 1))
    kept = resampled_factor(quality.kernel, quality.iterative, quality.native_mm, spacing[0])
    return noise * local * (quality.noise_hu * kept)


def _beyond(image: Tensor, spacing: tuple[float, float, float], radius_mm: float) -> Tensor:
    """(X, Y, 1) where the distance from the field's centre exceeds the radius."""
    x, y = (
        (torch.arange(n, device=image.device) - (n - 1) / 2) * s
        for n, s in zip(image.shape[:2], spacing[:2], strict=True)
    )
    return torch.hypot(x[:, None], y[None])[..., None] > radius_mm


def without_noise(acquisition: Acquisition) -> Acquisition:
    """The same scan free of noise, artefacts and error of calibration: kernel and slices alone."""
    quality = replace(acquisition.quality, noise_hu=0.0, offset_hu=0.0, gain=1.0)
    return replace(acquisition, quality=quality, artefacts=CLEAN, motion=None, outside=None)
