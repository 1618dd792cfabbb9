"""`followup.png`: each treated vertebra before and after, cement coloured by where it lies."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import LEAK_ROUTES
from vertseg.planes import Plane
from vertseg.planning.cement_spread import COMPARTMENTS, CementLeak
from vertseg.planning.followup import FollowUp, TreatedVertebra
from vertseg.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "vertebra": (0, 200, 255), "canal": (255, 40, 40), "disc_above": (255, 170, 0), "disc_below": (255, 220, 60),
    "vein": (190, 80, 255), "soft_tissue": (60, 220, 90), "cannula_track": (180, 180, 180),
}  # fmt: skip
"""Of cement in the vertebra, and in each compartment outside of it."""

_WINDOW_HU: Final = (-250.0, 1800.0)
_BACKGROUND: Final = "#101014"
_HALF_MM: Final = 42.0
_PIXEL_MM: Final = 0.6
_BEHIND_MM: Final = 12.0
_MOST_ROWS: Final = 8
_ALPHA: Final = 0.6


def draw_follow_up(found: FollowUp, path: Path) -> None:
    """Draw a row for each treated vertebra (the first eight): before and after from the side, after from below.

    The cut from the side goes through the largest leak, that from below through the same; without a leak both go
    through the body's centre.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = found.vertebrae[:_MOST_ROWS]
    columns = 3 if found.pre is not None else 2
    rows = max(1, len(shown))
    figure = Figure(figsize=(4.4 * columns, 4.4 * rows + 0.6), dpi=100, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, vertebra in zip(grid, shown, strict=False):
        _row(found, vertebra, list(axes))
    if not shown:
        figure.suptitle("No cement was found", color="white", fontsize=13)
    for k, (name, colour) in enumerate(COLOURS.items()):
        figure.text(
            0.02 + 0.96 * k / len(COLOURS), 0.012, f"\u25a0 {name.replace('_', ' ')}",
            color=np.array(colour) / 255.0, fontsize=10,
        )  # fmt: skip
    figure.subplots_adjust(left=0.01, right=0.99, top=1 - 0.35 / (4.4 * rows + 0.6), bottom=0.05, wspace=0.03)
    figure.savefig(path, format="png", facecolor=_BACKGROUND)


def _row(found: FollowUp, vertebra: TreatedVertebra, axes: "list[Axes]") -> None:
    place = next(v for v in found.post.findings.vertebrae if v.level == vertebra.level)
    centre = np.asarray(place.centroid_mm, np.float64)
    leak = vertebra.cement.leaks[0] if vertebra.cement.leaks else None
    middle = _through(centre, place.axes, leak)
    side, below = _cut(middle[0], place.axes, "side"), _cut(middle[1], place.axes, "below")
    if found.pre is not None:
        before = axes.pop(0)
        if vertebra.registration is None:
            before.set_title(f"{vertebra.name} before: not shown", color="white", fontsize=10)
        else:
            back = np.linalg.inv(vertebra.registration.matrix)
            points = side.points_mm @ back[:3, :3].T + back[:3, 3]
            _draw(before, Plane("", points, side.edges), found.pre.scan.volume, None)
            before.set_title(f"{vertebra.name} before{_risks(vertebra)}", color="white", fontsize=10)
    for ax, plane in zip(axes, (side, below), strict=True):
        _draw(ax, plane, found.post.scan.volume, found.places)
    c = vertebra.cement
    axes[0].set_title(
        f"{vertebra.name} after: {c.cement_ml:.1f} ml, outside {c.leaked_ml:.2f}", color="white", fontsize=10
    )
    axes[1].set_title(_leak_words(vertebra), color="white", fontsize=10)


def _through(
    centre: NDArray[np.float64], axes: NDArray[np.float64], leak: CementLeak | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points that the cut from the side and that from below go through, level with the body's centre otherwise."""
    if leak is None:
        return centre, centre
    right, _, up = (np.asarray(leak.centre_mm) - centre) @ axes
    return centre + axes[:, 0] * right, centre + axes[:, 2] * up


def _cut(middle: NDArray[np.float64], axes: NDArray[np.float64], way: Literal["side", "below"]) -> Plane:
    steps = np.arange(_HALF_MM, -_HALF_MM, -_PIXEL_MM)
    middle = middle - _BEHIND_MM * axes[:, 1]
    down, across = (axes[:, 2], axes[:, 1]) if way == "side" else (axes[:, 1], axes[:, 0])
    points = middle + steps[:, None, None] * down + steps[None, :, None] * across
    return Plane("", points, ("A", "P", "S", "I") if way == "side" else ("R", "L", "A", "P"))


def _draw(ax: "Axes", plane: Plane, scan: Volume, places: Volume | None) -> None:
    picture = plane.grey(scan, _WINDOW_HU)
    if places is not None:
        shown = plane.sampled(places, 0, 0.0).astype(int)
        for number, name in enumerate(("vertebra", *COMPARTMENTS), start=1):
            colour = np.array(COLOURS[name], np.float32) / 255.0
            picture[shown == number] = (1 - _ALPHA) * picture[shown == number] + _ALPHA * colour
    ax.imshow(picture, interpolation="bilinear", aspect="equal")
    rows, columns = picture.shape[:2]
    for text, x, y in zip(
        plane.edges,
        (4, columns - 5, columns / 2, columns / 2),
        (rows / 2, rows / 2, 5, rows - 6),
        strict=True,
    ):
        ax.text(x, y, text, color="#d0d0d0", fontsize=8, ha="center", va="center")


def _risks(vertebra: TreatedVertebra) -> str:
    if vertebra.before is None:
        return ""
    chances = " ".join(f"{r} {100 * vertebra.before.leak[r]:.0f}" for r in LEAK_ROUTES)
    return f": risk {chances} %" + (" (abstained)" if vertebra.before.leak_abstained else "")


def _leak_words(vertebra: TreatedVertebra) -> str:
    parts = [
        f"{k.compartment.replace('_', ' ')} {k.volume_ml:.2f} ml"
        + ("" if k.route is None else f" ({k.route})")
        for k in vertebra.cement.leaks[:3]
    ]
    return "; ".join(parts) or "no leak"
