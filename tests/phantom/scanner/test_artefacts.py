"""Artefacts: streaks where metal is, dark bands between bones, projections that are right, movement in a slab."""

import math

import numpy as np
import pytest
import torch

from vertseg.phantom.scanner.artefacts import draw_artefacts, hardening, metal_streaks
from vertseg.phantom.scanner.motion import Motion, draw_motion, moved
from vertseg.phantom.scanner.radon import Radon


def disc(n: int, radius: float, centre: tuple[float, float] = (0.0, 0.0)) -> torch.Tensor:
    t = torch.arange(n) - (n - 1) / 2
    return torch.hypot(t[:, None] - centre[0], t[None] - centre[1]) < radius


def test_projection_of_a_disc_is_its_chord() -> None:
    radon = Radon((64, 64), (2.0, 2.0), 16, torch.device("cpu"))
    sinogram = radon.project(disc(64, 20.0).float()[..., None])
    t = (torch.arange(radon.bins) - radon.bins / 2) * radon.bin_mm
    chord = 2 * torch.sqrt((40.0**2 - t**2).clamp_min(0.0))
    inside = t.abs() < 32
    error = sinogram[:, inside, 0] - chord[inside]
    assert error.square().mean().sqrt() < 0.05 * 80.0 and error.mean().abs() < 0.5
    assert sinogram.sum((1, 2)) * radon.bin_mm == pytest.approx(
        np.full(16, float(disc(64, 20.0).sum()) * 4), rel=1e-4
    )


def test_reconstruction_gives_the_disc_back() -> None:
    radon = Radon((64, 64), (1.5, 1.5), 90, torch.device("cpu"))
    image = radon.reconstruct(radon.project(disc(64, 20.0).float()[..., None]))[..., 0]
    assert image[disc(64, 15.0)].mean() == pytest.approx(1.0, abs=0.02)
    assert image[~disc(64, 24.0) & disc(64, 30.0)].mean() == pytest.approx(0.0, abs=0.03)


def body_with(hu: float, slices: slice) -> torch.Tensor:
    image = torch.where(disc(96, 40.0), 40.0, -1000.0)[..., None].repeat(1, 1, 20)
    for side in (-15.0, 15.0):
        image[..., slices] = torch.where(disc(96, 5.0, (side, 0.0))[..., None], hu, image[..., slices])
    return image


def test_streaks_only_on_slices_with_metal_and_of_mean_zero() -> None:
    image = body_with(8000.0, slice(8, 12))
    streaks = metal_streaks(image, (1.0, 1.0, 1.0), 250.0, 1.0, torch.Generator().manual_seed(1))
    assert streaks is not None
    assert streaks[..., :8].abs().max() == 0 and streaks[..., 12:].abs().max() == 0
    touched = streaks[..., 8:12]
    assert touched.std() > 30
    assert touched[image[..., 8:12] < 3000].mean().abs() < 0.05 * touched.std()


def test_rays_through_two_screws_are_dark_between_them() -> None:
    image = body_with(8000.0, slice(8, 12))
    streaks = metal_streaks(image, (1.0, 1.0, 1.0), 100.0, 1.0, torch.Generator().manual_seed(1))
    assert streaks is not None
    between, across = streaks[44:52, 46:50, 8:12].mean(), streaks[46:50, 58:66, 8:12].mean()
    assert between < across - 50


def test_no_metal_no_streaks_and_strength_scales() -> None:
    generator = torch.Generator().manual_seed(1)
    assert metal_streaks(body_with(1500.0, slice(8, 12)), (1.0, 1.0, 1.0), 250.0, 1.0, generator) is None
    image = body_with(6000.0, slice(8, 9))
    full, half = (
        metal_streaks(image, (1.0, 1.0, 1.0), 50.0, s, torch.Generator().manual_seed(1)) for s in (1.0, 0.5)
    )
    assert full is not None and half is not None
    free = full.abs() < 800
    assert torch.allclose(half[free], 0.5 * full[free], atol=0.1)
    assert metal_streaks(image, (1.0, 1.0, 1.0), 50.0, 0.0, generator) is None


def test_hardening_darkens_between_bones_and_keeps_the_mean() -> None:
    image = body_with(1200.0, slice(0, 20))
    dark = hardening(image, (1.0, 1.0, 1.0), 0.15)
    tissue = image[..., 10] > -300
    assert abs(float(dark[..., 10][tissue].mean())) < 2.0
    between, above = dark[44:52, 46:50, 10].mean(), dark[46:50, 68:76, 10].mean()
    assert -60 < between < above - 3


def test_hardening_needs_bone_and_grows_with_strength() -> None:
    soft = torch.where(disc(96, 40.0), 40.0, -1000.0)[..., None].repeat(1, 1, 8)
    assert hardening(soft, (1.0, 1.0, 1.0), 0.05).abs().max() < 1e-3
    image = body_with(1200.0, slice(0, 20))
    weak, strong = (hardening(image, (1.0, 1.0, 1.0), s) for s in (0.02, 0.04))
    assert torch.allclose(strong, 2 * weak, atol=1e-2)


def test_shift_moves_the_slab_by_its_way_and_nothing_far_off() -> None:
    x, y = 64, 48
    image = torch.zeros((x, y, 41))
    image[20:30, 20:28] = 100.0
    fx, fy = torch.fft.fftfreq(x, 1.0)[:, None], torch.fft.rfftfreq(y, 1.0)[None]
    spectrum = torch.fft.rfft2(image, dim=(0, 1))
    shift = Motion(0.5, 3.0, (2.0, -3.0), "shift")
    out = torch.fft.irfft2(moved(spectrum, (fx, fy), shift, 1.0), s=(x, y), dim=(0, 1))
    middle = out[..., 20]
    centre = [(middle.sum(d) * torch.arange(n)).sum() / middle.sum() for d, n in ((1, x), (0, y))]
    assert centre[0] == pytest.approx(24.5 + 2.0, abs=0.05) and centre[1] == pytest.approx(
        23.5 - 3.0, abs=0.05
    )
    assert torch.allclose(out[..., :8], image[..., :8], atol=1e-3)


def test_double_shows_two_edges_of_half_height() -> None:
    x, y = 64, 48
    image = torch.zeros((x, y, 5))
    image[20:40, 16:32] = 100.0
    frequencies = torch.fft.fftfreq(x, 1.0)[:, None], torch.fft.rfftfreq(y, 1.0)[None]
    spectrum = torch.fft.rfft2(image, dim=(0, 1))
    twice = moved(spectrum, frequencies, Motion(0.5, 50.0, (8.0, 0.0), "double"), 1.0)
    out = torch.fft.irfft2(twice, s=(x, y), dim=(0, 1))[:, 24, 2]
    assert out[[18, 42]].tolist() == pytest.approx([50.0, 50.0], abs=8)
    assert out[28:32].tolist() == pytest.approx([100.0] * 4, abs=8)


def test_artefacts_and_movements_are_as_rare_as_stated() -> None:
    drawn = [draw_artefacts(np.random.default_rng(s)) for s in range(2000)]
    motions = [draw_motion(np.random.default_rng(s)) for s in range(2000)]
    assert np.mean([a.hardening > 0 for a in drawn]) == pytest.approx(0.6, abs=0.04)
    assert max(a.hardening for a in drawn) <= 0.3
    assert np.mean([m is not None for m in motions]) == pytest.approx(0.05, abs=0.015)
    assert all(math.hypot(*m.shift_mm) < 1.3 for m in motions if m is not None and m.kind == "shift")
