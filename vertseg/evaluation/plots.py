"""`plots.png`: an evaluation on one sheet."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from vertseg.labels import LEAK_OUTCOMES, LEVEL_NAMES, VERTEBRA_LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STRUCTURES: Final = {
    "vertebra": "vertebrae", "body": "bodies", "posterior": "posterior\nelements", "sacrum": "sacrum",
    "lytic_lesion": "lytic", "sclerotic_lesion": "sclerotic", "posterior_wall_defect": "wall\ndefect",
    "cement": "cement",
}  # fmt: skip
_COLOURS: Final = dict(
    zip(LEAK_OUTCOMES, ("#4477aa", "#ee6677", "#228833", "#aa3377", "#222222"), strict=True)
)
_MAIN, _SECOND, _FAINT = "#1f4e79", "#c55a11", "#b8b8b8"


def draw_sheet(result: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> "Figure":
    """Nine panels: structures, levels, naming, two FROC curves, wall areas, and three on the leak risk.

    Args:
        result: what `metrics.json` holds.
        scores: the scans' own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    overall = result["overall"]
    figure = Figure(figsize=(16, 13), dpi=90)
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 3)
    _structures(axes[0, 0], overall["structures"])
    _levels(axes[0, 1], overall["levels"])
    _confusion(axes[0, 2], scores)
    _froc(axes[1, 0], overall["objects"].get("lytic_lesion"), "lytic lesions")
    _froc(axes[1, 1], overall["objects"].get("posterior_wall_defect"), "posterior-wall defects")
    _areas(axes[1, 2], scores)
    outcomes = overall["leak"]["outcomes"]
    _reliability(axes[2, 0], outcomes)
    _routes(axes[2, 1], outcomes, result["ceiling"])
    _decision(axes[2, 2], outcomes.get("any"))
    figure.suptitle(title(result), fontsize=14)
    figure.tight_layout(rect=(0, 0, 1, 0.98), h_pad=2.5, w_pad=2.0)
    return figure


def title(result: Mapping[str, Any]) -> str:
    """What was evaluated on what, and whether it was seen in training."""
    overall = result["overall"]
    mark = "SEEN IN TRAINING: " if result["seen_in_training"] else ""
    return (
        f"{mark}{result['data']} ({result['part']}): {overall['scans']} scans of {overall['patients']} patients, "
        f"{overall['vertebrae']} vertebrae"
    )


def _structures(ax: "Axes", structures: Mapping[str, Any]) -> None:
    names = [n for n in _STRUCTURES if n in structures and structures[n]["dice"]["value"] is not None]
    for shift, key, colour, label in (
        (-0.12, "dice", _MAIN, "Dice"),
        (0.12, "nsd_1mm", _SECOND, "NSD at 1 mm"),
    ):
        for i, name in enumerate(names):
            _point(ax, i + shift, structures[name][key], colour, label if i == 0 else None)
    ax.set_xticks(range(len(names)), [_STRUCTURES[n] for n in names], fontsize=8)
    ax.set(ylim=(0, 1.02), title="Structures, mean over scans")
    _finish(ax, bool(names))


def _levels(ax: "Axes", levels: Mapping[str, Any]) -> None:
    names = [LEVEL_NAMES[n] for n in VERTEBRA_LEVELS if LEVEL_NAMES[n] in levels]
    for i, name in enumerate(names):
        _point(ax, i - 0.15, levels[name]["dice"], _MAIN, "Dice" if i == 0 else None)
        _point(ax, i + 0.15, levels[name]["right"], _SECOND, "found and rightly named" if i == 0 else None)
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    ax.set(ylim=(0, 1.02), title="Vertebrae by level")
    _finish(ax, bool(names))


def _confusion(ax: "Axes", scores: Sequence[Mapping[str, Any]]) -> None:
    import numpy as np

    names = [LEVEL_NAMES[n] for n in VERTEBRA_LEVELS]
    pairs = [(v["level"], v["named"]) for s in scores for v in s["vertebrae"]]
    shown = [n for n in names if any(n in pair for pair in pairs)]
    table = np.zeros((len(shown), len(shown) + 1))
    for level, named in pairs:
        table[shown.index(level), len(shown) if named is None else shown.index(named)] += 1
    if shown:
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.set_xticks(range(len(shown) + 1), [*shown, "none"], rotation=90, fontsize=7)
        ax.set_yticks(range(len(shown)), shown, fontsize=7)
    ax.set(title="Names: true (down) and given (across)")


