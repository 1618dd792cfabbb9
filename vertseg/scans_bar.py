"""The bar of commands that go through scans."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def scans_bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        TextColumn("scans"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), console=Console(stderr=True), disable=quiet,
    )  # fmt: skip
    task = bars.add_task("scans", total=None)
    with bars:
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=total > 0)
