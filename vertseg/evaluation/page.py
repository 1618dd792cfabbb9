"""`plots.png` and `evaluation.html`, one page that needs no other file."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vertseg.evaluation.goals import estimate_at, goal_cells
from vertseg.evaluation.plots import draw_sheet, title
from vertseg.io.atomic import atomic_path, write_text
from vertseg.report.summary import LEAK_BASIS

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 0.5em 0 1.5em; } caption { text-align: left; font-weight: 600; }
th, td { padding: 0.15em 0.8em; border-bottom: 1px solid #ddd; text-align: right; } th:first-child, td:first-child
{ text-align: left; } img { max-width: 100%; } .mark { background: #b00020; color: white; padding: 0.6em 1em; }
.no { color: #b00020; } .yes { color: #1b7837; } small { color: #666; }
"""

_ROWS: Final = (
    ("Dice of vertebrae", ("structures", "vertebra", "dice")),
    ("NSD at 1 mm of vertebrae", ("structures", "vertebra", "nsd_1mm")),
    ("HD95 of vertebrae, mm (median)", ("structures", "vertebra", "hd95_mm")),
    ("Dice of bodies", ("structures", "body", "dice")),
    ("Dice of posterior elements", ("structures", "posterior", "dice")),
    ("Dice of sacrum", ("structures", "sacrum", "dice")),
    ("Dice per named vertebra", ("levels", "all", "dice")),
    ("Vertebrae found and rightly named", ("naming", "right")),
    ("Identification rate (VerSe)", ("naming", "identification_rate")),
    ("Localisation error, mm (mean)", ("naming", "localisation_mm")),
    ("Every level right", ("naming", "every_level_right")),
    ("Vertebrae invented a scan", ("naming", "invented_per_scan")),
    ("Dice of lytic lesions", ("structures", "lytic_lesion", "dice")),
    ("Lytic lesions found", ("objects", "lytic_lesion", "sizes", "0.2", "sensitivity")),
    ("False lytic lesions a scan", ("objects", "lytic_lesion", "sizes", "0.2", "false_per_scan")),
    ("Volume error of lytic lesions, ml (median)", ("objects", "lytic_lesion", "sizes", "0.2", "size_error")),
    ("Wall defects >= 10 mm2 found", ("objects", "posterior_wall_defect", "sizes", "10", "sensitivity")),
    ("Wall defects >= 20 mm2 found", ("objects", "posterior_wall_defect", "sizes", "20", "sensitivity")),
    ("False wall defects a scan", ("objects", "posterior_wall_defect", "sizes", "20", "false_per_scan")),
    ("Area error >= 20 mm2, mm2 (median)", ("objects", "posterior_wall_defect", "sizes", "20", "size_error")),
    (
        "Area error >= 20 mm2, share (median)",
        ("objects", "posterior_wall_defect", "sizes", "20", "size_error_share"),
    ),
    ("Leak risk (any): AUROC", ("leak", "outcomes", "any", "auroc")),
    ("Leak risk (any): Brier score", ("leak", "outcomes", "any", "brier")),
    ("Leak risk (any): calibration error", ("leak", "outcomes", "any", "ece")),
)


def write_page(result: Mapping[str, Any], scores: Sequence[Mapping[str, Any]], output: Path) -> None:
    """Write `plots.png` and `evaluation.html`.

    Raises:
        OutputError: the file system refused.
    """
    picture = io.BytesIO()
    draw_sheet(result, scores).savefig(picture, format="png")
    with atomic_path(output / "plots.png") as partial:
        partial.write_bytes(picture.getvalue())
    write_text(output / "evaluation.html", page_text(result, picture.getvalue()))


def page_text(result: Mapping[str, Any], picture: bytes) -> str:
    """The page: goals, the sheet of plots, and every figure overall and by stratum."""
    name = html.escape(title(result))
    mark = (
        '<p class="mark">Seen in training: the checkpoint learned from scans of this set, so these figures flatter.</p>'
        if result["seen_in_training"]
        else ""
    )
    if result["not_compared"]:
        mark += (
            '<p class="mark">The checkpoint learned from sets that are no longer there to compare with: '
            f"{html.escape(', '.join(result['not_compared']))}.</p>"
        )
    image = base64.b64encode(picture).decode()
    tables = [_columns(f"By {kind}", parts) for kind, parts in result["strata"].items() if len(parts) > 1]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{name}</h1>{mark}{_about(result)}{_goals(result['goals'])}"
        f'<img alt="Plots of the evaluation" src="data:image/png;base64,{image}">'
        f"{_columns('All scans', {'all': result['overall']})}{''.join(tables)}"
        f"<p><small>Intervals: 95 %, {result['bootstrap']['resamples']} resamples by patient. Leak risk: "
        f"{html.escape(LEAK_BASIS)}.</small></p></body></html>\n"
    )


def _about(result: Mapping[str, Any]) -> str:
    weights = ", ".join(
        f"{task} {str(c.get('sha256'))[:12]} ({c.get('steps', '?')} steps)"
        for task, c in result["checkpoints"].items()
    )
    return f"<p>vertseg {html.escape(result['vertseg'])}; weights: {html.escape(weights)}. Not a medical device.</p>"


def _goals(goals: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        "<tr>" + "".join(_cell(c) for c in goal_cells(g)) + "</tr>" for g in goals if g["value"] is not None
    )
    head = "".join(f"<th>{h}</th>" for h in ("Goal", "target", "measured", "95 %", "met"))
    return f"<table><caption>Goals</caption><tr>{head}</tr>{rows}</table>"


def _cell(text: str) -> str:
    verdict = f' class="{text}"' if text in ("yes", "no") else ""
    return f"<td{verdict}>{html.escape(text)}</td>"


def _columns(caption: str, parts: Mapping[str, Any]) -> str:
    """A table with a column for each part and a row for each figure that any has."""
    head = "".join(f"<th>{html.escape(name)} ({part['scans']} scans)</th>" for name, part in parts.items())
    rows = []
    for label, path in _ROWS:
        found = [estimate_at(part, path) for part in parts.values()]
        if any(e is not None and e["value"] is not None for e in found):
            cells = "".join(f"<td>{_estimate(e)}</td>" for e in found)
            rows.append(f"<tr><td>{html.escape(label)}</td>{cells}</tr>")
    return f"<table><caption>{html.escape(caption)}</caption><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _estimate(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "-"
    interval = (
        ""
        if estimate["low"] is None
        else f" <small>({estimate['low']:.3f} to {estimate['high']:.3f})</small>"
    )
    return f"{estimate['value']:.3f}{interval}"
