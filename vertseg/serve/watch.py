"""Waiting for a job to change, for as many clients as wish."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Watch:
    """Wakes those who wait for a job; `changed` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def bind(self) -> None:
        """Take the running event loop as the one that clients wait in."""
        self._loop = asyncio.get_running_loop()

    def changed(self, job_id: str) -> None:
        """Wake those who wait for a job."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._set, job_id)

    def everyone(self) -> None:
        """Wake all, for the server stops."""
        for job_id in list(self._waiting):
            self.changed(job_id)

    @asynccontextmanager
    async def of(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever the job changes; clear it before looking."""
        event = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            others = self._waiting[job_id]
            others.discard(event)
            if not others:
                del self._waiting[job_id]

    def _set(self, job_id: str) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()
