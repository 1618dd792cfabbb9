"""Corruptions do what their names say."""

import numpy as np
import pytest

from vertseg.evaluation.out_of_distribution import CORRUPTIONS, magnetic_resonance, metal

RNG = np.random.default_rng


@pytest.mark.parametrize(
    ("name", "hu", "expected"),
    [
        ("none", 120.0, 120.0),
        ("offset -1024 HU", 100.0, -924.0),
        ("scale 0.5", 300.0, 150.0),
        ("scale 2", 300.0, 600.0),
    ],
)
def test_wrong_hu(name: str, hu: float, expected: float) -> None:
    spoiled = CORRUPTIONS[name](np.full((4, 4, 4), hu, np.float32), RNG(1))
    assert spoiled.dtype == np.float32
    assert (spoiled == expected).all()


def test_noise_has_its_width() -> None:
    spoiled = CORRUPTIONS["noise 100 HU"](np.zeros((40, 40, 40), np.float32), RNG(2))
    assert spoiled.std() == pytest.approx(100, rel=0.02)


def test_metal_is_dense_and_streaks_die_away() -> None:
    spoiled = metal(np.zeros((64, 64, 8), np.float32), RNG(3))
    assert (spoiled == 3000).mean() == pytest.approx(2 * np.pi * 2.5**2 / 64**2, rel=0.25)
    assert np.abs(spoiled[:4]).mean() < 0.7 * np.abs(spoiled[28:36]).mean()


def test_fat_outshines_cortex_in_mr() -> None:
    air, fat, marrow, cortex = magnetic_resonance(
        np.array([-1000.0, -100.0, 150.0, 1000.0], np.float32), RNG(4)
    )
    assert fat > marrow > cortex
    assert air < 60
