"""Volumes, lesion share and body heights of one vertebra."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import Tissue
from vertseg.planning.body_surfaces import surfaces_of
from vertseg.planning.collapse import body_heights
from vertseg.planning.wall import wall_defect_area_mm2
from vertseg.volume import Grid, Volume, crop_grid

_HEIGHT_SPACING_MM = 1.0
_HEIGHT_FIELD_MM = 72


@dataclass(frozen=True)
class Measures:
    """Numbers of one vertebra; None where the body is too little seen to measure.

    Attributes:
        volume_ml: whole vertebra.
        body_ml: vertebral body.
        posterior_ml: posterior elements.
        lytic_ml: lytic lesion.
        sclerotic_ml: sclerotic lesion.
        cement_ml: cement.
        lesion_share: part of the body's volume that is lytic, 0 to 1.
        wall_defect_mm2: area of the posterior wall's shell where cortex is missing.
        height_anterior_mm: body height in front, middle of the body from side to side.
        height_middle_mm: the same in the middle.
        height_posterior_mm: the same behind.
    """

    volume_ml: float
    body_ml: float
    posterior_ml: float
    lytic_ml: float
    sclerotic_ml: float
    cement_ml: float
    lesion_share: float | None
    wall_defect_mm2: float
    height_anterior_mm: float | None
    height_middle_mm: float | None
    height_posterior_mm: float | None

    @property
    def height_ratio(self) -> float | None:
        """Lowest of the three heights over the highest: 1 for a box, small for a wedge."""
        heights = (self.height_anterior_mm, self.height_middle_mm, self.height_posterior_mm)
        known = [h for h in heights if h is not None]
        return min(known) / max(known) if len(known) == 3 and max(known) > 0 else None


def volume_ml(mask: NDArray[np.bool_], grid: Grid) -> float:
    """Volume in ml of a mask (X, Y, Z)."""
    return float(np.count_nonzero(mask)) * grid.voxel_volume_mm3 / 1000.0


def lesion_share(lytic: NDArray[np.bool_], body: NDArray[np.bool_]) -> float | None:
    """Part of the body (X, Y, Z) that is lytic, 0 to 1; None without a body."""
    n = np.count_nonzero(body)
    return float(np.count_nonzero(lytic & body) / n) if n else None


def body_heights_mm(
    body: Volume, centre_mm: NDArray[np.float64], axes: NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """Anterior, middle and posterior height in mm of a body mask (`collapse.body_heights`); None with too little body.

    Args:
        body: mask on any grid.
        centre_mm: (3,) body centre in world mm.
        axes: (3, 3) with columns right, anterior, up.
    """
    n = int(_HEIGHT_FIELD_MM / _HEIGHT_SPACING_MM)
    frame = crop_grid(centre_mm, axes, (n, n, n), _HEIGHT_SPACING_MM)
    share = Volume(body.array.astype(np.float32), body.affine).resampled_to(frame, 1, 0.0).array
    surfaces = surfaces_of(share, _HEIGHT_SPACING_MM, frame.voxel(centre_mm))
    return None if surfaces is None else body_heights(surfaces)


def measure(
    tissue: Volume, masks: dict[str, Volume], centre_mm: NDArray[np.float64], axes: NDArray[np.float64]
) -> Measures:
    """All measures of one vertebra.

    Args:
        tissue: `Tissue` numbers of this vertebra alone, on any grid.
        masks: this vertebra's findings by name, on the same grid.
        centre_mm: (3,) body centre in world mm.
        axes: (3, 3) with columns right, anterior, up.
    """
    grid = tissue.grid
    body = tissue.array == Tissue.BODY
    posterior = tissue.array == Tissue.POSTERIOR
    finding = {name: volume.array.astype(bool) for name, volume in masks.items()}
    heights = body_heights_mm(Volume(body, tissue.affine), centre_mm, axes) or (None, None, None)
    return Measures(
        volume_ml=volume_ml(body | posterior, grid),
        body_ml=volume_ml(body, grid),
        posterior_ml=volume_ml(posterior, grid),
        lytic_ml=volume_ml(finding["lytic_lesion"], grid),
        sclerotic_ml=volume_ml(finding["sclerotic_lesion"], grid),
        cement_ml=volume_ml(finding["cement"], grid),
        lesion_share=lesion_share(finding["lytic_lesion"], body),
        wall_defect_mm2=wall_defect_area_mm2(masks["posterior_wall_defect"], axes),
        height_anterior_mm=heights[0],
        height_middle_mm=heights[1],
        height_posterior_mm=heights[2],
    )
