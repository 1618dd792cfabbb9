"""Between the queue and the workers: hands out jobs, watches over them, and begins anew what died."""

import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from vertseg.errors import OutputError, VertsegError
from vertseg.report.writer import REPORT
from vertseg.serve.jobs import Job, JobStore, Status
from vertseg.serve.paths import Places
from vertseg.serve.settings import ServeSettings
from vertseg.serve.worker import Task, TensorTask, work

_LOG = logging.getLogger("vertseg.serve")
_POLL_S: Final = 0.05
_CANCEL_GRACE_S: Final = 5.0
_START_S: Final = 300.0
_STORAGE_PAUSE_S: Final = 5.0
_STORAGE_ATTEMPTS: Final = 20
_TENSOR_QUEUE: Final = 32


class WorkerDied(Exception):
    """The worker's process is gone."""


class OutOfTime(WorkerDied):
    """It had to be killed, for its job took too long."""


class Busy(Exception):
    """Too many tensors wait."""


@dataclass(frozen=True)
class Step:
    """How far a running job is."""

    stage: str
    done: int
    total: int


@dataclass
class _Worker:
    """A worker's process and this end of its pipe."""

    process: BaseProcess
    connection: Connection
    about: dict[str, Any] = field(default_factory=dict)


class Dispatcher:
    """Runs the jobs of a store on worker processes, one thread for each.

    Args:
        changed: called with a job's id, from another thread, whenever something about it changed.
    """

    def __init__(
        self, settings: ServeSettings, store: JobStore, places: Places, changed: Callable[[str], None]
    ) -> None:
        self._settings, self._store, self._places, self._changed = settings, store, places, changed
        self._steps: dict[str, Step] = {}
        self._cancelled: set[str] = set()
        self._tensors: deque[tuple[TensorTask, Future[dict[str, Any]]]] = deque()
        self._wake = threading.Condition()
        self._draining = self._settled = False
        self._ready: dict[int, dict[str, Any]] = {}
        self._threads: list[threading.Thread] = []
        self.failure: str | None = None
        self.restarts = 0

    def start(self) -> None:
        """Queue again what a killed server had begun, and start the workers."""
        for job in self._store.with_status("running"):
            if (self._places.results(job.id) / REPORT).exists():
                self._finish(job.id, "done")
            else:
                self._store.requeue(job.id, blamed=False)
        for index in range(self._settings.workers):
            thread = threading.Thread(target=self._run, args=(index,), name=f"worker-{index}")
            self._threads.append(thread)
            thread.start()

    def drain(self) -> None:
        """Begin no job any more; those that run go on."""
        with self._wake:
            self._draining = True
            self._wake.notify_all()

    def stop(self, wait_s: float) -> None:
        """Drain, and wait for running jobs; what is not done in time is queued for the next start."""
        self.drain()
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._settled = True
        for thread in self._threads:
            thread.join()
        while self._tensors:
            self._tensors.popleft()[1].set_exception(WorkerDied())

    @property
    def draining(self) -> bool:
        """Whether no job is begun any more."""
        return self._draining

    @property
    def about(self) -> dict[str, Any] | None:
        """What a ready worker says of its engine; None when none is ready."""
        return next(iter(self._ready.values()), None)

    def submitted(self) -> None:
        """Tell the workers that a job waits."""
        with self._wake:
            self._wake.notify()

    def step(self, job_id: str) -> Step | None:
        """How far a running job is."""
        return self._steps.get(job_id)

    def cancel(self, job_id: str) -> None:
        """End a job that waits at once, one that runs at its next step."""
        with self._wake:
            job = self._store.get(job_id)
            if job is not None and job.status == "running":
                self._cancelled.add(job_id)
                return
            ended = self._store.finish(job_id, "cancelled", "cancelled", "Cancelled.")
        if ended:
            self._places.remove_upload(job_id)
            self._changed(job_id)

    def tensors(self, task: TensorTask) -> "Future[dict[str, Any]]":
        """Run a network on tensors, before the jobs that wait.

        Raises:
            Busy: too many wait.
        """
        future: Future[dict[str, Any]] = Future()
        with self._wake:
            if len(self._tensors) >= _TENSOR_QUEUE or self._draining:
                raise Busy
            self._tensors.append((task, future))
            self._wake.notify()
        return future

    def _run(self, index: int) -> None:
        worker: _Worker | None = None
        try:
            while not self._draining:
                try:
                    if worker is None:
                        worker = self._opened(index)
                    self._one(worker)
                except WorkerDied:
                    self.restarts += 1
                    self._ready.pop(index, None)
                    if worker is not None:
                        _end(worker)
                    worker = None
                except OutputError as error:
                    _LOG.error("%s", error)
                    time.sleep(_STORAGE_PAUSE_S if not self._draining else 0)
                except VertsegError as error:
                    self.failure = str(error)
                    _LOG.error("no worker can be started: %s", error)
                    return
        finally:
            self._ready.pop(index, None)
            if worker is not None:
                _end(worker)

    def _opened(self, index: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(self._settings, theirs), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        until = time.monotonic() + _START_S
        try:
            while not ours.poll(_POLL_S):
                if self._settled or time.monotonic() > until:
                    raise WorkerDied
            answer = ours.recv()
        except (EOFError, OSError, WorkerDied) as error:
            _end(worker)
            raise WorkerDied from error
        if answer[0] == "failed":
            _end(worker)
            raise VertsegError(answer[2])
        worker.about = answer[1]
        self._ready[index] = answer[1]
        return worker

    def _one(self, worker: _Worker) -> None:
        """Hand the worker one task and see it through, or wait a little for one."""
        with self._wake:
            waiting = self._tensors.popleft() if self._tensors else None
            job = None if waiting or self._draining else self._store.begin()
            if waiting is None and job is None:
                self._wake.wait(1.0)
        if waiting is not None:
            self._run_tensors(worker, *waiting)
        elif job is not None:
            self._run_job(worker, job)
        elif not worker.process.is_alive():
            raise WorkerDied

    def _run_tensors(self, worker: _Worker, task: TensorTask, future: "Future[dict[str, Any]]") -> None:
        try:
            answer = self._exchange(worker, task, None)
        except WorkerDied:
            future.set_exception(WorkerDied())
            raise
        if answer[0] == "done":
            future.set_result(answer[1])
        else:
            future.set_exception(VertsegError(answer[2]))

    def _run_job(self, worker: _Worker, job: Job) -> None:
        self._changed(job.id)
        task = Task(self._places.job(job.id), job.scan, job.wishes)
        try:
            answer = self._exchange(worker, task, job.id)
        except OutOfTime:
            limit = self._settings.limits.job_s
            sentence = f"The job took longer than the {limit:g} s that this server allows."
            self._finish(job.id, "failed", "limit", sentence)
            raise
        except WorkerDied:
            if job.id in self._cancelled:
                self._finish(job.id, "cancelled", "cancelled", "Cancelled.")
            else:
                sentence = "The worker died on this scan each time; it may need more memory than there is."
                self._again(job, "worker", sentence, self._settings.limits.attempts)
            raise
        finally:
            self._steps.pop(job.id, None)
            self._cancelled.discard(job.id)
        if answer[0] == "done":
            self._finish(job.id, "done")
        elif answer[1] == "cancelled":
            self._finish(job.id, "cancelled", "cancelled", "Cancelled.")
        elif answer[1] == "storage":
            self._again(job, "storage", answer[2], _STORAGE_ATTEMPTS)
            raise OutputError(answer[2])
        else:
            self._finish(job.id, "failed", answer[1], answer[2])

    def _exchange(self, worker: _Worker, task: Task | TensorTask, job_id: str | None) -> tuple[Any, ...]:
        """The worker's last word on a task.

        Raises:
            WorkerDied: it died or had to be killed.
        """
        until = time.monotonic() + self._settings.limits.job_s
        cancel_until: float | None = None
        try:
            worker.connection.send(task)
            while True:
                if worker.connection.poll(_POLL_S):
                    answer = worker.connection.recv()
                    if answer[0] != "progress":
                        return tuple(answer)
                    if job_id is not None:
                        self._steps[job_id] = Step(*answer[1:])
                        self._changed(job_id)
                if job_id in self._cancelled and cancel_until is None:
                    cancel_until = time.monotonic() + _CANCEL_GRACE_S
                    worker.connection.send(None)
                if cancel_until is not None and time.monotonic() > cancel_until:
                    raise WorkerDied
                if time.monotonic() > until:
                    raise OutOfTime
                if self._settled:
                    raise WorkerDied
        except (EOFError, OSError) as error:
            raise WorkerDied from error

    def _again(self, job: Job, kind: str, sentence: str, attempts: int) -> None:
        """Put a job back into the queue, unless it has failed so often."""
        # A stop of the server is no fault of the scan.
        blamed = not self._settled
        if blamed and job.failures + 1 >= attempts:
            self._finish(job.id, "failed", kind, sentence)
            return
        self._persistently(lambda: self._store.requeue(job.id, blamed))
        self._changed(job.id)

    def _finish(self, job_id: str, status: Status, kind: str | None = None, error: str | None = None) -> None:
        self._persistently(lambda: self._store.finish(job_id, status, kind, error))
        self._places.remove_upload(job_id)
        self._changed(job_id)

    def _persistently(self, change: Callable[[], object]) -> None:
        """Make a change of the store, again and again while the disk is full; at a stop the next start does it."""
        while True:
            try:
                change()
                return
            except OutputError:
                if self._settled or self._draining:
                    raise
                time.sleep(_STORAGE_PAUSE_S)


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.kill()
    worker.process.join()
