"""Work on one vertebra after the other, shared by a few threads, its results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from vertseg.inference.engines.threads import cpu_threads

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_MOST = 4
"""Threads; most of such work is numpy's, outside Python's lock, but not all of it."""


def in_threads(work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
    """`map` by several threads; no more results than there are threads wait to be taken, which bounds memory."""
    threads = min(_MOST, cpu_threads(None))
    if threads == 1:
        yield from map(work, tasks)
        return
    remaining = iter(tasks)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_Result]] = deque(pool.submit(work, t) for t in islice(remaining, threads))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, t) for t in islice(remaining, 1))
            yield result
