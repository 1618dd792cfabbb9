"""Parts of bone: distances known beforehand, and gaps that carving leaves."""

import numpy as np
import pytest
import torch

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.skeleton.bars import Bar, BoneUnion, Cup, Half, Plate, UnionSpace
from vertseg.volume import Grid

TRIANGLE = np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 30.0, 0.0]])


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((10.0, 10.0, 5.0), 3.0),
        ((10.0, 10.0, -5.0), 3.0),
        ((10.0, 10.0, 0.0), -2.0),
        ((10.0, -7.0, 0.0), 5.0),
        ((-3.0, -4.0, 0.0), 3.0),
    ],
)
def test_plate_distance(point: tuple[float, float, float], expected: float) -> None:
    plate = Plate(TRIANGLE, (2.0, 2.0, 2.0))
    assert float(plate.distance(torch.tensor([point]))[0]) == pytest.approx(expected, abs=1e-4)


def test_plate_thickness_runs_between_its_corners() -> None:
    plate = Plate(TRIANGLE, (2.0, 5.0, 2.0))
    middle = float(plate.distance(torch.tensor([[10.0, 10.0, 0.0]]))[0])
    assert middle == pytest.approx(-(2.0 + 5.0 + 2.0) / 3.0, abs=1e-4)


def test_cup_is_a_shell_open_on_one_side() -> None:
    cup = Cup(np.zeros(3), 20.0, 30.0, np.array([1.0, 0.0, 0.0]), 5.0)
    spots = torch.tensor([[-25.0, 0.0, 0.0], [0.0, 0.0, 0.0], [25.0, 0.0, 0.0], [-33.0, 0.0, 0.0]])
    assert cup.distance(spots).tolist() == pytest.approx([-5.0, 20.0, 20.0, 3.0])


def test_carving_a_half_space_leaves_the_other_half() -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -20.0
    canvas = Canvas(Grid((41, 41, 41), affine), np.eye(4), 1.0, "cpu")
    union = BoneUnion(UnionSpace(canvas))
    union.add(Bar((-10.0, 0.0, 0.0), (10.0, 0.0, 0.0), (6.0, 6.0)))
    union.carve(Half(np.array([1.0, 0.0, 0.0]), 2.0, np.array([0.0, 0.0, 1.0]), -1e3))
    assert union.distance is not None
    x = union.space.points[..., 0]
    assert bool((union.distance[x > 2.0] >= 0).all())
    assert bool((union.distance[x < 0.0] < 0).any())
