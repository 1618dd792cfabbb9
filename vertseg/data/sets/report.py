"""What `vertseg prepare` found, as JSON and as a table on the terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vertseg import __version__
from vertseg.data.sets.conversion import PreparedCase
from vertseg.data.sets.found import Split
from vertseg.data.sets.problems import Problem, warning
from vertseg.data.sets.splits import Shares

if TYPE_CHECKING:
    from rich.console import Console

PARTS: Final[tuple[Split, ...]] = ("training", "validation", "test")
_SHOWN: Final = 20


@dataclass(frozen=True)
class Report:
    """A whole set.

    Attributes:
        set_name: of the data set.
        source: where it lies.
        shares: of the patients, and the seed.
        cases: all of them, usable or not.
        patients: by case.
        parts: by case, of the usable ones.
        leak_table: what is wrong with the leak table; empty too when none was given.
    """

    set_name: str
    source: Path
    shares: Shares
    cases: tuple[PreparedCase, ...]
    patients: Mapping[str, str]
    parts: Mapping[str, Split]
    leak_table: tuple[Problem, ...]

    @property
    def usable(self) -> list[PreparedCase]:
        """Cases of the index."""
        return [case for case in self.cases if case.usable]

    def problems(self) -> list[tuple[str, Problem]]:
        """Case and problem, errors first; those of the leak table have no case."""
        found = [("", problem) for problem in (*self.leak_table, *self._empty_parts())]
        found += [(case.case, problem) for case in self.cases for problem in case.problems]
        return sorted(found, key=lambda pair: pair[1].severity)

    def errors(self) -> list[tuple[str, Problem]]:
        """The errors among them."""
        return [pair for pair in self.problems() if pair[1].severity == "error"]

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        counts = Counter(problem.severity for _, problem in self.problems())
        return {
            "version": __version__,
            "set": self.set_name,
            "source": str(self.source.resolve()),
            "split": asdict(self.shares),
            "summary": {
                "cases": len(self.cases),
                "usable": len(self.usable),
                "errors": counts["error"],
                "warnings": counts["warning"],
                "parts": {part: self._part(part) for part in PARTS},
                "annotated": dict(Counter(name for case in self.usable for name in case.annotated)),
            },
            "leak_table": [problem.plain() for problem in self.leak_table],
            "cases": [self._case(case) for case in self.cases],
        }

    def _empty_parts(self) -> Iterator[Problem]:
        for part in ("training", "validation"):
            if self.usable and part not in self.parts.values():
                yield warning(
                    "split",
                    f"No patient is under {part}, and vertseg train needs one there; give more patients or other shares.",
                )

    def _part(self, part: Split) -> dict[str, int]:
        mine = [case for case, own in self.parts.items() if own == part]
        return {"cases": len(mine), "patients": len({self.patients[case] for case in mine})}

    def _case(self, case: PreparedCase) -> dict[str, Any]:
        return {
            "case": case.case,
            "patient": self.patients[case.case],
            "part": self.parts.get(case.case),
            "image": case.image,
            "shape": list(case.shape),
            "spacing_mm": list(case.spacing_mm),
            "levels": list(case.levels),
            "whole": list(case.whole),
            "problems": [problem.plain() for problem in case.problems],
        }


def print_report(report: Report, console: "Console") -> None:
    """The parts, how often each check found something, and the first sentences."""
    from rich.markup import escape
    from rich.table import Table

    parts = Table("part", "cases", "patients", title=f"{report.set_name}: {escape(str(report.source))}")
    summary = report.plain()["summary"]
    for name, counts in summary["parts"].items():
        parts.add_row(name, str(counts["cases"]), str(counts["patients"]))
    parts.add_row("left out", str(len(report.cases) - len(report.usable)), "")
    console.print(parts)
    console.print(
        "annotated: " + ", ".join(f"{name} {times}" for name, times in summary["annotated"].items())
    )
    found = report.problems()
    if not found:
        console.print("Nothing is wrong.")
        return
    kinds = Table("check", "severity", "times", title="what is wrong")
    for (severity, check), times in sorted(Counter((p.severity, p.check) for _, p in found).items()):
        kinds.add_row(check, severity, str(times))
    console.print(kinds)
    for case, problem in found[:_SHOWN]:
        place = f"{escape(case)}: " if case else ""
        console.print(
            f"{problem.severity}: {place}{escape(problem.sentence)}", highlight=False, soft_wrap=True
        )
    if len(found) > _SHOWN:
        console.print(f"... and {len(found) - _SHOWN} more in the report.")
