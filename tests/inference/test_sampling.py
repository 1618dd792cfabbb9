"""Channels on another grid: torch's `grid_sample` gives the same, and what cannot matter is left out."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch.nn import functional

from vertseg.inference.sampling import sample_channels
from vertseg.volume import Grid

SHAPE = (20, 24, 18)


def _affine(spacing_mm: float, degrees: tuple[float, ...]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * spacing_mm
    affine[:3, 3] = -affine[:3, :3] @ (np.array(SHAPE) - 1) / 2
    return affine


def _torch(channels: NDArray[np.float32], affine: NDArray[np.float64], target: Grid) -> NDArray[np.float32]:
    """`grid_sample` at the voxels of `target`, zeros beyond."""
    points = np.moveaxis(np.indices(target.shape), 0, -1) @ target.affine[:3, :3].T + target.affine[:3, 3]
    inverse = np.linalg.inv(affine)
    at = (points @ inverse[:3, :3].T + inverse[:3, 3]) * 2 / (np.array(SHAPE) - 1) - 1
    where = torch.from_numpy(at[None, ..., ::-1].copy())
    values = torch.from_numpy(channels[None].astype(np.float64))
    out = functional.grid_sample(values, where, mode="bilinear", padding_mode="zeros", align_corners=True)
    return out[0].numpy().astype(np.float32)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (12, -8, 20), (0, 90, 0)])
def test_same_as_torch_inside_and_beyond_the_border(
    degrees: tuple[float, ...], rng: np.random.Generator
) -> None:
    channels = rng.random((3, *SHAPE)).astype(np.float32)
    target = Grid(
        (70, 60, 50), np.diag([0.8, 0.8, 1.0, 1.0]) + np.array([[0, 0, 0, o] for o in (-28, -24, -25, 0)])
    )
    wanted = _torch(channels, _affine(1.5, degrees), target)
    got = sample_channels(channels, _affine(1.5, degrees), target)
    assert (wanted == 0).mean() > 0.1
    np.testing.assert_allclose(got, wanted, atol=2e-5)


def test_leaving_out_what_is_low_changes_nothing_that_is_high(rng: np.random.Generator) -> None:
    channels = (rng.random((2, *SHAPE)) ** 4).astype(np.float32)
    target = Grid((40, 40, 40), np.diag([0.7, 0.7, 0.7, 1.0]))
    affine = _affine(1.5, (5, 10, 15))
    everything, chosen = (
        sample_channels(channels, affine, target),
        sample_channels(channels, affine, target, 0.4),
    )
    high = (everything > 0.4).any(axis=0)
    assert high.any() and (chosen == 0).all(axis=0).mean() > (everything == 0).all(axis=0).mean()
    np.testing.assert_array_equal(chosen[:, high], everything[:, high])


def test_thick_slices_are_smoothed_to_their_thickness() -> None:
    channels = np.zeros((1, *SHAPE), dtype=np.float32)
    channels[0, :, :, 8:10] = 1
    affine = np.eye(4)
    thick = Grid((20, 24, 3), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 6, 2.5], [0, 0, 0, 1.0]]))
    middle = sample_channels(channels, affine, thick)[0, 10, 12]
    # A slab of 2 mm under a Gaussian of variance (6^2 - 1) / 12, centred on it: erf(1 / sqrt(2 * 35 / 12)).
    assert middle[1] == pytest.approx(0.442, abs=0.015)
