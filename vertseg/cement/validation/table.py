"""The validation table: each published statistic beside the simulated one, inside its interval or not, and why."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vertseg.cement.validation.estimators import ESTIMATORS, Columns
from vertseg.cement.validation.published import FURTHER_ROWS, MAIN_ROWS, NOT_SIMULATED, Published
from vertseg.cement.validation.run import Treatment
from vertseg.cement.validation.statistics import Array, Estimate, Mask, by_patient

POPULATIONS: Final = ("osteoporotic", "metastatic")
ROUTES: Final = ("B", "S", "C", "D")

_Groups = Callable[[Columns], dict[str, Mask]]

GROUPS: Final[dict[str, _Groups]] = {
    "disruption": lambda c: {"disrupted": c.disrupted, "intact": ~c.disrupted},
    "viscosity": lambda c: {"low": c.viscosity == "low", "high": c.viscosity == "high"},
    "cleft": lambda c: {"cleft": c.cleft, "no cleft": ~c.cleft},
    "wall_defect": lambda c: {"wall defect": c.wall_defect, "wall whole": ~c.wall_defect},
    "collapse": lambda c: {"collapsed": c.collapsed, "not": ~c.collapsed},
    "pedicular": lambda c: {"one pedicle": c.unipedicular, "two": ~c.unipedicular},
    "endplate": lambda c: {"endplate broken": c.endplate, "whole": ~c.endplate},
    "volume": lambda c: {
        "smaller half": c.volume_ml <= np.median(c.volume_ml),
        "larger half": c.volume_ml > np.median(c.volume_ml),
    },
}
"""Part of a row's key -> the groups whose leaks explain it."""

MODEL_FACTS: Final = {
    "volume": "In the model the volume is set beforehand: no operator stops at a leak that shows.",
    "canal": "The simulated canal leak is counted in full; radiographs and coarse CT miss small ones.",
}
"""Part of a row's key -> what the model leaves out that bears on it."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        simulated: value with its 95 % interval by resampling patients.
        inside: the simulated value lies in the published interval; where only a direction is published, the
            whole simulated interval does.
        overlaps: the two intervals touch.
        why: for a row that is not inside, what the simulation did there.
    """

    published: Published
    simulated: Estimate
    inside: bool
    overlaps: bool
    why: str

    def as_json(self) -> dict[str, object]:
        """Plain numbers and words; an infinite or undefined number is null."""
        p, s = self.published, self.simulated
        return {
            "row": p.row or None, "key": p.key, "statistic": p.statistic, "measure": p.measure,
            "population": p.population,
            "published": {
                "value": p.value, "low": _finite(p.low), "high": _finite(p.high), "interval": p.interval,
                "vertebrae": p.vertebrae, "note": p.note, "verified": p.verified,
                "sources": [{"cite": q.cite, "identifier": q.identifier, "design": q.design} for q in p.sources],
            },
            "simulated": {"value": _finite(s.value), "low": _finite(s.low), "high": _finite(s.high), "n": s.n},
            "inside": self.inside, "intervals_overlap": self.overlaps, "why": self.why,
        }  # fmt: skip


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def build(rows: Sequence[Treatment], seed: int = 0, repeats: int = 1000) -> list[Row]:
    """The table of a treated cohort: the main rows, then the further ones.

    Args:
        rows: the cohort.
        seed: of the resampling.
        repeats: draws of the resampling.
    """
    columns = {name: Columns.of(rows, name) for name in POPULATIONS}
    published = (*MAIN_ROWS, *FURTHER_ROWS)
    simulated: dict[str, Estimate] = {}
    for name, cohort in columns.items():
        simulated |= _estimates(
            cohort, sorted({p.key for p in published if p.population == name}), (seed, repeats)
        )
    return [_row(p, simulated[p.key], columns[p.population]) for p in published]


def _estimates(columns: Columns, keys: Sequence[str], resampling: tuple[int, int]) -> dict[str, Estimate]:
    """Values of one population's rows, with intervals from the same draws for all."""

    def values(cohort: Columns) -> Array:
        return np.array([ESTIMATORS[key](cohort) for key in keys])

    n = len(columns.patient)
    found = values(columns)
    low = high = np.full(len(keys), math.nan)
    if n:
        low, high = by_patient(
            columns.patient.tolist(), lambda index: values(columns.take(index)), *resampling
        )
    return {key: Estimate(float(found[k]), float(low[k]), float(high[k]), n) for k, key in enumerate(keys)}


def _row(published: Published, simulated: Estimate, columns: Columns) -> Row:
    inside = is_inside(published, simulated)
    overlaps = bool(simulated.low <= published.high and published.low <= simulated.high)
    return Row(
        published, simulated, inside, overlaps, "" if inside else explain(published, simulated, columns)
    )


