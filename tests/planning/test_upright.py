"""One vertebra in its own frame."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.planning.drawn_spine import (
    CORTEX_HU,
    HALF_DEPTH_MM,
    HALF_WIDTH_MM,
    HEIGHT_MM,
    MARROW_HU,
    Drawn,
    stood,
)

TURNED = Rotation.from_euler("xyz", [14, -9, 20], degrees=True).as_matrix()
BODY_ML = 8 * HALF_WIDTH_MM * HALF_DEPTH_MM * HEIGHT_MM / 2 / 1000


def lesion(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return (x - 8) ** 2 + y**2 + z**2 < 49


@pytest.mark.parametrize("axes", [np.eye(3), TURNED])
def test_body_is_as_large_as_drawn_and_in_the_middle(axes: np.ndarray) -> None:
    (found,) = stood([Drawn(21, (5.0, -3.0, 40.0), axes, findings={"lytic_lesion": lesion})])
    assert found.body.sum() * found.voxel_ml == pytest.approx(BODY_ML, rel=0.02)
    np.testing.assert_allclose(np.argwhere(found.body).mean(axis=0), found.centre_vox, atol=0.3)
    np.testing.assert_allclose(found.axes, axes)
    right = np.argwhere(found.masks["lytic_lesion"]).mean(axis=0)[0] - found.centre_vox[0]
    assert right == pytest.approx(8, abs=0.3)
    assert set(np.unique(found.levels)) == {0, 21}


def test_hu_are_those_of_the_same_place() -> None:
    (found,) = stood([Drawn(21, axes=TURNED)])
    i, j, k = np.rint(found.centre_vox).astype(int)
    assert found.hu[i, j, k] == pytest.approx(MARROW_HU, abs=1)
    assert found.hu[found.posterior].mean() == pytest.approx(CORTEX_HU, rel=0.15)
    assert (found.hu == -1024).any()


@pytest.mark.parametrize("stored", ["LPS", "SAR", "PIR"])
def test_storage_of_the_scan_changes_nothing(stored: str) -> None:
    drawn = [Drawn(20, (3.0, 2.0, 30.0), TURNED, findings={"lytic_lesion": lesion})]
    (one,), (other,) = stood(drawn, 1.3), stood(drawn, 1.3, stored)
    np.testing.assert_allclose(one.hu, other.hu, atol=0.1)
    assert one.body_share is not None and other.body_share is not None
    np.testing.assert_allclose(one.body_share, other.body_share, atol=1e-3)
    for first, second in (
        (one.body, other.body),
        (one.posterior, other.posterior),
        (one.levels, other.levels),
    ):
        assert (first != second).mean() < 1e-4
    for name in one.masks:
        assert (one.masks[name] != other.masks[name]).mean() < 1e-4


def test_a_part_of_the_body_is_its_share() -> None:
    (found,) = stood([Drawn(20)])
    assert found.body_share is not None
    assert ((found.body_share >= 0.5) == found.body).all()
    assert found.body_share.sum() * found.voxel_ml == pytest.approx(BODY_ML, rel=0.02)
