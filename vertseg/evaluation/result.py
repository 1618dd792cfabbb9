"""`metrics.json`, `cases.csv` and `vertebrae.csv`: an evaluation as files."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import vertseg
from vertseg.evaluation.bootstrap import RESAMPLES, Resampling
from vertseg.evaluation.figures import Score, figures, spacing_class, strata
from vertseg.evaluation.goals import goal_rows
from vertseg.io.atomic import write_text
from vertseg.labels import FINDINGS, LEAK_OUTCOMES

SCHEMA_VERSION: Final = "1.0"
"""Raised in its second number when a key is added, in its first when one changes its meaning or goes."""

_STRUCTURES: Final = ("vertebra", "body", "posterior", "sacrum", *FINDINGS)
CASE_COLUMNS: Final = (
    "name", "patient", "set", "region", "spacing_class", "anchored", "vertebrae", "levels_right", "every_level_right",
    "invented", *(f"{s}_{m}" for s in _STRUCTURES for m in ("dice", "nsd", "hd95_mm", "truth_ml", "predicted_ml")),
    "seconds",
)  # fmt: skip
VERTEBRA_COLUMNS: Final = (
    "name", "patient", "set", "level", "named", "identified", "error_mm", "confidence", "dice", "nsd", "hd95_mm",
    "truth_ml", "predicted_ml", "height_loss", "lytic_dice", "lytic_truth_ml", "lytic_predicted_ml",
    *(f"leak_{o}" for o in LEAK_OUTCOMES), *(f"risk_{o}" for o in LEAK_OUTCOMES),
)  # fmt: skip


@dataclass(frozen=True)
class About:
    """What an evaluation was made of.

    Attributes:
        data: the index, or the seeds of phantoms.
        part: of the index; "phantoms" for rendered ones.
        checkpoints: by task, what each JSON says of itself.
        thresholds: probability from which a voxel belongs to a finding, by name.
        seen_in_training: the checkpoint learned from a scan of these, and that was allowed.
        unread: indices that the checkpoint learned from and that are no longer there to compare with.
        ceiling: AUROC of a perfect predictor by route, where one was given.
    """

    data: str
    part: str
    checkpoints: Mapping[str, Mapping[str, object]]
    thresholds: Mapping[str, float]
    seen_in_training: bool
    unread: tuple[str, ...] = ()
    ceiling: Mapping[str, float] | None = None


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of `metrics.json`."""
    text = files("vertseg.evaluation").joinpath("schema.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def metrics(
    scores: Sequence[Score], about: About, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """All figures with intervals, overall and by stratum, and the goals, as values for JSON."""
    resampling = Resampling.of([s["patient"] for s in scores], seed, resamples)
    overall = figures(scores, resampling)
    return {
        "schema_version": SCHEMA_VERSION,
        "vertseg": vertseg.__version__,
        "data": about.data,
        "part": about.part,
        "seen_in_training": about.seen_in_training,
        "not_compared": list(about.unread),
        "checkpoints": {task: dict(described) for task, described in about.checkpoints.items()},
        "thresholds": dict(about.thresholds),
        "bootstrap": {"resamples": resamples, "seed": seed, "by": "patient", "interval": 0.95},
        "overall": overall,
        "strata": strata(scores, resampling),
        "goals": goal_rows(overall, about.ceiling),
        "ceiling": None if about.ceiling is None else dict(about.ceiling),
    }


def write_result(result: Mapping[str, Any], scores: Sequence[Score], output: Path) -> None:
    """Write `metrics.json`, `cases.csv` and `vertebrae.csv`.

    Raises:
        OutputError: the file system refused.
    """
    write_text(output / "metrics.json", json.dumps(rounded(result), indent=1, allow_nan=False) + "\n")
    write_text(output / "cases.csv", csv_text(CASE_COLUMNS, [case_row(s) for s in scores]))
    rows = [vertebra_row(s, v) for s in scores for v in s["vertebrae"]]
    write_text(output / "vertebrae.csv", csv_text(VERTEBRA_COLUMNS, rows))


def rounded(value: Any) -> Any:
    """Numbers to five decimals, so that a file reads well and differs only where something did."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 5) if isinstance(value, float) else value


def case_row(s: Score) -> dict[str, Any]:
    """A scan's cells of `CASE_COLUMNS`."""
    flat = {f"{name}_{key}": value for name, f in s["structures"].items() for key, value in f.items()}
    return {
        **flat,
        "name": s["name"],
        "patient": s["patient"],
        "set": s["set"],
        "region": s["region"],
        "spacing_class": spacing_class(s["spacing_mm"]),
        "anchored": s["anchored"],
        "vertebrae": s["counted"],
        "levels_right": s["levels_right"],
        "every_level_right": s["every_level_right"],
        "invented": " ".join(s["invented"]),
        "seconds": sum(s["seconds"].values()),
    }


def vertebra_row(s: Score, v: Mapping[str, Any]) -> dict[str, Any]:
    """A vertebra's cells of `VERTEBRA_COLUMNS`."""
    lytic, leak = v["lytic_lesion"] or {}, v["leak"] or {}
    outcome, risk = leak.get("outcome") or {}, leak.get("risk") or {}
    return {
        **{name: s[name] for name in ("name", "patient", "set")},
        **{name: v[name] for name in VERTEBRA_COLUMNS if name in v},
        **{f"lytic_{key}": lytic.get(key) for key in ("dice", "truth_ml", "predicted_ml")},
        **{f"leak_{o}": outcome.get(o) for o in LEAK_OUTCOMES},
        **{f"risk_{o}": risk.get(o) for o in LEAK_OUTCOMES},
    }


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Comma-separated rows under a header line; what is not known is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if row.get(name) is None else rounded(row[name]) for name in columns})
    return out.getvalue()
