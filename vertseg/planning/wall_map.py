"""The posterior wall unrolled onto a plane: cortex, defects, the basivertebral foramen."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Row = Literal["upper", "middle", "lower"]
Column = Literal["right", "middle", "left"]


@dataclass(frozen=True)
class WallDefect:
    """One hole in the posterior wall.

    Attributes:
        area_mm2: surface without cortex.
        share: of the whole wall, 0 to 1.
        right_mm, up_mm: its middle, from the middle of the wall.
        row, column: thirds of the wall in which its middle lies.
        at_foramen: more than half of it lies where the basivertebral foramen opens.
        canal_distance_mm: least distance to the canal; None where no canal is seen.
    """

    area_mm2: float
    share: float | None
    right_mm: float
    up_mm: float
    row: Row
    column: Column
    at_foramen: bool
    canal_distance_mm: float | None = None


@dataclass(frozen=True)
class WallIntegrity:
    """The posterior wall in numbers; None where no wall is seen.

    Attributes:
        wall_mm2: surface of the wall between the pedicles.
        width_mm, height_mm: its size.
        cortex_hu: median peak attenuation of its sound part.
        cortex_mm: median estimated thickness of its sound part.
        defect_mm2: surface of the defects outside of the basivertebral foramen.
        defect_share: that over the wall's, 0 to 1.
        foramen_defect_mm2: surface of defects at the basivertebral foramen, where a gap is physiological.
        defects: each of them, the largest first.
        thin_mm2: wall outside of defects and foramen whose cortex is weak in the image alone.
        foramen_gap_mm2: weak wall in the foramen's zone.
    """

    wall_mm2: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    cortex_hu: float | None = None
    cortex_mm: float | None = None
    defect_mm2: float = 0.0
    defect_share: float | None = None
    foramen_defect_mm2: float = 0.0
    defects: tuple[WallDefect, ...] = ()
    thin_mm2: float | None = None
    foramen_gap_mm2: float | None = None


@dataclass(frozen=True, eq=False)
class WallMap:
    """Cells (right, up) of the wall's plane; index grows to the patient's right and up.

    Attributes:
        cell_mm: edge of a cell.
        right_mm: (R,) places of the cells from the body centre.
        up_mm: (U,) the same.
        wall_mm: (R, U) anterior place of the expected wall's canal side, from the body centre.
        peak_hu: (R, U) highest attenuation across the wall; NaN outside of the outline.
        deficit_hu: (R, U) how much that is below the wall's own cortex; NaN outside.
        thickness_mm: (R, U) estimated thickness of cortex; NaN outside.
        area_mm2: (R, U) surface of the wall in each cell.
        outline: (R, U) bool, the expected wall.
        defect: (R, U) bool.
        foramen: (R, U) bool, where the basivertebral foramen opens.
        thin: (R, U) bool, cortex weak in the image.
    """

    cell_mm: float
    right_mm: NDArray[np.float64]
    up_mm: NDArray[np.float64]
    wall_mm: NDArray[np.float32]
    peak_hu: NDArray[np.float32]
    deficit_hu: NDArray[np.float32]
    thickness_mm: NDArray[np.float32]
    area_mm2: NDArray[np.float32]
    outline: NDArray[np.bool_]
    defect: NDArray[np.bool_]
    foramen: NDArray[np.bool_]
    thin: NDArray[np.bool_]
