"""`followup.json`, `followup.csv` and `followup.png`: what came of each injection, beside what was foreseen."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from vertseg.io.atomic import atomic_path, write_text
from vertseg.labels import LEAK_OUTCOMES, LEAK_ROUTE_NAMES
from vertseg.planning.cement_spread import COMPARTMENTS, LEAK_THRESHOLD_ML
from vertseg.planning.followup import FollowUp, TreatedVertebra
from vertseg.planning.followup_picture import draw_follow_up
from vertseg.planning.followup_scans import ExaminedScan
from vertseg.report.summary import LEAK_BASIS

SCHEMA_VERSION: Final = "1.0"
REPORT: Final = "followup.json"

COLUMNS: Final = (
    "level", "newly_treated", "cement_ml", "body_ml", "posterior_ml", "leaked_ml", "filled_share",
    "lesion_filled_share", *(f"{c}_ml" for c in COMPARTMENTS), "canal_narrowing_percent", "largest_reach_mm",
    *(f"leak_{r}" for r in LEAK_OUTCOMES), *(f"risk_{r}" for r in LEAK_OUTCOMES), "risk_confidence",
    "risk_abstained", "correlation", "overlap", "registered", "warnings",
)  # fmt: skip
"""Columns of `followup.csv`: leaks are 0 or 1, risks are those of the scan before the injection."""


def write_follow_up(found: FollowUp, folder: Path) -> None:
    """Write all three files, `followup.json` last; each appears whole or not at all.

    Raises:
        OutputError: the file system refused.
    """
    with atomic_path(folder / "followup.png") as partial:
        draw_follow_up(found, partial)
    write_text(folder / "followup.csv", csv_text(found))
    write_text(folder / REPORT, json.dumps(record(found), indent=2, allow_nan=False) + "\n")


def record(found: FollowUp) -> dict[str, Any]:
    """The follow-up as plain values that JSON can hold; what is not known is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "post": _scan(found.post),
        "pre": None if found.pre is None else _scan(found.pre),
        "vertebrae": [_vertebra(v) for v in found.vertebrae],
        "leak_threshold_ml": LEAK_THRESHOLD_ML,
        "leak_routes": LEAK_ROUTE_NAMES,
        "leak_basis": LEAK_BASIS,
        "warnings": list(found.warnings),
        "notice": "research use, not a medical device",
    }


def _scan(examined: ExaminedScan) -> dict[str, Any]:
    provenance = examined.findings.provenance
    return {
        "path": provenance.scan,
        "sha256": provenance.scan_sha256,
        "spacing_mm": [round(s, 4) for s in examined.scan.volume.grid.spacing_mm],
        "checkpoints": provenance.checkpoints,
        "versions": provenance.versions,
    }


def _vertebra(v: TreatedVertebra) -> dict[str, Any]:
    cement: dict[str, Any] = _rounded(asdict(v.cement))
    cement.pop("level")
    cement.pop("warnings")
    risk = None
    if v.before is not None:
        risk = {
            "probability": {r: round(p, 4) for r, p in v.before.leak.items()},
            "confidence": round(v.before.leak_confidence, 4),
            "abstained": v.before.leak_abstained,
        }
    registration = None
    if v.registration is not None:
        r = v.registration
        registration = {
            "matrix": [[round(float(c), 6) for c in row] for row in r.matrix],
            "rotation_deg": round(r.rotation_deg, 2),
            "shift_mm": round(r.shift_mm, 2),
            "correlation": round(r.correlation, 4),
            "overlap": round(r.dice, 4),
            "good": r.good,
        }
    return {
        "level": v.name,
        "level_number": v.level,
        "newly_treated": v.newly_treated,
        "cement_before_ml": round(v.cement_before_ml, 3),
        "cement": cement,
        "risk": risk,
        "registration": registration,
        "warnings": list(v.warnings),
    }


def csv_text(found: FollowUp) -> str:
    """Comma-separated rows under a header line; what is not known is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for vertebra in found.vertebrae:
        writer.writerow({k: "" if value is None else value for k, value in _row(vertebra).items()})
    return out.getvalue()


def _row(v: TreatedVertebra) -> dict[str, Any]:
    plain = _vertebra(v)
    cement, risk, fit = plain["cement"], plain["risk"] or {}, plain["registration"] or {}
    chances = risk.get("probability", {})
    return {
        "level": v.name,
        "newly_treated": int(v.newly_treated),
        **{name: value for name, value in cement.items() if name in COLUMNS},
        **{f"{c}_ml": ml for c, ml in cement["compartment_ml"].items()},
        "largest_reach_mm": max((k["reach_mm"] for k in cement["leaks"]), default=0.0),
        **{f"leak_{r}": int(cement["leak"][r]) for r in LEAK_OUTCOMES},
        **{f"risk_{r}": chances.get(r) for r in LEAK_OUTCOMES},
        "risk_confidence": risk.get("confidence"),
        "risk_abstained": None if not risk else int(risk["abstained"]),
        "correlation": fit.get("correlation"),
        "overlap": fit.get("overlap"),
        "registered": None if not fit else int(fit["good"]),
        "warnings": " ".join(plain["warnings"]),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
