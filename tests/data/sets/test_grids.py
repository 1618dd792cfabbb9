from pathlib import Path

import numpy as np
import pytest

from tests.data.sets.spine import affine, save
from vertseg.data.sets.grids import grid_difference, read_labels_near
from vertseg.errors import InputError
from vertseg.volume import Grid, Volume

_SHAPE = (8, 9, 10)


def _moved(x: float, y: float, z: float) -> np.ndarray:
    matrix = affine()
    matrix[:3, 3] += (x, y, z)
    return matrix


def test_it_is_said_what_differs() -> None:
    image = Grid(_SHAPE, affine())
    assert grid_difference(image, image) is None
    assert grid_difference(image, Grid(_SHAPE, _moved(1.4, 0, 0))) is None  # less than half a voxel of 3 mm
    assert grid_difference(image, Grid((8, 9, 9), affine())) == (
        "the shape is 8 x 9 x 9, the image's 8 x 9 x 10 (both in RAS order)"
    )
    moved = grid_difference(image, Grid(_SHAPE, _moved(0, -6, 0)))
    assert moved is not None
    assert "it is moved by 0.00, -6.00, 0.00 mm (right, anterior, up), up to 6.0 mm" in moved
    wider = grid_difference(image, Grid(_SHAPE, np.diag([3.0, 3.0, 4.0, 1.0])))
    assert wider == "the spacing is 3.00, 3.00, 4.00 mm, the image's 3.00, 3.00, 3.00 mm"
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    turned = grid_difference(image, Grid(_SHAPE, turn @ affine()))
    assert turned is not None
    assert "it is turned against the image" in turned


def test_labels_in_another_order_of_storage_lie_on_the_image(tmp_path: Path) -> None:
    labels = np.zeros(_SHAPE, np.uint8)
    labels[1, 2, 3] = 20
    scan = Volume(np.zeros(_SHAPE, np.float32), affine())
    mirrored = save(tmp_path / "las.nii.gz", labels[::-1], affine("LAS", _SHAPE))
    assert np.array_equal(read_labels_near(mirrored, scan).array, labels)
    with pytest.raises(InputError, match=r"off.nii.gz' does not lie on its image's grid: the affine differs"):
        read_labels_near(save(tmp_path / "off.nii.gz", labels, _moved(9, 0, 0)), scan)
