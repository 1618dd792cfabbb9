"""Pictures of corridors on the CT."""

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.labels import FINDING_COLOURS
from vertseg.planning.corridor_types import Corridor
from vertseg.planning.gauges import GAUGES
from vertseg.planning.keep_out import keep_out
from vertseg.planning.upright import UprightVertebra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WINDOW_HU: Final = (-200.0, 600.0)
_PIXEL_MM: Final = 0.6
_HALF_MM: Final = 52.0
_BACKGROUND: Final = "#101014"
_COLOURS: Final = {"left": "#ffd24d", "right": "#4dd2ff"}
_BONE, _CANAL = "#ffffff", "#ff5050"


def draw_corridors(vertebra: UprightVertebra, corridors: Sequence[Corridor]) -> bytes:
    """PNG bytes: the best feasible corridor of each side, each on two cuts that hold the whole cannula.

    Left an oblique axial cut (the patient's right on the left, front up) and right an oblique sagittal one (front
    on the left), each turned just so far as to run along the cannula. Bone of this vertebra is outlined in white,
    the canal in red; where no corridor of a side is feasible, that row says why.

    Args:
        vertebra: in its own frame.
        corridors: of this vertebra, as `plan_corridors` gives them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 9.6), dpi=80, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    rows = figure.subplots(2, 2, squeeze=False)
    canal = keep_out(vertebra)
    outlines = {
        _BONE: (vertebra.body | vertebra.posterior).astype(np.float32),
        _CANAL: np.zeros_like(vertebra.hu) if canal is None else canal.mask.astype(np.float32),
    }
    for row, side in zip(rows, ("right", "left"), strict=True):
        mine = [c for c in corridors if c.side == side]
        shown = next((c for c in mine if c.feasible), mine[0] if mine else None)
        for ax, upright in zip(row, (False, True), strict=True):
            _draw(ax, vertebra, outlines, shown, upright)
    figure.text(0.99, 0.005, "vertseg: research use only", color="#909090", fontsize=8, ha="right")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.96, bottom=0.03, wspace=0.02, hspace=0.10)
    file = io.BytesIO()
    # The least compression: these pictures are small, and time counts.
    figure.savefig(file, format="png", facecolor=_BACKGROUND, pil_kwargs={"compress_level": 1})
    return file.getvalue()


def _local(vertebra: UprightVertebra, world_mm: Any) -> NDArray[np.float64]:
    """Position in mm along right, anterior and up from the body's centre."""
    return np.asarray((np.asarray(world_mm) - vertebra.centre_mm) @ vertebra.axes)


def _draw(
    ax: "Axes",
    vertebra: UprightVertebra,
    outlines: dict[str, NDArray[np.float32]],
    corridor: Corridor | None,
    upright: bool,
) -> None:
    ends = None
    if corridor is not None and corridor.target_mm is not None and corridor.entry_bone_mm is not None:
        ends = _local(vertebra, corridor.target_mm), _local(vertebra, corridor.entry_bone_mm)
    across, up, middle = _plane(ends, upright)
    steps = np.arange(-_HALF_MM, _HALF_MM, _PIXEL_MM)
    points = middle + steps[None, :, None] * across + steps[::-1, None, None] * up
    vox = vertebra.grid.voxel(vertebra.centre_mm + points @ vertebra.axes.T)

    def sampled(values: NDArray[np.float32], fill: float = 0.0) -> NDArray[np.float32]:
        return np.asarray(ndimage.map_coordinates(values, np.moveaxis(vox, -1, 0), order=1, cval=fill))

    low, high = _WINDOW_HU
    grey = np.clip((sampled(vertebra.hu, fill=-1024.0) - low) / (high - low), 0, 1)
    extent = (-_HALF_MM, _HALF_MM, -_HALF_MM, _HALF_MM)
    ax.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
    for colour, mask in outlines.items():
        cut = sampled(mask)
        if cut.max() > 0.5:
            ax.contour(cut[::-1], levels=[0.5], colors=colour, linewidths=0.9, extent=extent)
    for name in ("lytic_lesion", "posterior_wall_defect"):
        if not vertebra.masks[name].any():
            continue
        cut = sampled(vertebra.masks[name].astype(np.float32))
        if cut.max() > 0.5:
            rgb = np.array(FINDING_COLOURS[name]) / 255.0
            ax.contour(cut[::-1], levels=[0.5], colors=[rgb], linewidths=1.1, extent=extent)
    if corridor is not None and ends is not None:
        _cannula(ax, corridor, ends, (across, up, middle))
    _text(ax, vertebra, corridor, upright)


