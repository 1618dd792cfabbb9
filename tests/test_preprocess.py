import numpy as np
import pytest

from vertseg.preprocess import (
    AIR_HU,
    CROP_POSTERIOR_SHIFT_MM,
    CropSpec,
    examine_input,
    locate_input,
    normalise_hu,
    point_marker,
)
from vertseg.volume import Volume

SPEC = CropSpec((32, 32, 32), 2.0)


def _rotation(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def test_normalise_has_known_values_and_is_monotone() -> None:
    hu = np.array([-3000, -1000, -200, 50, 300, 1000, 2000, 9000])
    assert normalise_hu(hu) == pytest.approx([-1, -1, -0.5, 0.125, 0.75, 1.5, 2, 2])
    assert normalise_hu(hu).dtype == np.float32
    assert (np.diff(normalise_hu(np.arange(-1000, 2001))) > 0).all()


def test_locate_input_of_an_anisotropic_scan_is_isotropic_and_normalised() -> None:
    volume = Volume(np.full((20, 30, 9), 300, np.float32), np.diag([1.5, 1.0, 5.0, 1.0]))
    result = locate_input(volume, 3.0)
    assert result.grid.spacing_mm == pytest.approx((3, 3, 3))
    assert result.array.shape == (10, 10, 15)
    assert result.array[5, 5, 7] == pytest.approx(0.75)


@pytest.mark.parametrize("degrees", [0.0, 25.0, -140.0])
def test_a_bright_body_lands_in_front_of_the_crops_middle_whatever_the_axes(degrees: float) -> None:
    """A ball at the body's centre must appear 18 mm in front of the middle of the upright crop."""
    affine = np.eye(4)
    affine[:3, 3] = -60
    x = np.stack(np.meshgrid(*[np.arange(121.0) - 60] * 3, indexing="ij"), -1)
    centre, axes = np.array([7.0, -5.0, 3.0]), _rotation(degrees)
    ball = np.linalg.norm(x - centre, axis=-1) < 6
    scan = Volume(np.where(ball, 1000.0, 0.0).astype(np.float32), affine)
    crop, grid = examine_input(scan, centre, axes, Volume(ball, affine), SPEC)
    weights = crop[0] - normalise_hu(np.zeros(1))[0]
    weights = np.where(crop[0] > 0.75, weights, 0)
    found = np.array([(w * weights).sum() / weights.sum() for w in np.indices(SPEC.shape)])
    middle = (np.array(SPEC.shape) - 1) / 2
    forward = np.array([0, CROP_POSTERIOR_SHIFT_MM / SPEC.spacing_mm, 0])
    assert found == pytest.approx(middle + forward, abs=0.2)
    assert grid.world(found) == pytest.approx(centre, abs=0.4)
    assert crop[1][crop[0] > 1.2].min() > 0.5


def test_without_a_marker_a_ball_stands_at_the_body() -> None:
    scan = Volume(np.full((8, 8, 8), AIR_HU, np.float32), np.eye(4))
    crop, _ = examine_input(scan, (0, 0, 0), np.eye(3), None, SPEC)
    assert np.array_equal(crop[1], point_marker(SPEC))
    volume_mm3 = crop[1].sum() * SPEC.spacing_mm**3
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.35)  # the crop's face cuts a cap off
    assert (crop[0] == -1).all()
