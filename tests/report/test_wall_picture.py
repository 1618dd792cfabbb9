"""The posterior wall's picture."""

import io

import numpy as np
from PIL import Image

from vertseg.planning.wall_map import WallMap
from vertseg.report.wall_picture import draw_wall


def test_the_patient_s_left_is_on_the_left_and_up_is_up() -> None:
    shape = (20, 30)
    flat = np.zeros(shape, np.float32)
    defect = np.zeros(shape, bool)
    defect[15:18, 22:27] = True
    none = np.zeros(shape, bool)
    wall = WallMap(
        cell_mm=1.0, right_mm=np.arange(20.0) - 9.5, up_mm=np.arange(30.0) - 14.5, wall_mm=flat, peak_hu=flat,
        deficit_hu=flat, thickness_mm=flat, area_mm2=flat + 1, outline=~none, defect=defect, foramen=none, thin=none,
    )  # fmt: skip
    picture = np.asarray(Image.open(io.BytesIO(draw_wall(wall))))
    assert picture.shape[:2] == (30 * 14, 20 * 14)
    red = np.argwhere((picture[..., 0] > 200) & (picture[..., 1] < 30))
    rows, columns = red[:, 0], red[:, 1]
    assert (rows.min() // 14, rows.max() // 14) == (3, 7)
    assert (columns.min() // 14, columns.max() // 14) == (15, 17)
