"""A forest plot of the validation table: published intervals with the simulated ones under them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vertseg.cement.validation.table import Row
from vertseg.io.atomic import atomic_path

PUBLISHED_COLOUR: Final = "#444444"
INSIDE_COLOUR: Final = "#1b7837"
OUTSIDE_COLOUR: Final = "#c51b1b"
PANELS: Final = (
    ("rates (%)", ("rate",), False, 100.0),
    ("odds and risk ratios", ("odds ratio", "risk ratio"), True, 1.0),
    ("differences (ml)", ("difference (ml)",), False, 1.0),
)


def draw_forest(rows: Sequence[Row], path: Path) -> None:
    """Write the plot as PNG.

    Raises:
        OutputError: the file system refused.
    """
    panels = [(title, [r for r in rows if r.published.measure in kinds], log, factor)
              for title, kinds, log, factor in PANELS]  # fmt: skip
    panels = [panel for panel in panels if panel[1]]
    heights = [len(chosen) + 1.5 for _, chosen, _, _ in panels]
    figure = Figure(figsize=(11, 0.34 * sum(heights) + 1.0), layout="constrained")
    axes = figure.subplots(len(panels), 1, gridspec_kw={"height_ratios": heights}, squeeze=False)[:, 0]
    for axis, (title, chosen, log, factor) in zip(axes, panels, strict=True):
        _panel(axis, chosen, log, factor)
        axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
    handles = [
        Line2D([], [], color=colour, marker=marker, label=label)
        for colour, marker, label in (
            (PUBLISHED_COLOUR, "s", "published"), (INSIDE_COLOUR, "o", "simulated, inside"),
            (OUTSIDE_COLOUR, "o", "simulated, outside"),
        )
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)


def _panel(axis: Axes, rows: Sequence[Row], log: bool, factor: float) -> None:
    if log:
        axis.set_xscale("log")
        axis.axvline(1.0, color="#bbbbbb", lw=0.8)
        axis.set_xlim(0.1, 200.0)
    for i, row in enumerate(rows):
        p, s = row.published, row.simulated
        high = min(p.high, 190.0) if log else p.high
        axis.plot(
            [p.low * factor, high * factor],
            [i - 0.16] * 2,
            color=PUBLISHED_COLOUR,
            lw=3,
            solid_capstyle="butt",
        )
        if p.value is not None:
            axis.plot([p.value * factor], [i - 0.16], "s", color=PUBLISHED_COLOUR, ms=5)
        colour = INSIDE_COLOUR if row.inside else OUTSIDE_COLOUR
        axis.plot([s.low * factor, s.high * factor], [i + 0.16] * 2, color=colour, lw=1.5)
        axis.plot([s.value * factor], [i + 0.16], "o", color=colour, ms=5)
    labels = [
        f"{f'{r.published.row}. ' if r.published.row else ''}{r.published.statistic}, {r.published.population[:7]}."
        for r in rows
    ]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", color="#eeeeee")
    axis.set_axisbelow(True)
