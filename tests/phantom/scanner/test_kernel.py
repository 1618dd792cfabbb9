"""Kernels: stated MTF values come out of edges; slices are as thick as asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vertseg.phantom.scanner.acquisition import Acquisition, Quality
from vertseg.phantom.scanner.exposure import expose
from vertseg.phantom.scanner.kernel import KERNELS, Kernel, profile_correlation, profile_matrix
from vertseg.phantom.shapes import coverage
from vertseg.volume import Grid


def plain(shape: tuple[int, int, int], step: tuple[float, float, float], quality: Quality) -> Acquisition:
    return Acquisition(Grid(shape, np.diag([*step, 1.0])), np.eye(4), step[0], quality)


@pytest.mark.parametrize("name", KERNELS)
def test_mtf_has_its_stated_values(name: str) -> None:
    kernel = KERNELS[name]
    mtf = kernel.mtf(torch.tensor([0.0, kernel.f50 / 10, kernel.f10 / 10]))
    assert mtf.tolist() == pytest.approx([1.0, 0.5, 0.1], abs=1e-5)


def test_enhancing_kernels_overshoot_and_soft_ones_fall() -> None:
    f = torch.linspace(0.0, 1.2, 200)
    assert KERNELS["B60f"].mtf(f).max() > 1.02
    assert (KERNELS["B30f"].mtf(f).diff() <= 0).all()


def measured_f50(kernel: Kernel, step: float) -> float:
    """MTF 50 % in line pairs per cm from a slanted edge painted as the canvas paints it."""
    x, y = torch.meshgrid(*[torch.arange(n) * step for n in (96, 64)], indexing="ij")
    angle = np.deg2rad(3.0)
    distance = (x - 48 * step) * np.cos(angle) + (y - 32 * step) * np.sin(angle)
    hu = (1000.0 * coverage(distance, step))[..., None].expand(-1, -1, 4).contiguous()
    quality = Quality(kernel, 0.0, 1.0, native_mm=step)
    image = expose(hu, plain((96, 64, 4), (step, step, 1.0), quality), 0)[..., 2].numpy()
    bins = np.arange(-8.0, 8.0, 0.1)
    inner = slice(8, -8)
    order = np.argsort(distance.numpy()[inner, inner].ravel())
    edge = np.interp(bins, distance.numpy()[inner, inner].ravel()[order], image[inner, inner].ravel()[order])
    line = -np.diff(edge) * np.hanning(len(bins) - 1)
    mtf = np.abs(np.fft.rfft(line, 4096))
    frequency = np.fft.rfftfreq(4096, 0.1)
    return float(frequency[np.argmax(mtf / mtf[0] < 0.5)] * 10)


@pytest.mark.parametrize("name", ["B20", "B30f", "D45"])
def test_edge_gives_back_the_kernels_50_percent(name: str) -> None:
    kernel = KERNELS[name]
    assert measured_f50(kernel, 0.6) == pytest.approx(kernel.f50, rel=0.06)


@pytest.mark.parametrize("slice_mm", [1.0, 3.0, 5.0])
def test_slice_profile_is_as_wide_as_the_slice(slice_mm: float) -> None:
    fine = 0.1
    profile = profile_matrix(400, 400, fine, slice_mm)
    assert profile is not None
    curve = profile[200]
    assert (curve > curve.max() / 2).sum() * fine == pytest.approx(slice_mm, abs=2 * fine)
    assert profile.sum(axis=1) == pytest.approx(np.ones(400))
    assert curve @ np.arange(400) == pytest.approx(200.0)


def test_finer_painted_planes_are_averaged_over_the_slice() -> None:
    hu = torch.zeros((16, 16, 60))
    hu[:, :, 30:] = 100.0
    quality = Quality(KERNELS["B30f"], 0.0, 5.0, native_mm=0.8)
    image = expose(hu, plain((16, 16, 12), (1.0, 1.0, 5.0), quality), 0)[8, 8]
    assert image.shape == (12,)
    assert image[:5].abs().max() < 1 and (image[7:] - 100).abs().max() < 1
    assert 0 <= image[5] < 5 and 95 < image[6] <= 100
    assert image.mean() == pytest.approx(50.0, abs=0.5)


def test_slices_at_their_own_distance_stay_as_painted() -> None:
    assert profile_matrix(20, 20, 3.0, 3.0) is None
    assert profile_correlation(20, 3.0, 3.0) is None


def test_uniform_image_stays_and_mean_is_kept() -> None:
    quality = Quality(KERNELS["B60f"], 0.0, 2.0, native_mm=0.5)
    acquisition = plain((40, 40, 12), (0.8, 0.8, 1.0), quality)
    even = expose(torch.full((40, 40, 12), 57.0), acquisition, 0)
    assert (even - 57.0).abs().max() < 0.01
    shifted = replace(acquisition, quality=replace(quality, gain=1.1, offset_hu=-5.0))
    assert expose(torch.full((40, 40, 12), 100.0), shifted, 0).mean() == pytest.approx(105.0, abs=0.01)
