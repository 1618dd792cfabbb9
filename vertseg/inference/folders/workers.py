"""Several processes that share the scans of a folder; each has its own engine and, where there are some, its own GPU.

The parent gives out one scan at a time, on request, so it knows what a process held when it ended. What the system
ended (as when memory runs out) is tried once more, alone in its process; ended again, it is that scan's fault.
"""

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final

from vertseg.errors import DeviceError, VertsegError
from vertseg.inference.engines import open_engine
from vertseg.inference.engines.threads import cpu_threads
from vertseg.inference.folders.discovery import FoundScan
from vertseg.inference.folders.runner import Job, Outcome, run_scans

_NEXT: Final = "next"
_ATTEMPTS: Final = 2
_PATIENCE_S: Final = 30.0
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
# Asked first, because torch, which counts the GPUs, takes seconds to import.
_DRIVERS: Final = ("/dev/nvidiactl", "/dev/dxg")


@dataclass(eq=False)
class _Worker:
    """A process, the parent's ends of its pipes, and what it was given and has not told the outcome of."""

    number: int
    process: SpawnProcess
    talk: Connection
    life: Connection
    held: list[FoundScan] = field(default_factory=list)
    waits: bool = False


def run_in_processes(scans: Sequence[FoundScan], job: Job, workers: int) -> Iterator[Outcome]:
    """What becomes of each scan, as it is known, in the order in which they end.

    CPU threads are divided among the processes. On CUDA, each sees one GPU, in turns.

    Raises:
        VertsegError: the engine cannot be opened, or a result could not be written; the others stop too.
        DeviceError: the system ended a process before it had a scan.
    """
    crew = _Crew(scans, job, min(workers, len(scans)))
    try:
        yield from crew.outcomes()
    finally:
        crew.dismiss()


class _Crew:
    def __init__(self, scans: Sequence[FoundScan], job: Job, workers: int) -> None:
        threads = max(1, cpu_threads(job.options.threads) // workers)
        self._job = replace(job, options=replace(job.options, threads=threads))
        self._gpus = visible_gpus() if job.options.device != "cpu" else []
        self._todo = deque(scans)
        self._left = len(scans)
        self._ended: Counter[str] = Counter()
        self._workers = [self._hire(number) for number in range(workers)]

    def outcomes(self) -> Iterator[Outcome]:
        while self._left:
            ready = wait([end for w in self._workers for end in (w.talk, w.process.sentinel)])
            for worker in [w for w in self._workers if w.talk in ready or w.process.sentinel in ready]:
                for outcome in self._heard(worker):
                    self._left -= 1
                    yield outcome
            self._give_out()

    def dismiss(self) -> None:
        """End the processes; each cleans up what it was writing."""
        for worker in self._workers:
            worker.talk.close()
            worker.life.close()
        for worker in self._workers:
            worker.process.join(_PATIENCE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _hire(self, number: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        talk, his_talk = context.Pipe()
        his_life, life = context.Pipe(duplex=False)
        gpu = self._gpus[number % len(self._gpus)] if self._gpus else None
        process = context.Process(target=_work, args=(self._job, gpu, his_talk, his_life), daemon=True)
        process.start()
        his_talk.close()
        his_life.close()
        return _Worker(number, process, talk, life)

    def _heard(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            while worker.talk.poll():
                message: Any = worker.talk.recv()
                if isinstance(message, VertsegError):
                    raise message
                if message == _NEXT:
                    worker.waits = True
                else:
                    worker.held = [s for s in worker.held if s.name != message.name]
                    yield message
        except (EOFError, ConnectionError):
            yield from self._bury(worker)

    def _bury(self, worker: _Worker) -> Iterator[Outcome]:
        """Take over what an ended process held, and put another in its place."""
        worker.process.join()
        worker.talk.close()
        worker.life.close()
        self._workers.remove(worker)
        if not worker.held:
            raise DeviceError(
                f"A worker ended before it had a scan (exit status {worker.process.exitcode}), as when memory runs out; "
                "run the same command again with fewer --workers."
            )
        for scan in worker.held:
            self._ended[scan.name] += 1
            if self._ended[scan.name] < _ATTEMPTS:
                self._todo.append(scan)
            else:
                yield Outcome(
                    scan.name, "bad",
                    sentence=f"'{scan.path}' could not be predicted: the system ended the process that worked on it, "
                    "twice, as when memory runs out; try it alone, on a machine with more memory.",
                )  # fmt: skip
        if self._todo:
            self._workers.append(self._hire(worker.number))

    def _give_out(self) -> None:
        for worker in self._workers:
            if not (worker.waits and self._todo):
                continue
            alone = self._ended[self._todo[0].name] or any(self._ended[s.name] for s in worker.held)
            if worker.held and alone:
                continue
            scan = self._todo.popleft()
            worker.held.append(scan)
            worker.waits = False
            try:
                worker.talk.send(scan)
            except ConnectionError:
                # It has ended; that is heard, and told, at the other end of the pipe.
                continue


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES is to be for one GPU each; empty where there is at most one, or no torch."""
    if not any(Path(driver).exists() for driver in _DRIVERS):
        return []
    chosen = os.environ.get(_VISIBLE)
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",") if name.strip()]
    else:
        try:
            import torch
        except ModuleNotFoundError:
            return []
        names = [str(i) for i in range(torch.cuda.device_count())]
    return names if len(names) > 1 else []


def _work(job: Job, gpu: str | None, talk: Connection, life: Connection) -> None:
    """A worker's whole life: it ends when there is no scan left, or when the parent lets go of `life`."""
    if gpu is not None:
        os.environ[_VISIBLE] = gpu
    # Ctrl-C is the parent's affair; being told to end raises, so that nothing half-written stays.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with, args=(life,), daemon=True).start()
    sending = threading.Lock()

    def send(message: object) -> None:
        with sending:
            talk.send(message)

    def asked_for() -> Iterator[FoundScan]:
        while True:
            send(_NEXT)
            yield talk.recv()

    try:
        options = job.options
        engine = open_engine(options.engine, options.checkpoint_dir, options.device, options.threads)
        for outcome in run_scans(asked_for(), engine, job):
            send(outcome)
    except VertsegError as error:
        send(error)
    except (EOFError, ConnectionError):
        return


def _leave(*_: object) -> None:
    raise SystemExit(1)


def _leave_with(life: Connection) -> None:
    # Nothing is ever sent: the pipe has something to read when it was closed, be it by the parent's death.
    life.poll(None)
    os.kill(os.getpid(), signal.SIGTERM)
