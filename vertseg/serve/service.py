"""One server's state, and what all its faces do with it: accept a scan, wait for a job, give results, forget."""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import time
from collections import deque
from pathlib import Path
from typing import IO, Any, Final

from fastapi import HTTPException, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from vertseg.errors import OutputError
from vertseg.io.atomic import output_error
from vertseg.report.writer import REPORT
from vertseg.serve.audit import Audit
from vertseg.serve.dispatcher import Dispatcher
from vertseg.serve.jobs import FINISHED, Full, Image, Job, JobStore
from vertseg.serve.metrics import Metrics
from vertseg.serve.paths import Places
from vertseg.serve.settings import ServeSettings
from vertseg.serve.uploads import check_upload, copied, kind_of
from vertseg.serve.watch import Watch
from vertseg.serve.wishes import Wishes

_FIRST_GUESS_S: Final = 5.0
_LONGEST_RETRY_S: Final = 120.0
_SWEEP_S: Final = 20.0
_LOOK_S: Final = 1.0
_STATUS_OF: Final = {"input": 422, "limit": 504, "storage": 507, "worker": 500, "cancelled": 409}


class Service:
    """Everything that the routes of one server share.

    Raises:
        OutputError: the folder cannot be written.
        ConfigError: another server uses it.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.places = Places(settings.folder)
        self.store = JobStore(self.places.store)
        folders = {self.image_path(image).parent for image in self.store.images()}
        self.places.remove_strangers(folders | {self.places.job(job_id) for job_id in self.store.ids()})
        self.audit = Audit(self.places.audit)
        self.watch = Watch()
        self.dispatcher = Dispatcher(settings, self.store, self.places, self._changed)
        self.metrics = Metrics(self.store.waiting, lambda: float(self.dispatcher.about is not None))
        self._took: deque[float] = deque(maxlen=20)
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what an earlier server left, and start the workers."""
        self.watch.bind()
        await run_in_threadpool(self.dispatcher.start)
        self._sweeper = asyncio.create_task(self._sweep())
        self.audit.write("start", waiting=self.store.waiting())

    async def stop(self) -> None:
        """Let running jobs end, within `drain_s`, and close."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await run_in_threadpool(self.dispatcher.stop, self.settings.limits.drain_s)
        self.audit.write("stop", waiting=self.store.waiting())
        self.store.close()
        self.places.release()

    def drain(self) -> None:
        """Begin no job any more, and let those who wait know."""
        self.dispatcher.drain()
        self.watch.everyone()

    def closed(self) -> tuple[int, float, str] | None:
        """Why no job can be accepted now: status, seconds after which to try again, sentence; None when one can."""
        if self.dispatcher.draining:
            return 503, _FIRST_GUESS_S, "The server is being stopped; try again when it is back."
        waiting = self.store.waiting()
        if waiting >= self.settings.limits.queue:
            return self._full(waiting)
        return None

    def _full(self, waiting: int) -> tuple[int, float, str]:
        return 429, self.retry_s(waiting), f"The queue is full ({waiting} jobs); try again later."

    def retry_s(self, waiting: int) -> float:
        """Seconds until, by the last jobs' times, a quarter of the queue should be free."""
        mean = sum(self._took) / len(self._took) if self._took else _FIRST_GUESS_S
        return min(_LONGEST_RETRY_S, max(1.0, mean * max(1, waiting / 4) / self.settings.workers))

    async def accept(
        self, source: UploadFile | Path, wishes: Wishes, client: str, key: str | None = None
    ) -> Job:
        """Put a scan into the queue; the job, which from now on survives whatever happens.

        Args:
            source: an upload, or an image that is here already.
            wishes: what is asked of the prediction.
            client: address, for the audit log.
            key: a client's own name for its request: sent again, it gives the same job again.

        Raises:
            HTTPException: 429, the queue is full.
            InputError: the scan cannot be used.
            OutputError: the disk is full or read-only.
        """
        digest = hashlib.sha256(key.encode()).hexdigest() if key else None
        stream: IO[bytes] | Path = source if isinstance(source, Path) else source.file
        try:
            job = await run_in_threadpool(self._accept, stream, wishes, digest)
        except Full:
            status, wait_s, sentence = self._full(self.store.waiting())
            raise HTTPException(status, sentence, {"retry-after": str(round(wait_s + 0.5))}) from None
        self.audit.write("accepted", client, job=job.id)
        self.dispatcher.submitted()
        return job

    def _accept(self, source: IO[bytes] | Path, wishes: Wishes, digest: str | None) -> Job:
        if digest is not None and (before := self.store.with_key(digest)) is not None:
            return self.job(before)
        job_id = secrets.token_hex(16)
        folder = self.places.job(job_id)
        try:
            path = self._kept(source, folder)
            kept = self.store.add(job_id, path.name, wishes, digest, self.settings.limits.queue)
        except BaseException:
            self.places.remove_job(job_id)
            raise
        if kept != job_id:
            self.places.remove_job(job_id)
        return self.job(kept)

    def _kept(self, source: IO[bytes] | Path, folder: Path) -> Path:
        """The scan in its folder, looked at, named after its format and on the disk."""
        try:
            folder.mkdir(mode=0o700)
            raw = folder / "upload"
            if isinstance(source, Path):
                os.link(source, raw)
            else:
                copied(source, raw)
            kind = kind_of(raw)
            check_upload(raw, kind, self.settings.limits)
            path = raw.rename(folder / f"scan{kind}")
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            return path
        except OSError as error:
            raise OutputError(str(output_error("the upload", error))) from error

    async def keep_image(self, source: UploadFile, image_id: str, kind: str) -> None:
        """Keep an image for later jobs.

        Raises:
            InputError: it cannot be used.
            OutputError: the disk is full or read-only.
        """
        await run_in_threadpool(self._keep_image, source.file, image_id, kind)

    def _keep_image(self, source: IO[bytes], image_id: str, kind: str) -> None:
        folder = self.places.images / secrets.token_hex(16)
        try:
            path = self._kept(source, folder)
            before = self.store.add_image(Image(image_id, kind, f"{folder.name}/{path.name}", time.time()))
        except BaseException:
            self.places.remove_tree(folder)
            raise
        # Only now: an upload that is refused must not take the image before it along.
        if before is not None:
            self.places.remove_tree(self.image_path(before).parent)

    def image_path(self, image: Image) -> Path:
        """Where an image lies."""
        return self.places.images / image.file

    def remove_image(self, image: Image) -> None:
        """Forget an image and remove its file."""
        self.store.forget_image(image.id)
        self.places.remove_tree(self.image_path(image).parent)

    def job(self, job_id: str) -> Job:
        """The job of an id.

        Raises:
            HTTPException: 404, there is none.
        """
        job = self.store.get(job_id)
        if job is None:
            raise HTTPException(404, "There is no such job; it may have been removed after its time.")
        return job

    def done(self, job_id: str) -> Job:
        """The job of an id, which is done.

        Raises:
            HTTPException: 404, there is none; 409, it is not done.
        """
        job = self.job(job_id)
        if job.status in ("queued", "running"):
            raise HTTPException(409, f"The job is {job.status}; its results are there when it is done.")
        if job.status != "done":
            raise HTTPException(409, f"The job has no results: it {_ended(job)}.")
        return job

    async def predicted(self, source: UploadFile | Path, wishes: Wishes, request: Request) -> Job:
        """`accept`, and wait until the job is done; a client that goes away cancels it.

        Raises:
            HTTPException: as `accept`; 503, the server is being stopped first, or the client went away; the status of
                its kind, the job failed.
        """
        job = await self._finished(await self.accept(source, wishes, client_of(request)), request)
        if job.status != "done":
            raise HTTPException(
                _STATUS_OF.get(job.error_kind or "", 500), job.error or "The job was cancelled."
            )
        return job

    async def _finished(self, job: Job, request: Request) -> Job:
        async with self.watch.of(job.id) as event:
            while True:
                event.clear()
                job = self.job(job.id)
                if job.status in FINISHED:
                    return job
                if self.dispatcher.draining and job.status == "queued":
                    raise HTTPException(
                        503, f"The server is being stopped; job {job.id} goes on when it is back."
                    )
                if await request.is_disconnected():
                    await run_in_threadpool(self.dispatcher.cancel, job.id)
                    raise HTTPException(503, "The client went away.")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), _LOOK_S)

    def report(self, job_id: str) -> dict[str, Any]:
        """The report of a job that is done."""
        report: dict[str, Any] = json.loads(
            (self.places.results(job_id) / REPORT).read_text(encoding="utf-8")
        )
        return report

    def forget(self, job_id: str) -> None:
        """Remove a job that has ended, with its results."""
        self.store.forget(job_id)
        self.places.remove_job(job_id)

    def seen(self, event: str, client: str, **values: Any) -> None:
        """Note what the guard saw."""
        if event == "answer":
            self.metrics.requests.labels(values["method"], values["route"], values["status"]).inc()
            return
        self.metrics.refused.labels(values["reason"]).inc()
        self.audit.write(event, client, **values)

    def _changed(self, job_id: str) -> None:
        job = self.store.get(job_id)
        if job is not None and job.status in FINISHED and job.finished is not None:
            # The clock may have jumped between the two.
            seconds = max(0.0, job.finished - job.created)
            if job.status == "done" and job.started is not None:
                self._took.append(max(0.0, job.finished - job.started))
            self.metrics.jobs.labels(job.status).inc()
            self.metrics.job_seconds.observe(seconds)
            self.audit.write("ended", job=job.id, status=job.status, error=job.error_kind)
        self.watch.changed(job_id)

    async def _sweep(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            with contextlib.suppress(OutputError):
                await run_in_threadpool(self.sweep, now - last)
                last = now

    def sweep(self, seconds: float) -> None:
        """Let everything grow older by some seconds, and remove what has been kept long enough."""
        limits = self.settings.limits
        jobs, images = self.store.age(seconds, limits.keep_h * 3600, limits.upload_h * 3600)
        for job_id in jobs:
            self.forget(job_id)
            self.audit.write("expired", job=job_id)
        for image in images:
            self.remove_image(image)
            self.audit.write("expired_image")


def client_of(request: Request) -> str:
    """Address of who asks, for the audit log."""
    return request.client.host if request.client else "-"


def _ended(job: Job) -> str:
    return "was cancelled" if job.status == "cancelled" else f"failed. {job.error or ''}".strip().rstrip(".")
