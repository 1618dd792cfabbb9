"""HU of marrow that is known because it was drawn."""

import numpy as np
import pytest

from tests.planning.drawn_spine import MARROW_HU, Drawn, stood
from vertseg.labels import level_number
from vertseg.planning.density import density_band, trabecular_density
from vertseg.planning.vertebra_measures import measure_vertebrae

L1, L3 = level_number("L1"), level_number("L3")


def test_marrow_without_cortex() -> None:
    found = measure_vertebrae(stood([Drawn(L1)]))[0].density
    assert found.mean_hu == pytest.approx(MARROW_HU, abs=1)
    assert found.sd_hu == pytest.approx(0, abs=1)
    # 4 mm in from every face, less the vein's channel.
    assert found.volume_ml == pytest.approx((34 * 24 * 18 - 12 * 12 * 12) / 1000, rel=0.06)
    assert found.band == "normal"


def test_lesions_and_cement_do_not_count() -> None:
    def right(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return x > 0

    def ball(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (x + 10) ** 2 + y**2 + z**2 < 25

    (vertebra,) = stood([Drawn(L3, findings={"lytic_lesion": right, "cement": ball})])
    vertebra.hu[vertebra.masks["lytic_lesion"]] = 20
    vertebra.hu[vertebra.masks["cement"]] = 2500
    found = trabecular_density(vertebra, None)
    assert found.mean_hu == pytest.approx(MARROW_HU, abs=1)
    assert found.band is None


def test_nothing_spared_is_not_measured() -> None:
    def all_of_it(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.ones_like(x, bool)

    found = trabecular_density(stood([Drawn(L1, findings={"lytic_lesion": all_of_it})])[0], None)
    assert found.mean_hu is None and found.band is None and found.voxel_count == 0


def test_thresholds_of_pickhardt() -> None:
    assert [density_band(hu) for hu in (80, 110, 111, 160, 161)] == [
        "low", "low", "intermediate", "intermediate", "normal",
    ]  # fmt: skip
