"""How many CPU threads an engine takes."""

import os


def cpu_threads(asked: int | None) -> int:
    """The asked number, or as many as this process may use; runtimes' own choice leaves half of them idle."""
    if asked is not None:
        return asked
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)
