"""Shapes against volumes and distances known beforehand."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.shapes import (
    bar,
    capsule,
    coverage,
    ellipsoid,
    rotate,
    smooth_max,
    smooth_min,
    turned_ellipsoid,
)
from vertseg.volume import Grid


def lattice(n: int = 41, step: float = 1.0) -> torch.Tensor:
    axis = (torch.arange(n) - (n - 1) / 2) * step
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def test_capsule_volume_and_distance() -> None:
    p = lattice()
    d = capsule(p, (0.0, 0.0, -6.0), (0.0, 0.0, 6.0), (5.0, 5.0), (1.0, 1.0, 1.0))
    volume = float(coverage(d, 1.0).sum())
    assert volume == pytest.approx(np.pi * 25 * 12 + 4 / 3 * np.pi * 125, rel=0.02)
    assert float(d[20 + 9, 20, 20]) == pytest.approx(4.0, abs=1e-4)


def test_capsule_of_no_length_is_a_ball() -> None:
    d = capsule(lattice(), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (3.0, 3.0), (1.0, 1.0, 1.0))
    assert float(d[21, 20, 20]) == pytest.approx(-3.0)
    assert float(d[27, 20, 20]) == pytest.approx(3.0)


def test_ellipsoid_volume() -> None:
    d = ellipsoid(lattice(), (0.0, 0.0, 0.0), (8.0, 10.0, 12.0))
    assert float((d <= 0).sum()) == pytest.approx(4 / 3 * np.pi * 8 * 10 * 12, rel=0.02)


def test_turned_ellipsoid_is_the_ellipsoid_in_its_own_axes() -> None:
    p = lattice(21, 1.5)
    m = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
    axes = tuple(tuple(float(c) for c in row) for row in m)
    radii = (4.0, 7.0, 11.0)
    d = turned_ellipsoid((p[..., 0], p[..., 1], p[..., 2]), (1.0, 2.0, -1.0), axes, radii)  # type: ignore[arg-type]
    own = rotate(p, m.T, -m @ np.array([1.0, 2.0, -1.0]))
    plain = ellipsoid(own, (0.0, 0.0, 0.0), radii)
    assert torch.allclose(d[plain.abs() > 1e-3], plain[plain.abs() > 1e-3], atol=1e-3)


def test_bar_is_the_capsule_by_components() -> None:
    p = lattice(15, 2.0)
    what = ((1.0, -2.0, 3.0), (4.0, 6.0, -5.0), (4.0, 2.0), (1.0, 1.5, 0.7))
    assert torch.allclose(bar((p[..., 0], p[..., 1], p[..., 2]), *what), capsule(p, *what))


def test_smooth_union_and_intersection_bound_the_plain_ones() -> None:
    a, b = torch.linspace(-5, 5, 50), torch.linspace(5, -5, 50)
    assert bool((smooth_min(a, b, 2.0) <= torch.minimum(a, b) + 1e-6).all())
    assert bool((smooth_max(a, b, 2.0) >= torch.maximum(a, b) - 1e-6).all())
    assert float(smooth_min(torch.tensor(-4.0), torch.tensor(9.0), 2.0)) == pytest.approx(-4.0)


def test_rotate_is_a_matrix_product() -> None:
    p = lattice(5)
    m, shift = np.random.default_rng(1).normal(size=(3, 3)), np.array([1.0, -2.0, 3.0])
    expected = p.double().numpy() @ m + shift
    assert np.allclose(rotate(p, m, shift).numpy(), expected, atol=1e-4)


def test_canvas_points_follow_the_affine_and_boxes_hold_their_points() -> None:
    affine = np.array([[0, -2.0, 0, 10], [1.5, 0, 0.2, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])
    canvas = Canvas(Grid((12, 14, 10), affine), np.eye(4), 1.0, "cpu")
    box = canvas.box((affine @ [4, 5, 6, 1])[None, :3], 2.0)
    assert box is not None
    assert all(s.start <= i < s.stop for s, i in zip(box, (4, 5, 6), strict=True))
    inner = canvas.points(box)[4 - box[0].start, 5 - box[1].start, 6 - box[2].start]
    assert np.allclose(inner.numpy(), (affine @ [4, 5, 6, 1])[:3], atol=1e-4)
    assert canvas.box(np.array([[9e3, 0, 0]]), 5.0) is None


def test_partial_volume_keeps_the_mass_of_a_thin_shell() -> None:
    """A 0.5 mm shell seen with 3 mm voxels keeps its attenuation in sum, as a scanner's does."""
    fine = ellipsoid(lattice(81, 0.5), (0, 0, 0), (15.0, 15.0, 15.0))
    coarse = ellipsoid(lattice(14, 3.0), (0, 0, 0), (15.0, 15.0, 15.0))

    def shell(d: torch.Tensor, width: float) -> torch.Tensor:
        return coverage(d, width) - coverage(d + 0.5, width)

    assert float(shell(coarse, 3.0).sum()) * 27 == pytest.approx(
        float(shell(fine, 0.5).sum()) * 0.125, rel=0.05
    )
