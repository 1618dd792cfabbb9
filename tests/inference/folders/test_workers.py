"""Processes that share scans: everything once, whatever ends a process."""

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from vertseg.errors import CheckpointError, DeviceError
from vertseg.inference.folders import workers
from vertseg.inference.folders.discovery import FoundScan
from vertseg.inference.folders.runner import Job, Outcome
from vertseg.inference.options import PredictOptions

Work = Callable[[Job, str | None, Connection, Connection], None]


def scans(*names: str) -> list[FoundScan]:
    return [FoundScan(name, Path(name), (Path(name),)) for name in names]


def run(
    work: Work, found: list[FoundScan], monkeypatch: pytest.MonkeyPatch, number: int = 2, threads: int = 4
) -> list[Outcome]:
    monkeypatch.setattr(workers, "_work", work)
    job = Job(Path("out"), PredictOptions(threads=threads, device="cpu"), {})
    return list(workers.run_in_processes(found, job, number))


def one_ahead(job: Job, gpu: str | None, talk: Connection, life: Connection) -> None:
    """A worker without networks: holds two scans like the real one; those named 'killer' end it."""
    ahead = _asked(talk)
    while ahead is not None:
        # The next one is there, or was not given out, when this one computes.
        scan, ahead = ahead, _asked(talk, 0.3)
        if scan.name.startswith("killer"):
            os.kill(os.getpid(), signal.SIGKILL)
        talk.send(Outcome(scan.name, "done", sentence=f"{job.options.threads} threads, gpu {gpu}"))
        if ahead is None:
            ahead = talk.recv()


def _asked(talk: Connection, patience_s: float | None = None) -> FoundScan | None:
    talk.send("next")
    return talk.recv() if talk.poll(patience_s) else None


def no_engine(job: Job, gpu: str | None, talk: Connection, life: Connection) -> None:
    talk.send(CheckpointError("The weights are absent."))


def dead_at_once(job: Job, gpu: str | None, talk: Connection, life: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_scan_that_ends_its_process_twice_is_bad_and_no_other_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scans("a", "killer", "b", "c", "d")
    outcomes = run(one_ahead, found, monkeypatch)
    assert sorted(o.name for o in outcomes) == sorted(s.name for s in found)
    bad = [o for o in outcomes if o.kind == "bad"]
    assert [o.name for o in bad] == ["killer"] and "memory" in bad[0].sentence
    assert {o.sentence for o in outcomes if o.kind == "done"} == {"2 threads, gpu None"}


def test_each_process_has_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "visible_gpus", lambda: ["3", "5"])
    monkeypatch.setattr(workers, "_work", one_ahead)
    job = Job(Path("out"), PredictOptions(threads=1), {})
    outcomes = list(workers.run_in_processes(scans(*"abcdefgh"), job, 2))
    assert {o.sentence for o in outcomes} == {"1 threads, gpu 3", "1 threads, gpu 5"}


def test_an_engine_that_cannot_be_opened_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="weights are absent"):
        run(no_engine, scans("a", "b"), monkeypatch)


def test_a_process_that_ends_before_its_first_scan_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match=r"exit status -9.*fewer --workers"):
        run(dead_at_once, scans("a", "b"), monkeypatch, number=1)


def test_gpus_are_those_that_may_be_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workers, "_DRIVERS", (str(tmp_path),))
    for chosen, expected in (("3, 5", ["3", "5"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"]), ("1", []), ("", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        assert workers.visible_gpus() == expected
    monkeypatch.setattr(workers, "_DRIVERS", (str(tmp_path / "absent"),))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert workers.visible_gpus() == []
