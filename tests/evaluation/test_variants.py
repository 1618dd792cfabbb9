"""Copies of a drawn scan: what must stay the same stays the same."""

import numpy as np
import pytest
from scipy import ndimage

from tests.inference.drawn import draw_spine
from tests.inference.oracle import hu_of
from vertseg.evaluation.variants import NOISE_HU, Variant, variants
from vertseg.labels import level_number
from vertseg.volume import Volume

SPINE = draw_spine("L1 L2 L3")
HU, LEVELS = hu_of(SPINE), Volume(SPINE.level, SPINE.grid.affine)
L2 = level_number("L2")


@pytest.fixture(scope="module")
def copies() -> dict[str, Variant]:
    return {v.name: v for v in variants(HU, LEVELS)}


def ml(levels: Volume) -> float:
    return float((levels.array == L2).sum()) * levels.grid.voxel_volume_mm3 / 1000


def middle(levels: Volume, level: int) -> np.ndarray:
    return levels.grid.world(ndimage.center_of_mass(levels.array == level))


def test_every_copy_is_there_and_its_labels_lie_on_its_scan(copies: dict[str, Variant]) -> None:
    assert list(copies) == [
        "as it is",
        "rotated_x",
        "rotated_y",
        "rotated_z",
        "flipped",
        "slices_5mm",
        "noisy",
    ]
    for variant in copies.values():
        assert variant.hu.grid.matches(variant.levels.grid)
        assert ml(variant.levels) == pytest.approx(ml(LEVELS), rel=0.1)
        bone = variant.hu.array[variant.levels.array == L2]
        assert np.median(bone) == pytest.approx(np.median(HU.array[LEVELS.array == L2]), abs=60)


@pytest.mark.parametrize(("name", "axis"), [("rotated_x", 0), ("rotated_y", 1), ("rotated_z", 2)])
def test_the_patient_turns_by_20_degrees_about_its_axis(
    copies: dict[str, Variant], name: str, axis: int
) -> None:
    turned = copies[name].levels
    before = middle(LEVELS, level_number("L1")) - middle(LEVELS, level_number("L3")) + [5.0, 0, 0]
    after = middle(turned, level_number("L1")) - middle(turned, level_number("L3"))
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    turn = np.roll(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), (axis, axis), (0, 1))
    np.testing.assert_allclose(after, turn @ (before - [5.0, 0, 0]), atol=1.0)


def test_flipped_in_storage_is_the_same_place(copies: dict[str, Variant]) -> None:
    flipped = copies["flipped"]
    assert flipped.hu.grid.axcodes == ("L", "P", "I")
    np.testing.assert_array_equal(flipped.hu.oriented("RAS").array, HU.array)
    np.testing.assert_allclose(middle(flipped.levels, L2), middle(LEVELS, L2), atol=1e-6)


def test_slices_are_5_mm_thick_and_noise_has_its_width(copies: dict[str, Variant]) -> None:
    coarse = copies["slices_5mm"]
    assert coarse.hu.grid.spacing_mm == pytest.approx((3, 3, 5))
    np.testing.assert_allclose(middle(coarse.levels, L2), middle(LEVELS, L2), atol=1.0)
    noise = copies["noisy"].hu.array - HU.array
    assert noise.std() == pytest.approx(NOISE_HU, rel=0.01) and abs(noise.mean()) < 1
