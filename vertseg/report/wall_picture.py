"""The posterior wall's map as a picture."""

import io
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from vertseg.planning.wall_map import WallMap

THICKEST_MM: Final = 2.5
"""Cortex from here on has the brightest colour."""

_PIXELS_A_MM: Final = 14
_LINE: Final = 2
_LINES: Final = (("foramen", (255, 255, 255)), ("thin", (255, 165, 0)), ("defect", (230, 0, 30)))


def draw_wall(wall: WallMap) -> bytes:
    """PNG: the wall as seen from the canal, so that the patient's left is on the left and up is up.

    Colour is the cortex's thickness, from dark (none) to yellow (`THICKEST_MM`); the basivertebral foramen's zone is
    outlined in white, weak cortex in orange, defects in red.
    """
    share = np.clip(np.nan_to_num(wall.thickness_mm) / THICKEST_MM, 0.0, 1.0)
    picture = (colormaps["viridis"](share)[..., :3] * 255).astype(np.uint8)
    picture[~wall.outline] = (235, 238, 241)
    scale = max(1, round(_PIXELS_A_MM * wall.cell_mm))
    large = _upright(picture).repeat(scale, 0).repeat(scale, 1)
    for name, colour in _LINES:
        mask = _upright(getattr(wall, name)).repeat(scale, 0).repeat(scale, 1)
        large[mask & ~ndimage.binary_erosion(mask, iterations=_LINE)] = colour
    out = io.BytesIO()
    Image.fromarray(large).save(out, "PNG", compress_level=4)
    return out.getvalue()


def _upright(cells: NDArray[Any]) -> NDArray[Any]:
    """Cells (right, up, ...) as rows from the top down and columns from the patient's left to right."""
    return np.ascontiguousarray(np.swapaxes(cells, 0, 1)[::-1])
