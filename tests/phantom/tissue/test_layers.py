"""Layers of soft tissue: volumes and edges of known shapes, and nothing painted elsewhere."""

import numpy as np
import pytest
import torch

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.tissue.grain import Grain
from vertseg.phantom.tissue.layers import Layer, Tube, lay, lay_blob, lay_tube
from vertseg.volume import Grid


def canvas(spacing_mm: float = 1.0, count: int = 60) -> Canvas:
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = -0.5 * spacing_mm * (count - 1)
    return Canvas(Grid((count, count, count), affine), np.eye(4), spacing_mm, "cpu")


def filled_mm3(c: Canvas) -> float:
    """Volume painted with 0 HU over air."""
    return float((c.hu + 1000.0).sum() / 1000.0) * c.grid.voxel_volume_mm3


@pytest.mark.parametrize("spacing_mm", [1.0, 2.0])
def test_ball_has_its_volume_whatever_the_lattice(spacing_mm: float) -> None:
    c = canvas(spacing_mm, round(60 / spacing_mm))
    lay_blob(c, (1.0, -2.0, 0.5), (20.0, 20.0, 20.0), 0.0, rough=0.0)
    assert filled_mm3(c) == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.03)


def test_tube_has_its_volume_and_does_not_thicken_at_its_joints() -> None:
    c = canvas()
    points = np.array([[0.0, 0.0, z] for z in (-80.0, -30.0, -10.0, 10.0, 30.0, 80.0)])
    lay_tube(c, Tube(points, np.full(6, 8.0)), 0.0)
    assert filled_mm3(c) == pytest.approx(np.pi * 64 * 60, rel=0.04)


def test_far_tube_leaves_the_canvas_untouched() -> None:
    c = canvas()
    lay_tube(c, Tube(np.array([[200.0, 0, 0], [200.0, 50, 0]]), np.array([9.0, 9.0])), 0.0)
    lay_blob(c, (0.0, 0.0, 90.0), (20.0, 20.0, 20.0), 0.0)
    assert (c.hu == -1000.0).all()


def test_covered_layers_are_skipped_without_a_trace() -> None:
    c = canvas(2.0, 20)

    def layers(p: torch.Tensor) -> list[Layer]:
        inside = torch.full(p.shape[:3], -50.0)
        return [Layer(p[..., 0], 300.0), Layer(inside, 50.0), Layer(p[..., 2] - 4.0, -100.0)]

    lay(c, None, layers)
    z = c.points()[..., 2]
    assert (c.hu[z > 6.0] == 50.0).all() and (c.hu[z < 2.0] == -100.0).all()


def test_grain_has_unit_variance_and_differs_between_patients() -> None:
    c = canvas(1.0, 64)
    box = (slice(0, 64), slice(0, 64), slice(0, 64))
    one, again, other = (Grain(c, (1.5, 1.5, 1.5), key).at(box) for key in ((1, 2), (1, 2), (3, 2)))
    assert torch.equal(one, again)
    assert float(one.std()) == pytest.approx(1.0, abs=0.01)
    assert abs(float((one * other).mean())) < 0.1
