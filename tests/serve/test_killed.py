"""Servers and workers that are killed: what was accepted is answered, once."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.serve.process import Served
from vertseg.client import Client

pytestmark = pytest.mark.slow


@pytest.fixture
def started() -> Iterator[list[Served]]:
    servers: list[Served] = []
    yield servers
    for server in servers:
        server.stop()
        if server.process.is_alive():
            server.kill()


def submit(server: Served, scan: Path) -> str:
    with scan.open("rb") as file:
        answer = server.http.post("/v1/jobs", files={"scan": file})
    assert answer.status_code == 202
    return str(answer.json()["id"])


def test_jobs_survive_kill_9_of_the_server_and_are_answered_once(
    started: list[Served], scan: Path, tmp_path: Path
) -> None:
    started.append(first := Served(tmp_path, "slow"))
    jobs = [submit(first, scan) for _ in range(3)]
    first.until(lambda: first.status(jobs[0]) == "running")
    (tmp_path / "jobs" / "half-received").mkdir()
    first.kill()

    started.append(second := Served(tmp_path))
    for job in jobs:
        second.until(lambda job=job: second.status(job) == "done")
    assert not (tmp_path / "jobs" / "half-received").exists()
    assert second.stop() == 0
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert sorted(e["job"] for e in lines if e["event"] == "ended") == sorted(jobs)


def test_a_job_whose_worker_is_killed_is_begun_anew(
    started: list[Served], scan: Path, tmp_path: Path
) -> None:
    started.append(server := Served(tmp_path, "slow"))
    job = submit(server, scan)
    server.until(lambda: server.status(job) == "running")
    worker = _worker(server)
    os.kill(worker.pid, signal.SIGKILL)
    server.until(lambda: server.http.get("/ready").status_code == 503)
    server.until(lambda: server.http.get("/ready").status_code == 200 and server.status(job) == "running")
    assert _worker(server).pid != worker.pid


def test_a_stop_finishes_what_runs_and_keeps_what_waits(
    started: list[Served], scan: Path, tmp_path: Path
) -> None:
    started.append(server := Served(tmp_path))
    jobs = [submit(server, scan) for _ in range(4)]
    assert server.stop() == 0
    started.append(again := Served(tmp_path))
    for job in jobs:
        again.until(lambda job=job: again.status(job) == "done")


def test_the_client_rides_over_a_restart(started: list[Served], scan: Path, tmp_path: Path) -> None:
    started.append(server := Served(tmp_path))
    with Client(server.url) as client:
        job = client.submit(scan, levels=("L2",))
        states = [state.status for state in client.events(job.id)]
        assert states[-1] == "done"
        assert [v["level"] for v in client.report(job.id)["vertebrae"]] == ["L2"]
        names = {path.name for path in client.download(job.id, tmp_path / "out")}
        assert {"report.json", "levels.nii.gz"} <= names
        assert client.vertebra(scan, level="L1")["level"] == "L1"
        assert client.remove(job.id) == "removed"


def _worker(server: Served) -> psutil.Process:
    children = psutil.Process(server.process.pid).children()
    workers = [c for c in children if "resource_tracker" not in " ".join(c.cmdline())]
    assert len(workers) == 1
    return workers[0]
