"""The column's bent coordinates: there and back."""

import numpy as np
import pytest
import torch

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.tissue.spine_frame import SpineFrame, place_of
from vertseg.phantom.types import ScanConfig
from vertseg.volume import Grid

HEALTHY = ScanConfig(pathology=0.0)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_spots_beside_the_column_are_found_again(seed: int) -> None:
    anatomy = draw_anatomy(seed, HEALTHY)
    frame = SpineFrame(anatomy, torch.device("cpu"))
    for place in (1.0, 3.0, 5.0, 8.0, 12.0, 16.0):
        for right, front in ((0.0, 0.0), (35.0, -5.0), (-40.0, -60.0), (10.0, 30.0)):
            spot = torch.tensor(frame.world(place, right, front)[None, None, None], dtype=torch.float32)
            _, u, v = frame.locate(spot)
            assert float(u) == pytest.approx(right, abs=1.5)
            assert float(v) == pytest.approx(front, abs=1.5)


def test_vertebrae_stand_at_their_places() -> None:
    anatomy = draw_anatomy(5, HEALTHY)
    frame = SpineFrame(anatomy, torch.device("cpu"))
    for shape in anatomy.vertebrae:
        middle = frame.world(place_of(shape, anatomy), 0.0, 0.0)
        assert np.linalg.norm(middle - shape.centre_mm) < 1.5


def test_boxes_along_the_column_do_not_overlap() -> None:
    frame = SpineFrame(draw_anatomy(6, HEALTHY), torch.device("cpu"))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-120.0, -120.0, -80.0]
    canvas = Canvas(Grid((60, 60, 160), affine), np.eye(4), 4.0, "cpu")
    count = np.zeros(canvas.grid.shape, int)
    for box in frame.boxes(canvas, (0.0, -20.0, -40.0), (20.0, 20.0, 0.0)):
        count[box] += 1
    assert count.max() == 1
    centre = np.linalg.inv(affine) @ [*frame.world(3.0, 0.0, -20.0), 1.0]
    assert count[tuple(np.round(centre[:3]).astype(int))] == 1
