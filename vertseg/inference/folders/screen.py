"""What a run over many scans shows: a line for each scan, a bar on a terminal, and a summary at the end."""

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from vertseg.inference.folders.runner import Outcome


class Screen:
    """Follows the scans of a run; a context, because it owns the bar.

    Args:
        total: scans that are not finished yet.
        quiet: warnings and bad scans only.
        clock: seconds that only grow.
    """

    def __init__(self, total: int, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._total, self._quiet, self._clock = total, quiet, clock
        self._start, self._ended = clock(), 0
        self._console = Console(stderr=True)
        bar = not quiet and self._console.is_terminal
        self._bar: Any = Progress(
            TextColumn("scans"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.description}"), console=self._console, disable=not bar, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, outcome: Outcome) -> None:
        """A scan's line, and the time that is left."""
        self._ended += 1
        left = self.seconds_left()
        for warning in outcome.warnings:
            self._say(f"vertseg: warning: {outcome.name}: {warning}")
        if not self._quiet:
            self._say(f"{self._ended}/{self._total} {outcome.name}: {_told(outcome)}; {duration(left)} left")
        self._bar.update(self._task, completed=self._ended, description=f"{duration(left)} left")

    def seconds_left(self) -> float:
        """By the mean of the scans so far."""
        spent = self._clock() - self._start
        return spent / max(1, self._ended) * (self._total - self._ended)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def show_end(outcomes: Sequence[Outcome], skipped: int, seconds: float, quiet: bool) -> None:
    """The bad scans with their sentences on stderr, and one line of numbers on stdout.

    Args:
        outcomes: of the scans that were not finished before.
        skipped: how many were.
        seconds: that the run took.
        quiet: the bad ones only.
    """
    bad = [o for o in outcomes if o.kind == "bad"]
    for outcome in sorted(bad, key=lambda o: o.name):
        print(f"vertseg: bad: {outcome.name}: {outcome.sentence}", file=sys.stderr)
    if not quiet:
        print(end_line(outcomes, skipped, seconds))


def end_line(outcomes: Sequence[Outcome], skipped: int, seconds: float) -> str:
    """Such as "3 done, 2 skipped, 1 bad; 14.2 s a scan, 43 s in all"."""
    count = {kind: sum(o.kind == kind for o in outcomes) for kind in ("done", "skipped", "bad")}
    each = f"{seconds / count['done']:.1f} s a scan, " if count["done"] else ""
    return (
        f"{count['done']} done, {skipped + count['skipped']} skipped, {count['bad']} bad; {each}"
        f"{duration(seconds)} in all"
    )


def duration(seconds: float) -> str:
    """Such as "43 s", "12 min 5 s" or "3 h 20 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _told(outcome: Outcome) -> str:
    if outcome.kind == "bad":
        return "bad"
    if outcome.kind == "skipped":
        return "unchanged, skipped"
    number = outcome.vertebrae
    return f"{number} {'vertebra' if number == 1 else 'vertebrae'}, {outcome.seconds:.1f} s"
