"""`report.json`: what was found, with units in the names and a version of its schema."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import Findings, VertebraFindings
from vertseg.labels import LEAK_ROUTE_NAMES, level_code, level_name
from vertseg.report.planning_values import planning_values

if TYPE_CHECKING:
    from vertseg.planning.plan import VertebraPlan

SCHEMA_VERSION: Final = "1.2"
"""Raised in its second number when a key is added, in its first when one changes its meaning or goes."""

_PIECE: Final = 1 << 16

LEAK_BASIS: Final = "provisional: learned from simulated injections into rendered phantoms, not from patients; not for clinical use"


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the report."""
    text = files("vertseg.report").joinpath("schema.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def report(findings: Findings, plans: "Sequence[VertebraPlan]" = ()) -> dict[str, Any]:
    """The report as plain values that JSON can hold; absent measures are null.

    Args:
        findings: of one scan.
        plans: of its vertebrae; the `planning` of a vertebra without one is null.
    """
    provenance = findings.provenance
    planned = {plan.level: planning_values(plan) for plan in plans}
    return {
        "schema_version": SCHEMA_VERSION,
        "input": {
            "path": provenance.scan,
            "sha256": provenance.scan_sha256,
            "shape": list(findings.levels.grid.shape),
            "spacing_mm": [round(s, 4) for s in findings.levels.grid.spacing_mm],
            "description": provenance.description,
        },
        "vertebrae": [{**_vertebra(v), "planning": planned.get(v.level)} for v in findings.vertebrae],
        "other_levels": _other_levels(findings),
        "leak_basis": LEAK_BASIS,
        "leak_routes": LEAK_ROUTE_NAMES,
        "warnings": list(findings.warnings),
        "checkpoints": provenance.checkpoints,
        "versions": provenance.versions,
        "device": provenance.device,
        "engine": provenance.engine,
        "seconds": {stage: round(s, 3) for stage, s in findings.seconds.items()},
    }


def report_text(content: Mapping[str, Any]) -> str:
    """A `report` as JSON text."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _other_levels(findings: Findings) -> list[str]:
    known = {0, *(v.level for v in findings.vertebrae)}
    return [level_name(n) for n in sorted(_numbers(findings.levels.array) - known)]


def _numbers(labels: NDArray[np.uint8]) -> set[int]:
    """Which numbers occur; a piece at a time, as most of a scan is zeros, and those are soon seen."""
    flat = labels.ravel(order="K")
    pieces = (flat[start : start + _PIECE] for start in range(0, flat.size, _PIECE))
    counts = np.zeros(256, dtype=np.int64)
    for piece in pieces:
        if piece.max(initial=0):
            counts += np.bincount(piece, minlength=256)
    return {int(n) for n in np.flatnonzero(counts)}


def _vertebra(v: VertebraFindings) -> dict[str, Any]:
    code = level_code(v.level)
    m = v.measures
    return {
        "level": v.name,
        "level_number": v.level,
        "code": {"scheme": code.scheme, "value": code.value, "meaning": code.meaning},
        "confidence": round(v.confidence, 4),
        "cut_by_field": v.cut_by_field,
        "inferred": v.inferred,
        "centroid_mm": [round(c, 2) for c in v.centroid_mm],
        "axes": {
            name: [round(float(c), 4) for c in v.axes[:, i]]
            for i, name in enumerate(("right", "anterior", "up"))
        },
        "volume_ml": _rounded(m.volume_ml),
        "body_ml": _rounded(m.body_ml),
        "posterior_ml": _rounded(m.posterior_ml),
        "lytic_ml": _rounded(m.lytic_ml),
        "sclerotic_ml": _rounded(m.sclerotic_ml),
        "cement_ml": _rounded(m.cement_ml),
        "lesion_share": _rounded(m.lesion_share, 4),
        "wall_defect_mm2": _rounded(m.wall_defect_mm2, 1),
        "height_anterior_mm": _rounded(m.height_anterior_mm, 1),
        "height_middle_mm": _rounded(m.height_middle_mm, 1),
        "height_posterior_mm": _rounded(m.height_posterior_mm, 1),
        "height_ratio": _rounded(m.height_ratio, 3),
        "leak_probability": {route: round(p, 4) for route, p in v.leak.items()},
        "leak_confidence": round(v.leak_confidence, 4),
        "leak_abstained": v.leak_abstained,
    }


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
