"""The posterior wall's map as a picture."""

import io
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vertseg.planning.wall_map import WallMap

_THICKEST_MM: Final = 2.5


def draw_wall(wall: WallMap) -> bytes:
    """PNG: the wall as seen from the canal, so that the patient's left is on the left and up is up.

    Colour is the cortex's thickness in mm; defects are outlined in red, the basivertebral foramen's zone in white and
    dashed, weak cortex in orange.
    """
    figure = Figure(figsize=(5.0, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    half = wall.cell_mm / 2
    right, up = wall.right_mm, wall.up_mm
    extent = (right[0] - half, right[-1] + half, up[0] - half, up[-1] + half)
    shown = np.where(wall.outline, wall.thickness_mm, np.nan)
    picture = ax.imshow(
        shown.T,
        origin="lower",
        extent=extent,
        cmap="viridis",
        vmin=0,
        vmax=_THICKEST_MM,
        interpolation="nearest",
    )
    for mask, colour, line in (
        (wall.foramen, "white", "--"), (wall.thin, "orange", "-"), (wall.defect, "red", "-"),
    ):  # fmt: skip
        if mask.any():
            ax.contour(
                right, up, mask.T.astype(float), levels=[0.5], colors=colour, linestyles=line, linewidths=1.6
            )
    ax.set_xlabel("L  \u2190  mm  \u2192  R")
    ax.set_ylabel("mm")
    figure.colorbar(picture, ax=ax, label="cortex, mm", shrink=0.85)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