def _froc(ax: "Axes", found: Mapping[str, Any] | None, name: str) -> None:
    ax.set(title=f"FROC of {name}", xlabel="false a scan", ylabel="sensitivity", ylim=(0, 1.02))
    drawn = False
    for (size, figures), colour in zip(
        (found or {"sizes": {}})["sizes"].items(), (_MAIN, _SECOND), strict=False
    ):
        curve = figures["froc"]
        if not curve["sensitivity"]:
            continue
        drawn = True
        label = f">= {size} {(found or {})['unit']} (n = {figures['truths']})"
        ax.plot(curve["false_per_scan"], curve["sensitivity"], ".-", color=colour, label=label)
        ax.plot(
            figures["false_per_scan"]["value"], figures["sensitivity"]["value"], "o", markersize=10,
            markerfacecolor="none", color=colour,
        )  # fmt: skip
        for limit, at in curve["at"].items():
            if at["low"] is not None:
                ax.plot([float(limit)] * 2, [at["low"], at["high"]], color=colour, alpha=0.35, linewidth=4)
    if drawn:
        ax.set_xlim(0, 3)
        ax.text(0.98, 0.03, "ring: as shipped; bars: 95 %", transform=ax.transAxes, ha="right", fontsize=8)
    _finish(ax, drawn)


def _areas(ax: "Axes", scores: Sequence[Mapping[str, Any]]) -> None:
    found = [t for s in scores for t in s["objects"].get("posterior_wall_defect", {}).get("truths", ())]
    ax.set(title="Area of wall defects", xlabel="true, mm2", ylabel="found, mm2 (0: missed)")
    if found:
        x, y = [t["size"] for t in found], [t["predicted_size"] for t in found]
        top = 1.05 * max(*x, *y, 20.0)
        ax.plot([0, top], [0, top], color=_FAINT)
        ax.plot(x, y, ".", color=_MAIN)
        ax.set(xlim=(0, top), ylim=(-0.02 * top, top))
    _finish(ax, bool(found), legend=False)


def _reliability(ax: "Axes", outcomes: Mapping[str, Any]) -> None:
    ax.plot([0, 1], [0, 1], color=_FAINT)
    for name, figures in outcomes.items():
        bins = figures["reliability"]
        if bins:
            ece, most = figures["ece"]["value"], max(b["n"] for b in bins)
            label = f"{name} (ECE {ece:.3f})"
            ax.plot(
                [b["risk"] for b in bins],
                [b["observed"] for b in bins],
                ".-",
                color=_COLOURS[name],
                label=label,
            )
            ax.scatter(
                [b["risk"] for b in bins], [b["observed"] for b in bins], s=[200 * b["n"] / most for b in bins],
                color=_COLOURS[name], alpha=0.3, linewidths=0,
            )  # fmt: skip
    ax.set(title="Leak risk: reliability", xlabel="foretold", ylabel="leaked", xlim=(0, 1), ylim=(0, 1))
    _finish(ax, bool(outcomes))


def _routes(ax: "Axes", outcomes: Mapping[str, Any], ceiling: Mapping[str, float] | None) -> None:
    for i, (name, figures) in enumerate(outcomes.items()):
        _point(ax, i - 0.12, figures["auroc"], _MAIN, "AUROC" if i == 0 else None)
        _point(ax, i + 0.12, figures["auprc"], _SECOND, "AUPRC" if i == 0 else None)
        share = figures["prevalence"]["value"]
        if share is not None:
            label = "share that leaked" if i == 0 else None
            ax.plot([i, i + 0.24], [share, share], color=_SECOND, linewidth=1, label=label)
        if ceiling and name in ceiling:
            label = "ceiling of AUROC" if i == 0 else None
            ax.plot([i - 0.3, i + 0.06], [ceiling[name]] * 2, color=_MAIN, linewidth=1, label=label)
    ax.set_xticks(range(len(outcomes)), list(outcomes))
    ax.set(ylim=(0, 1.02), title="Leak risk: discrimination by route")
    _finish(ax, bool(outcomes))


def _decision(ax: "Axes", figures: Mapping[str, Any] | None) -> None:
    ax.set(title="Leak risk (any): decision curve", xlabel="threshold probability", ylabel="net benefit")
    curve = (figures or {}).get("decision_curve", {"threshold": []})
    if curve["threshold"]:
        t = curve["threshold"]
        ax.axhline(0, color=_FAINT, label="expect none")
        ax.plot(t, curve["all"], color=_SECOND, label="expect all")
        ax.plot(t, curve["model"], color=_MAIN, label="by the risk")
        if None not in curve["low"]:
            ax.fill_between(t, curve["low"], curve["high"], color=_MAIN, alpha=0.2, linewidth=0)
        top = max(*curve["model"], 0.05)
        ax.set_ylim(-0.3 * top, 1.15 * top)
    _finish(ax, bool(curve["threshold"]))


def _point(ax: "Axes", x: float, estimate: Mapping[str, Any], colour: str, label: str | None) -> None:
    if estimate["value"] is None:
        return
    ax.plot(x, estimate["value"], "o", color=colour, markersize=5, label=label)
    if estimate["low"] is not None:
        ax.plot([x, x], [estimate["low"], estimate["high"]], color=colour, linewidth=1.5)


def _finish(ax: "Axes", drawn: bool, legend: bool = True) -> None:
    ax.grid(color="#eeeeee")
    ax.set_axisbelow(True)
    if not drawn:
        ax.text(0.5, 0.5, "nothing to show", transform=ax.transAxes, ha="center", color="#888888")
    elif legend:
        ax.legend(fontsize=8, loc="best")