def _plane(
    ends: tuple[NDArray[np.float64], NDArray[np.float64]] | None, upright: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors to the right and up of the picture, and its middle, in mm of the vertebra's frame."""
    middle = np.array([0.0, -20.0, 0.0]) if ends is None else _moved_back(*ends)
    way = np.array([0.0, 1.0, 0.0]) if ends is None else (ends[0] - ends[1])
    way = way / np.linalg.norm(way)
    if upright:
        back = -np.array([way[0], way[1], 0.0]) / np.hypot(way[0], way[1])
        return back, np.array([0.0, 0.0, 1.0]), middle
    front = np.array([0.0, way[1], way[2]]) / np.hypot(way[1], way[2])
    # The patient's right is on the left of the picture.
    return np.array([-1.0, 0.0, 0.0]), front, middle


def _moved_back(target: NDArray[np.float64], entry: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point of the cannula near its entry, so that body and muscle both are in view."""
    return np.asarray(target + 0.6 * (entry - target))


def _cannula(
    ax: "Axes",
    corridor: Corridor,
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    plane: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    across, up, middle = plane
    target, entry = ends
    out = entry + (entry - target) / np.linalg.norm(entry - target) * 60.0
    flat = [((p - middle) @ across, (p - middle) @ up) for p in (target, entry, out)]
    colour = _COLOURS[corridor.side]
    width = corridor.diameter_mm or GAUGES[-1].outer_mm
    points_per_mm = 72.0 * 4.7 / (2.0 * _HALF_MM)
    style = "-" if corridor.feasible else "--"
    (x0, y0), (x1, y1), (x2, y2) = flat
    ax.plot([x0, x2], [y0, y2], color=colour, lw=width * points_per_mm, alpha=0.45, solid_capstyle="butt")
    ax.plot([x0, x2], [y0, y2], color=colour, lw=0.8, ls=style)
    ax.plot([x0], [y0], "o", color=colour, ms=4)
    ax.plot([x1], [y1], "x", color="white", ms=6)
    ax.set_xlim(-_HALF_MM, _HALF_MM)
    ax.set_ylim(-_HALF_MM, _HALF_MM)


def _text(ax: "Axes", vertebra: UprightVertebra, corridor: Corridor | None, upright: bool) -> None:
    ax.set_axis_off()
    edges = ("A", "P", "S", "I") if upright else ("R", "L", "A", "P")
    reach = _HALF_MM - 3.0
    for text, x, y in zip(edges, (-reach, reach, 0, 0), (0, 0, reach, -reach), strict=True):
        ax.text(x, y, text, color="#d0d0d0", fontsize=9, ha="center", va="center")
    if corridor is None:
        return
    name = f"{vertebra.name} {corridor.side} {corridor.kind}"
    if corridor.feasible and corridor.angles is not None and corridor.clearance is not None:
        angle = (
            f"{corridor.angles.cranial_deg:+.0f} deg cranial"
            if upright
            else f"{corridor.angles.medial_deg:.0f} deg medial"
        )
        ax.text(
            0.0, _HALF_MM + 1.5,
            f"{name}, up to {corridor.gauge}, {angle}, canal {corridor.clearance.canal_mm:.1f} mm",
            color=_COLOURS[corridor.side], fontsize=9, ha="center",
        )  # fmt: skip
    else:
        ax.text(0.0, _HALF_MM + 1.5, f"{name}: not feasible", color="#ff8080", fontsize=9, ha="center")
        if not upright and corridor.reason is not None:
            said = "\n".join(textwrap.wrap(corridor.reason.sentence, 62))
            ax.text(-reach, -reach + 4, said, color="#ff8080", fontsize=8)