def is_inside(published: Published, simulated: Estimate) -> bool:
    """Whether the simulated value is in the published interval (its whole interval, for a direction)."""
    if published.value is None and math.isinf(published.high):
        return bool(simulated.low > published.low)
    return bool(published.low <= simulated.value <= published.high)


def explain(published: Published, simulated: Estimate, columns: Columns) -> str:
    """What the simulation did where a row misses: how far off, and the leaks by route of the groups compared."""
    if not math.isfinite(simulated.value):
        return "Undefined in this cohort: a group is empty or has no leak."
    high = simulated.value > published.high
    bound = published.high if high else published.low
    side = "above" if high else "below"
    gap = f"{abs(simulated.value - bound):.2f} {side} the published interval"
    parts = [f"{gap}{', within the simulated uncertainty' if simulated.covers(bound) else ''}."]
    groups = next((g for part, g in GROUPS.items() if part in published.key), None)
    parts.append(by_route(columns, groups(columns) if groups else {"all": columns.any | ~columns.any}))
    parts.extend(fact for part, fact in MODEL_FACTS.items() if part in published.key)
    return " ".join(parts)


def by_route(columns: Columns, groups: dict[str, Mask]) -> str:
    """Leak rates by route of groups, and the route that tells two of them apart."""
    told, rates = [], []
    for name, group in groups.items():
        values = [100 * float(getattr(columns, r)[group].mean()) if group.any() else math.nan for r in ROUTES]
        rates.append(values)
        shares = ", ".join(f"{r} {v:.0f}" for r, v in zip(ROUTES, values, strict=True))
        told.append(f"{name} (n = {int(group.sum())}) {shares} %")
    text = f"Leaks by route: {'; '.join(told)}."
    if len(rates) == 2:
        steps = [a - b for a, b in zip(*rates, strict=True)]
        k = max(range(len(steps)), key=lambda i: abs(steps[i]) if math.isfinite(steps[i]) else -1.0)
        text += f" Largest difference: {ROUTES[k]}, {steps[k]:+.0f} points."
    return text


def score(rows: Iterable[Row]) -> tuple[int, int]:
    """How many of the main rows are inside, and how many there are."""
    asked = [row for row in rows if row.published.row]
    return sum(row.inside for row in asked), len(asked)


def _number(value: float | None, measure: str) -> str:
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf"
    return f"{100 * value:.1f} %" if measure == "rate" else f"{value:.2f}"


def _interval(value: float | None, low: float, high: float, measure: str) -> str:
    ends = [_number(low, measure).removesuffix(" %"), _number(high, measure).removesuffix(" %")]
    return f"{_number(value, measure)} ({ends[0]} to {ends[1]})"


def markdown(rows: Sequence[Row], title: str) -> str:
    """The table as Markdown: main rows, further rows, misses, what was not simulated, sources."""
    inside, asked = score(rows)
    lines = [
        f"# {title}", "",
        f"{inside} of {asked} rows inside the published interval. Simulated: value and 95 % interval by resampling "
        "patients. Inside: the simulated value lies in the published interval (a direction: the whole simulated "
        "interval does).",
    ]  # fmt: skip
    for heading, chosen in (
        ("Main rows", [r for r in rows if r.published.row]),
        ("Further published statistics", [r for r in rows if not r.published.row]),
    ):
        lines += ["", f"## {heading}", "", "| | statistic | population | simulated | published | inside | source |",
                  "|---|---|---|---|---|---|---|"]  # fmt: skip
        lines += [_line(i + 1, row) for i, row in enumerate(chosen)]
    misses = [row for row in rows if not row.inside]
    lines += ["", "## Outside, and what the simulation did there", ""]
    lines += [
        f"- **{row.published.statistic}** ({row.published.population}): {row.why}" for row in misses
    ] or ["None."]
    lines += ["", "## Published, not compared", ""]
    for p in NOT_SIMULATED:
        told = _interval(p.value, p.low, p.high, p.measure)
        lines.append(
            f"- {p.statistic}: {told}, {p.sources[0].cite} ({p.sources[0].identifier}). {p.note}".rstrip()
        )
    lines += ["", "## Sources and how they were read", ""]
    sources = {s.cite: s for r in rows for s in r.published.sources}
    lines += [f"- {s.cite}; {s.identifier}. {s.design}. Read: {s.read}." for s in sources.values()]
    return "\n".join(lines) + "\n"


def _line(number: int, row: Row) -> str:
    p, s = row.published, row.simulated
    simulated = _interval(s.value, s.low, s.high, p.measure)
    published = _interval(p.value, p.low, p.high, p.measure)
    kind = "" if p.interval.startswith("95 %") else f" [{p.interval}]"
    cites = "; ".join(source.cite for source in p.sources)
    verdict = "yes" if row.inside else "no"
    return f"| {number} | {p.measure}: {p.statistic} | {p.population} | {simulated} | {published}{kind} | {verdict} | {cites} |"
