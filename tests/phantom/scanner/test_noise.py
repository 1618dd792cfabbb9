"""Noise: as strong as asked, coloured as the kernel says, shared by overlapping slices, streaky where thick."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vertseg.phantom.scanner.acquisition import Acquisition, Quality
from vertseg.phantom.scanner.exposure import expose
from vertseg.phantom.scanner.kernel import KERNELS
from vertseg.phantom.scanner.noise import noise_factor, noise_of, resampled_factor
from vertseg.volume import Grid

SHAPE = (96, 80, 24)


def scan(name: str, noise: float, slice_mm: float = 1.0, step: float = 0.8) -> Acquisition:
    quality = Quality(KERNELS[name], noise, slice_mm, native_mm=step)
    grid = Grid(SHAPE, np.diag([step, step, 1.0, 1.0]))
    round_body = (SHAPE[0] * step, SHAPE[1] * step)
    return Acquisition(grid, np.eye(4), step, quality, body_mm=round_body)


def noise_image(acquisition: Acquisition, seed: int = 1) -> np.ndarray:
    """Noise in a square of water as wide as deep, so that no direction is preferred."""
    hu = torch.full(SHAPE, -1000.0)
    hu[8:88] = 0.0
    hu = torch.zeros(SHAPE) if acquisition.grid.spacing_mm[0] > 1 else hu
    image = expose(hu, acquisition, seed)
    clean = expose(hu, replace(acquisition, quality=replace(acquisition.quality, noise_hu=0.0)), seed)
    return (image - clean)[12:84, 4:76].numpy()


@pytest.mark.parametrize(("name", "noise"), [("B30f", 8.0), ("B30f", 25.0), ("B60f", 60.0)])
def test_noise_is_as_strong_as_asked(name: str, noise: float) -> None:
    assert noise_image(scan(name, noise)).std() == pytest.approx(noise, rel=0.08)


def peak_frequency(noise: np.ndarray, step: float) -> float:
    n = noise.shape[0]
    power = (np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2).mean(axis=2)
    f = np.fft.fftfreq(n, step)
    radius = np.hypot(f[:, None], f[None])
    rings = np.arange(0.0, 0.5 / step, 1.5 / (n * step))
    mean = [power[(radius >= r) & (radius < r + 1.5 / (n * step))].mean() for r in rings]
    return float(rings[int(np.argmax(mean))] + 0.75 / (n * step))


@pytest.mark.parametrize(("name", "peak"), [("B20", 0.168), ("B30f", 0.211), ("D45", 0.336)])
def test_noise_power_peaks_where_ramp_times_squared_mtf_does(name: str, peak: float) -> None:
    """Peaks of f exp(-2 ln 2 (f / f50)^p), at f50 (2 p ln 2)^(-1/p)."""
    noise = np.concatenate([noise_image(scan(name, 20.0), s) for s in range(3)], axis=2)
    assert peak_frequency(noise, 0.8) == pytest.approx(peak, abs=0.03)


def test_iterative_reconstruction_moves_noise_to_lower_frequencies() -> None:
    back = scan("D45", 20.0)
    smooth = replace(back, quality=replace(back.quality, iterative=1.0))
    assert peak_frequency(noise_image(smooth), 0.8) < peak_frequency(noise_image(back), 0.8) - 0.05


@pytest.mark.parametrize(("slice_mm", "shared"), [(1.0, 0.0), (2.0, 0.5), (4.0, 0.75)])
def test_overlapping_slices_share_noise(slice_mm: float, shared: float) -> None:
    noise = noise_image(scan("B30f", 15.0, slice_mm))
    neighbours = np.corrcoef(noise[..., :-1].ravel(), noise[..., 1:].ravel())[0, 1]
    assert neighbours == pytest.approx(shared, abs=0.04)


def test_sharp_kernels_and_thin_slices_are_noisier_by_theory() -> None:
    assert noise_factor(KERNELS["D45"], 0.0) == pytest.approx((5.6 / 3.5) ** 1.5, rel=0.03)
    soft = noise_of(10.0, KERNELS["B30f"], 3.0, 0.0)
    assert soft == pytest.approx(10.0, rel=1e-3)
    assert noise_of(10.0, KERNELS["B30f"], 0.75, 0.0) == pytest.approx(20.0, rel=1e-3)
    assert 0.3 < noise_of(10.0, KERNELS["B30f"], 3.0, 1.0) / 10.0 < 0.5
    assert noise_of(10.0, KERNELS["B30f"], 3.0, 0.2) / 10.0 == pytest.approx(0.86, abs=0.04)


def test_smoothing_to_longer_steps_takes_noise_and_equal_steps_none() -> None:
    assert resampled_factor(KERNELS["B30f"], 0.0, 0.8, 0.8) == 1.0
    assert 0.1 < resampled_factor(KERNELS["B30f"], 0.0, 0.8, 3.0) < 0.4


def test_wide_slices_have_more_noise_and_streaks_along_their_width() -> None:
    """Shoulders: slices whose width attenuates much more get noise that varies from front to back."""
    hu = torch.full((96, 60, 40), -1000.0)
    hu[33:63, 15:45, :20] = 0.0
    hu[:, 15:45, 20:] = 0.0
    quality = Quality(KERNELS["B30f"], 15.0, 3.0, native_mm=0.8)
    grid = Grid((96, 60, 40), np.diag([4.0, 4.0, 3.0, 1.0]))
    acquisition = Acquisition(grid, np.eye(4), 4.0, quality, body_mm=(0.0, 0.0))
    noise = (expose(hu, acquisition, 3) - hu)[36:60, 18:42].numpy()
    assert noise[..., 20:].std() > 1.3 * noise[..., :20].std()

    def roughness(part: np.ndarray) -> float:
        return float((np.diff(part, axis=1) ** 2).mean() / (np.diff(part, axis=0) ** 2).mean())

    assert roughness(noise[..., :20]) == pytest.approx(1.0, abs=0.1)
    assert roughness(noise[..., 20:]) > 1.3


def test_same_seed_same_noise_and_other_seed_another() -> None:
    acquisition = scan("B30f", 10.0)
    first, again, other = (noise_image(acquisition, s) for s in (5, 5, 6))
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
