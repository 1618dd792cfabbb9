"""`vertebrae.csv`: one row per vertebra, and the same for the screen."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from vertseg.inference.findings import Findings, VertebraFindings
from vertseg.labels import LEAK_ROUTES

PLAN_COLUMNS = (
    "genant_grade", "collapse_shape", "height_loss_percent", "wedge_deg", "density_hu", "wall_defect_share",
    "canal_narrowing_percent", "sins_low", "sins_high", "cement_suggested_low_ml", "cement_suggested_high_ml",
    "corridor", "corridor_gauge", "corridor_canal_mm", "leaked_ml",
)  # fmt: skip
"""What `vertebrae.csv` repeats of a vertebra's planning; empty where it was not planned."""

COLUMNS = (
    "level", "confidence", "cut_by_field", "inferred", "centroid_x_mm", "centroid_y_mm", "centroid_z_mm", "volume_ml",
    "body_ml", "posterior_ml", "lytic_ml", "sclerotic_ml", "cement_ml", "lesion_share", "wall_defect_mm2",
    "height_anterior_mm", "height_middle_mm", "height_posterior_mm", "height_ratio",
    *(f"leak_{route}" for route in LEAK_ROUTES), "leak_any",
    "leak_confidence", "leak_abstained", *PLAN_COLUMNS,
)  # fmt: skip


def csv_text(content: Mapping[str, Any]) -> str:
    """Comma-separated rows of a `summary.report` under a header line; an unknown measure is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for vertebra in content["vertebrae"]:
        writer.writerow(_row(vertebra))
    return out.getvalue()


def _row(vertebra: dict[str, Any]) -> dict[str, Any]:
    x, y, z = vertebra["centroid_mm"]
    flat = {
        **vertebra,
        "centroid_x_mm": x,
        "centroid_y_mm": y,
        "centroid_z_mm": z,
        **{f"leak_{route}": p for route, p in vertebra["leak_probability"].items()},
        **_planned(vertebra["planning"]),
    }
    return {name: "" if flat[name] is None else flat[name] for name in COLUMNS}


def _planned(planning: dict[str, Any] | None) -> dict[str, Any]:
    if planning is None:
        return dict.fromkeys(PLAN_COLUMNS)
    suggested = (planning["cement"] or {}).get("suggested_ml") or (None, None)
    way = next((c for c in planning["corridors"] if c["feasible"]), None)
    values = (
        planning["collapse"]["genant_grade"], planning["collapse"]["shape"], planning["collapse"]["loss_percent"],
        planning["alignment"]["wedge_deg"], planning["density"]["mean_hu"], planning["wall"]["defect_share"],
        planning["canal"]["narrowing_percent"], planning["sins"]["low"], planning["sins"]["high"], *suggested,
        None if way is None else f"{way['kind']} {way['side']}", None if way is None else way["gauge"],
        None if way is None else way["clearance"]["canal_mm"], (planning["spread"] or {}).get("leaked_ml"),
    )  # fmt: skip
    return dict(zip(PLAN_COLUMNS, values, strict=True))


SCREEN_COLUMNS = (
    "level", "conf.", "body ml", "lytic ml", "lesion %", "wall mm2", "height mm", "leak %",
)  # fmt: skip


def screen_rows(findings: Findings) -> list[tuple[str, ...]]:
    """Cells of a table for a terminal, in the order of `SCREEN_COLUMNS`."""
    return [_screen_row(v) for v in findings.vertebrae]


def _screen_row(v: VertebraFindings) -> tuple[str, ...]:
    m = v.measures
    heights = (m.height_anterior_mm, m.height_middle_mm, m.height_posterior_mm)
    return (
        v.name + (" (cut)" if v.cut_by_field else "") + (" (gap)" if v.inferred else ""),
        f"{v.confidence:.2f}",
        f"{m.body_ml:.1f}",
        f"{m.lytic_ml:.1f}",
        "-" if m.lesion_share is None else f"{100 * m.lesion_share:.0f}",
        f"{m.wall_defect_mm2:.0f}",
        "/".join("-" if h is None else f"{h:.0f}" for h in heights),
        f"{100 * v.leak['any']:.0f}" + (" (abstained)" if v.leak_abstained else ""),
    )
