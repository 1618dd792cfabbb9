"""Distances of labels in thick slices."""

import numpy as np
import pytest
from scipy import ndimage

from vertseg.phantom.painting.label_distance import signed_distance, spline_levelset


def test_the_distance_of_a_ball_in_thick_slices_is_smooth_and_keeps_every_voxel() -> None:
    spacing, radius = (1.0, 1.0, 3.0), 15.0
    axes = [np.arange(-n, n + 1) * s for n, s in zip((20, 20, 7), spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    mask = np.sqrt(x**2 + y**2 + z**2) < radius
    knots = spline_levelset(mask, spacing)
    fine = np.meshgrid(*[np.arange(-18.0, 18.5, 1.0)] * 3, indexing="ij")
    index = [f / s + n for f, s, n in zip(fine, spacing, (20, 20, 7), strict=True)]
    distance = signed_distance(
        ndimage.map_coordinates(knots, index, order=3, prefilter=False, output=np.float32), 1.0
    )
    true = np.sqrt(sum(f**2 for f in fine)) - radius
    near = np.abs(true) < 1.5
    # A voxelised ball is itself off by parts of a voxel: 1 mm across, 3 mm along.
    assert np.abs(distance - true)[near].mean() < 0.35
    assert (distance < 0).sum() == pytest.approx((true < 0).sum(), rel=0.03)
    own = np.indices(mask.shape).astype(float)
    assert np.array_equal(ndimage.map_coordinates(knots, own, order=3, prefilter=False) > 0, mask)
