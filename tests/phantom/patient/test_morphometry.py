"""Tables of sizes: what they say of the column as a whole, and values copied from the papers."""

import itertools

import pytest

from vertseg.labels import CERVICAL, LEVEL_NUMBERS, LUMBAR, THORACIC, VERTEBRA_LEVELS
from vertseg.phantom.patient.arch_morphometry import ARCH_SIZES
from vertseg.phantom.patient.morphometry import (
    DENSITY,
    LEVEL_SIZES,
    LIVING_HEIGHT_FACTOR,
    SAGITTAL_TILT_DEG,
    WEDGE,
)


@pytest.mark.parametrize(
    ("level", "height", "depth", "canal"),
    [("T1", 14.1, 18.0, 21.8), ("T8", 18.7, 27.9, 17.7), ("T12", 22.7, 32.8, 22.2), ("L3", 24.3, 35.2, 24.3)],
)
def test_panjabi_rows(level: str, height: float, depth: float, canal: float) -> None:
    row = LEVEL_SIZES[LEVEL_NUMBERS[level]]
    assert (row["height"], row["depth"], row["canal_width"]) == pytest.approx((height, depth, canal), abs=0.6)


def test_every_level_has_every_size() -> None:
    for level in VERTEBRA_LEVELS:
        assert set(LEVEL_SIZES[level]) == set(LEVEL_SIZES[LUMBAR[0]])
        assert set(ARCH_SIZES[level]) == set(ARCH_SIZES[LUMBAR[0]])
        assert level in WEDGE and level in DENSITY and level in SAGITTAL_TILT_DEG


def test_bodies_grow_downward() -> None:
    for key in ("width", "depth"):
        sizes = [LEVEL_SIZES[n][key] for n in (*CERVICAL[2:], *THORACIC, *LUMBAR[:4])]
        assert all(b >= a - 0.5 for a, b in itertools.pairwise(sizes))


def test_l5_of_the_living_is_wedged_as_ct_says() -> None:
    """CT of living adults: 30.3 mm in front, 26.3 mm behind."""
    posterior = LEVEL_SIZES[LUMBAR[4]]["height"] * LIVING_HEIGHT_FACTOR
    assert posterior == pytest.approx(26.3, abs=0.5)
    assert posterior * WEDGE[LUMBAR[4]] == pytest.approx(30.3, abs=0.5)
