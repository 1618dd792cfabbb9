"""Draw one phantom: three cuts in a bone and a soft-tissue window, and with its labels."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.io.atomic import atomic_path
from vertseg.labels import FINDING_COLOURS, level_name
from vertseg.phantom.files import pathology
from vertseg.phantom.types import PhantomScan, PhantomVertebra
from vertseg.planes import Plane, curved_planes, name_levels, upright_axial

WINDOWS_HU: Final = {"bone": (-450.0, 1050.0), "soft tissue": (-160.0, 240.0)}
"""Low and high end of the windows that radiologists read bone (300 / 1500) and abdomen (40 / 400) in."""

_UNITS: Final = {"fracture": ("{:.0%} of height lost"), "posterior_wall_defect": "wall defect {:.0f} mm²"}
_BACKGROUND: Final = "#101014"


def describe(scan: PhantomScan, vertebra: PhantomVertebra) -> str:
    """A vertebra's pathology in words, such as "L3: lytic lesion 3.2 ml, wall defect 85 mm²"; "" if none."""
    parts = [
        _UNITS.get(name, f"{name.replace('_', ' ')} {{:.1f}} ml").format(amount)
        for name, amount in pathology(scan, vertebra).items()
    ]
    if vertebra.fracture:
        parts.insert(0, f"{vertebra.fracture} fracture")
    return f"{level_name(vertebra.level)}: {', '.join(parts)}" if parts else ""


def draw_phantom(scan: PhantomScan, path: Path) -> None:
    """Draw a scan as PNG: a row per cut (sagittal, coronal, axial), columns bone, soft tissue, labels.

    The axial cut goes through the sickest vertebra, else the middle one.

    Raises:
        OutputError: the file system refused.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    centres = np.array([v.centroid_mm for v in scan.vertebrae])
    planes = [*curved_planes(centres, scan.hu.grid)]
    if scan.vertebrae:
        chosen = sickest(scan)
        planes.append(upright_axial(chosen.centroid_mm, chosen.axes, level_name(chosen.level)))
    heights = [plane.points_mm.shape[0] for plane in planes]
    figure = Figure(
        figsize=(13, 1.2 + 13 / 3 * sum(heights) / planes[0].points_mm.shape[1]),
        dpi=90,
        facecolor=_BACKGROUND,
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(planes), 3, squeeze=False, height_ratios=heights)
    for row, plane in zip(axes, planes, strict=True):
        for ax, (name, window) in zip(row, WINDOWS_HU.items(), strict=False):
            _show(ax, plane, plane.grey(scan.hu, window), f"{plane.title} ({name})")
        picture = plane.grey(scan.hu, WINDOWS_HU["bone"])
        levels = plane.overlay(picture, scan.level, scan.findings)
        _show(row[2], plane, picture, "labels")
        name_levels(row[2], levels, 8)
    _write_title(figure, scan)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.9 / figure.get_figheight()), pad=0.4)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", facecolor=_BACKGROUND)


def sickest(scan: PhantomScan) -> PhantomVertebra:
    """The vertebra that an axial cut is worth most through: by wall defect, lesions, then height lost.

    Those that the field cuts come last, and of equals the one nearest to the middle is taken.
    """
    middle = (len(scan.vertebrae) - 1) / 2

    def concern(item: tuple[int, PhantomVertebra]) -> tuple[float, float]:
        rank, vertebra = item
        found = pathology(scan, vertebra)
        lesions = sum(v for n, v in found.items() if n not in _UNITS)
        score = found.get("posterior_wall_defect", 0.0) / 40.0 + lesions / 4.0 + vertebra.height_loss / 0.4
        edge = rank in (0, len(scan.vertebrae) - 1)
        return (-1.0 if edge else score), -abs(rank - middle)

    return max(enumerate(scan.vertebrae), key=concern)[1]


def _show(ax: Any, plane: Plane, picture: NDArray[Any], title: str) -> None:
    ax.imshow(picture, interpolation="bilinear", aspect="equal")
    ax.set_title(title, color="white", fontsize=9)
    ax.set_axis_off()
    rows, columns = picture.shape[:2]
    left, right, top, bottom = plane.edges
    places = ((5, rows / 2), (columns - 5, rows / 2), (columns / 2, 6), (columns / 2, rows - 6))
    for text, (x, y) in zip((left, right, top, bottom), places, strict=True):
        ax.text(x, y, text, color="#d0d0d0", fontsize=8, ha="center", va="center")


def _write_title(figure: Any, scan: PhantomScan) -> None:
    from textwrap import fill

    spacing = " x ".join(f"{s:.2f}" for s in scan.hu.grid.spacing_mm)
    sick = [text for v in scan.vertebrae if (text := describe(scan, v))]
    body = fill("; ".join(sick) if sick else "no pathology", 150)
    height = figure.get_figheight()
    figure.text(
        0.01, 1 - 0.12 / height, f"phantom of seed {scan.seed}, {spacing} mm\n{body}",
        color="white", fontsize=9.5, va="top",
    )  # fmt: skip
    x = 0.6
    for name, rgb in FINDING_COLOURS.items():
        if scan.findings[name].array.any():
            text = name.replace("_", " ")
            figure.text(x, 1 - 0.25 / height, f"■ {text}", color=np.array(rgb) / 255, fontsize=9.5)
            x += 0.03 + 0.006 * len(text)
