"""`preview.png`: sagittal, coronal and axial cuts with levels named and findings coloured."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vertseg.inference.findings import Findings
from vertseg.labels import FINDING_COLOURS, LEVEL_NAMES
from vertseg.planes import Plane, name_levels
from vertseg.report.planes import axial_plane, column_planes, worst
from vertseg.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WINDOW_HU = (-250.0, 750.0)
_BACKGROUND = "#101014"
_PNG_LEVEL = 1
"""A level of 6 takes five times as long to save a fifth of the file."""


def draw_preview(findings: Findings, scan: Volume, path: Path, reference: Volume | None = None) -> None:
    """Draw the preview as PNG.

    Args:
        findings: of one scan.
        scan: the scan in HU, any orientation.
        path: where to write.
        reference: level numbers of a reference, drawn as white outlines.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sagittal, coronal = column_planes(findings, scan.grid)
    chosen = worst(findings)
    planes = [sagittal, coronal, *([axial_plane(chosen)] if chosen else [])]
    figure = Figure(figsize=(15, 7.5), dpi=110, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(planes), squeeze=False)[0]
    for plane, ax in zip(planes, axes, strict=True):
        _draw(plane, ax, findings, scan, reference)
    if chosen is None:
        figure.suptitle("No vertebra was found", color="white", fontsize=13)
    _legend(figure, findings)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.93, bottom=0.07, wspace=0.03)
    figure.savefig(path, format="png", facecolor=_BACKGROUND, pil_kwargs={"compress_level": _PNG_LEVEL})


def _draw(plane: Plane, ax: "Axes", findings: Findings, scan: Volume, reference: Volume | None) -> None:
    picture = plane.grey(scan, _WINDOW_HU)
    levels = plane.overlay(picture, findings.levels, findings.masks)
    ax.imshow(picture, interpolation="bilinear", aspect="equal")
    if reference is not None:
        drawn = plane.sampled(reference, 0, 0.0)
        for number in np.unique(drawn[drawn > 0]):
            if int(number) in LEVEL_NAMES:
                ax.contour(drawn == number, levels=[0.5], colors="white", linewidths=0.8)
    name_levels(ax, levels, 10)
    ax.set_title(plane.title, color="white", fontsize=11)
    _name_edges(ax, plane, picture.shape)
    ax.set_axis_off()


def _name_edges(ax: "Axes", plane: Plane, shape: tuple[int, ...]) -> None:
    rows, columns = shape[0], shape[1]
    left, right, top, bottom = plane.edges
    for text, x, y in (
        (left, 5, rows / 2), (right, columns - 5, rows / 2), (top, columns / 2, 6), (bottom, columns / 2, rows - 6),
    ):  # fmt: skip
        ax.text(x, y, text, color="#d0d0d0", fontsize=9, ha="center", va="center")


def _legend(figure: Any, findings: Findings) -> None:
    """Names of the findings that are in the scan, in their colours; nothing else is promised."""
    x = 0.02
    for name, rgb in FINDING_COLOURS.items():
        if not findings.masks[name].array.any():
            continue
        text = name.replace("_", " ")
        figure.text(x, 0.025, f"\u25a0 {text}", color=np.array(rgb) / 255.0, fontsize=11)
        x += 0.03 + 0.0085 * len(text)
    figure.text(0.98, 0.025, "vertseg: research use only", color="#909090", fontsize=9, ha="right")
