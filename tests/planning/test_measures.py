"""Measures of drawn bodies."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vertseg.labels import FINDINGS, Tissue
from vertseg.planning.measures import body_heights_mm, lesion_share, measure, volume_ml
from vertseg.volume import Grid, Volume

GRID = Grid((90, 90, 80), np.diag([0.8, 0.8, 1.0, 1.0]))
MIDDLE = GRID.world((np.array(GRID.shape) - 1) / 2)


def local(axes: np.ndarray) -> np.ndarray:
    return (GRID.world(np.moveaxis(np.indices(GRID.shape), 0, -1)) - MIDDLE) @ axes


def test_volume_of_a_ball() -> None:
    ball = np.linalg.norm(local(np.eye(3)), axis=-1) < 15
    assert volume_ml(ball, GRID) == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.01)


def test_lesion_share_counts_only_bone_of_the_body() -> None:
    body = np.zeros((10, 10, 10), dtype=bool)
    body[:, :, :5] = True
    lytic = np.zeros_like(body)
    lytic[:5, :, 3:8] = True
    assert lesion_share(lytic, body) == pytest.approx(0.2)
    assert lesion_share(lytic, np.zeros_like(body)) is None


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (15, -10, 25)])
def test_heights_of_a_wedge(angles: tuple[int, int, int]) -> None:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    x, y, z = np.moveaxis(local(axes), -1, 0)
    height = 24 - (y + 16) / 32 * 10
    body = (np.abs(x) < 20) & (np.abs(y) < 16) & (np.abs(z) < height / 2)
    found = body_heights_mm(Volume(body, GRID.affine), MIDDLE, axes)
    assert found is not None
    anterior, middle, posterior = found
    assert anterior == pytest.approx(15.6, abs=1.3)
    assert middle == pytest.approx(19, abs=1.2)
    assert posterior == pytest.approx(22.4, abs=1.3)


def test_too_little_body_has_no_heights() -> None:
    body = np.zeros(GRID.shape, dtype=bool)
    body[40:42, 40:42, 40:42] = True
    assert body_heights_mm(Volume(body, GRID.affine), MIDDLE, np.eye(3)) is None


def test_measure_of_a_vertebra_with_a_lesion() -> None:
    x, y, z = np.moveaxis(local(np.eye(3)), -1, 0)
    tissue = np.zeros(GRID.shape, dtype=np.uint8)
    body = (np.abs(x) < 20) & (np.abs(y) < 16) & (np.abs(z) < 12)
    tissue[body] = Tissue.BODY
    tissue[(np.abs(x) < 5) & (y < -16) & (y > -34) & (np.abs(z) < 5)] = Tissue.POSTERIOR
    masks = {name: Volume(np.zeros(GRID.shape, dtype=bool), GRID.affine) for name in FINDINGS}
    lytic = body & (x > 0)
    masks["lytic_lesion"] = Volume(lytic, GRID.affine)
    found = measure(Volume(tissue, GRID.affine), masks, MIDDLE, np.eye(3))
    assert found.body_ml == pytest.approx(40 * 32 * 24 / 1000, rel=0.05)
    assert found.volume_ml == pytest.approx(found.body_ml + found.posterior_ml)
    assert found.lesion_share == pytest.approx(0.5, abs=0.03)
    assert found.lytic_ml == pytest.approx(found.body_ml / 2, rel=0.06)
    assert found.wall_defect_mm2 == 0 and found.cement_ml == 0
    assert found.height_ratio == pytest.approx(1, abs=0.06)
