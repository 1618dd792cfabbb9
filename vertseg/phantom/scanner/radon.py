"""Parallel-beam projection and filtered back projection of stacks of small slices, for artefacts."""

from math import cos, hypot, pi, sin

import torch
from torch import Tensor


class Radon:
    """Projects slices (X, Y, Z) to sinograms (A, B, Z) and back; pixels share their value among two bins.

    Args:
        shape: pixels (X, Y) of a slice.
        pixel_mm: their spacing (x, y).
        angles: how many views over half a turn.
        device: torch device.
    """

    def __init__(
        self, shape: tuple[int, int], pixel_mm: tuple[float, float], angles: int, device: torch.device
    ) -> None:
        self.shape = shape
        self.bin_mm = min(pixel_mm)
        self._area = pixel_mm[0] * pixel_mm[1]
        span = hypot(shape[0] * pixel_mm[0], shape[1] * pixel_mm[1])
        self.bins = int(span / self.bin_mm) + 4
        x = (torch.arange(shape[0], device=device) - (shape[0] - 1) / 2) * pixel_mm[0]
        y = (torch.arange(shape[1], device=device) - (shape[1] - 1) / 2) * pixel_mm[1]
        views = [pi * i / angles for i in range(angles)]
        self._low: list[Tensor] = []
        self._share: list[Tensor] = []
        for view in views:
            t = (x[:, None] * cos(view) + y[None, :] * sin(view)).flatten() / self.bin_mm + self.bins / 2
            low = torch.floor(t)
            self._low.append(low.long())
            self._share.append((t - low)[:, None])

    def project(self, slices: Tensor) -> Tensor:
        """Line integrals (A, B, Z) of (X, Y, Z), in units of the values times mm."""
        flat = slices.flatten(0, 1) * (self._area / self.bin_mm)
        sinogram = torch.zeros((len(self._low), self.bins, flat.shape[1]), device=slices.device)
        for view, low, share in zip(sinogram, self._low, self._share, strict=True):
            upper = flat * share
            view.index_add_(0, low, flat - upper)
            view.index_add_(0, low + 1, upper)
        return sinogram

    def reconstruct(self, sinogram: Tensor) -> Tensor:
        """Filtered back projection with the band-limited ramp (Kak and Slaney, ch. 3), (A, B, Z) to (X, Y, Z)."""
        filtered = self._ramp(sinogram)
        image = torch.zeros((self.shape[0] * self.shape[1], sinogram.shape[2]), device=sinogram.device)
        for view, low, share in zip(filtered, self._low, self._share, strict=True):
            image += torch.lerp(view[low], view[low + 1], share)
        return (image * (pi / len(self._low))).reshape(*self.shape, -1)

    def _ramp(self, sinogram: Tensor) -> Tensor:
        n = 2 * self.bins
        k = torch.arange(n, device=sinogram.device)
        k = torch.minimum(k, n - k)
        odd = -1.0 / (pi * k.clamp_min(1) * self.bin_mm) ** 2
        kernel = torch.where(k % 2 == 1, odd, torch.zeros_like(odd))
        kernel[0] = 1.0 / (4.0 * self.bin_mm**2)
        response = torch.fft.rfft(kernel).real * self.bin_mm
        spectrum = torch.fft.rfft(sinogram, n=n, dim=1) * response[None, :, None]
        filtered: Tensor = torch.fft.irfft(spectrum, n=n, dim=1)[:, : self.bins]
        return filtered
