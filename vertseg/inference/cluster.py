"""`vertseg cluster predict`: a folder of scans over the nodes of a Ray cluster.

Every node must see the folder of scans and the output under the same paths (a shared file system). A worker is one
process with one engine; what it finished is told by the same `finished.json` as on one machine, so a run that is
given again, or a scan whose node died after the last file was written, is not done a second time.
"""

import argparse
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from vertseg.cli import add_report_arguments, parse_levels
from vertseg.errors import ConfigError, DeviceError, VertsegError
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.folders.command import predict_folder
from vertseg.inference.folders.discovery import FoundScan, find_scans
from vertseg.inference.folders.runner import Job, Outcome, run_scans
from vertseg.inference.options import Plan, PredictOptions
from vertseg.report.writer import check_output

ATTEMPTS: Final = 3
"""Workers that may die over one scan before it is called bad."""

Opened = Callable[[], Engine]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg cluster`."""
    parser.add_argument("action", choices=("predict",))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="scans and series; all nodes see it")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="all nodes see it too")
    parser.add_argument(
        "--address", default="auto", help="of the Ray cluster; auto is the one that runs here"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="as many as the cluster has room for")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPUs of one worker")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="cuda: one GPU a worker"
    )
    parser.add_argument("--engine", default="auto", metavar="E")
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR")
    parser.add_argument("--levels", metavar="L1,L2")
    parser.add_argument("--match", metavar="GLOB", help="only scans whose name is like this")
    parser.add_argument("--quiet", action="store_true")
    add_report_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict what is not finished; 0, or 2 when there were bad scans.

    Raises:
        VertsegError: an option or the cluster cannot be used, or a result could not be written.
    """
    if arguments.threads < 1 or (arguments.workers is not None and arguments.workers < 1):
        raise ConfigError("--threads and --workers must be at least 1.")
    ray = _ray()
    check_output(arguments.output)
    options = PredictOptions(
        levels=parse_levels(arguments.levels),
        plan=Plan(),
        device=arguments.device,
        engine=arguments.engine,
        checkpoint_dir=arguments.checkpoint_dir,
        threads=arguments.threads,
    )
    scans = find_scans(arguments.folder.resolve(), arguments.output.resolve(), arguments.match, None)
    arguments.output, arguments.shard = arguments.output.resolve(), None
    opened = partial(open_engine, options.engine, options.checkpoint_dir, options.device, options.threads)
    try:
        ray.init(
            address=arguments.address, logging_level="ERROR", log_to_driver=False, ignore_reinit_error=True
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"No Ray cluster answers at '{arguments.address}' ({' '.join(str(error).split())[:150]}); start one with "
            "ray start --head, or give its address."
        ) from error
    room = {"CPU": float(arguments.threads), **({"GPU": 1.0} if arguments.device == "cuda" else {})}

    def runner(todo: list[FoundScan], job: Job) -> Iterator[Outcome]:
        return run_on_ray(todo, job, opened, room, arguments.workers)

    return predict_folder(scans, arguments, options, opened, runner)


def run_on_ray(
    scans: Sequence[FoundScan],
    job: Job,
    opened: Opened,
    room: dict[str, float],
    workers: int | None = None,
) -> Iterator[Outcome]:
    """What becomes of each scan, as it is known; Ray is initialised already.

    A scan whose worker or node dies goes to another worker, up to three times.

    Args:
        scans: to predict.
        job: what is done.
        opened: opens a worker's engine, in the worker.
        room: what one worker takes, "CPU" and perhaps "GPU".
        workers: how many; None takes all that the cluster has room for.

    Raises:
        DeviceError: no node has room for a worker.
        VertsegError: an error that every scan would meet.
    """
    ray = _ray()
    remote = ray.remote(num_cpus=room["CPU"], num_gpus=room.get("GPU", 0.0), max_restarts=0)(_Worker)
    hire = remote.options(scheduling_strategy="SPREAD").remote
    todo, died = deque(scans), Counter[str]()
    busy: dict[Any, tuple[Any, FoundScan]] = {}
    idle: list[Any] = []
    while todo or busy:
        wanted = min(len(todo) + len(busy), workers or _places(ray, room))
        if wanted == 0:
            raise DeviceError(
                f"No node of the cluster has room for a worker ({room}); ask for fewer --threads."
            )
        while todo and (idle or len(busy) < wanted):
            worker = idle.pop() if idle else hire(opened, job)
            scan = todo.popleft()
            busy[worker.predict.remote(scan)] = (worker, scan)
        (done, *_), _ = ray.wait(list(busy), num_returns=1)
        worker, scan = busy.pop(done)
        try:
            outcome = ray.get(done)
        except ray.exceptions.RayActorError:
            died[scan.name] += 1
            if job.is_finished(scan):
                yield Outcome(scan.name, "done")
            elif died[scan.name] < ATTEMPTS:
                todo.appendleft(scan)
            else:
                sentence = (
                    f"'{scan.path}' could not be predicted: {ATTEMPTS} workers died over it; try it alone."
                )
                yield Outcome(scan.name, "bad", sentence=sentence)
            continue
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from error
        idle.append(worker)
        yield outcome
    for worker in idle:
        ray.kill(worker)


class _Worker:
    """One engine, on whichever node has room for it."""

    def __init__(self, opened: Opened, job: Job) -> None:
        self._engine = opened()
        self._job = job

    def predict(self, scan: FoundScan) -> Outcome:
        """Predict one scan and write its results."""
        if self._job.is_finished(scan):
            return Outcome(scan.name, "skipped")
        return next(run_scans(iter([scan]), self._engine, self._job))


def _places(ray: Any, room: dict[str, float]) -> int:
    """How many workers the living nodes have room for, those that run already included."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(int(min(node.get(name, 0.0) // need for name, need in room.items())) for node in nodes)


def _cause(error: Any) -> Exception:
    return error.cause if isinstance(error.cause, VertsegError) else RuntimeError(str(error.cause))


def _ray() -> Any:
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "vertseg cluster needs Ray; install it with pip install 'vertseg[cluster]'."
        ) from error
