#!/usr/bin/env python3
"""Load `vertseg serve`: clients that submit, wait and read the report, one scan after the other.

python scripts/bench_serve.py SCAN [--clients 32] [--seconds 120] [--kill] [--output benchmarks/serve.json]

The server runs in a process of its own on this machine, with the default weights. Every client sends the scan, comes
back after a 429 when told to, waits for its job and compares the levels with those of the first report. Counted at the
end: answers by status, jobs accepted, ended and answered (by the clients' count and the audit log's), seconds from
submission to report. With --kill the worker is killed once, after a third of the time.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from vertseg import __version__
from vertseg.errors import InputError, VertsegError
from vertseg.io.atomic import write_text
from vertseg.processor import processor

_AFTERWARDS_S = 600.0


@dataclass
class Tally:
    """What all clients saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def one_client(url: str, scan: bytes, until: float, tally: Tally, expected: list[str]) -> None:
    """Submit until the time is over, and see every accepted job through."""
    with httpx.Client(base_url=url, timeout=60) as http:
        while time.monotonic() < until:
            start = time.monotonic()
            answer = ask(http, tally, "POST", "/v1/jobs", files={"scan": ("scan", scan)})
            if answer is None or answer.status_code != 202:
                wait = answer.headers.get("retry-after", "1") if answer is not None else "1"
                time.sleep(min(float(wait), max(0.0, until - time.monotonic())))
                continue
            job = answer.json()["id"]
            with tally.lock:
                tally.accepted.append(job)
            finish(http, job, tally, expected, start)


def finish(http: httpx.Client, job: str, tally: Tally, expected: list[str], start: float) -> None:
    """Wait for a job and read its report."""
    until = time.monotonic() + _AFTERWARDS_S
    while time.monotonic() < until:
        answer = ask(http, tally, "GET", f"/v1/jobs/{job}")
        status = answer.json().get("status") if answer is not None and answer.status_code == 200 else None
        if status in ("done", "failed", "cancelled"):
            break
        time.sleep(0.25)
    report = ask(http, tally, "GET", f"/v1/jobs/{job}/report")
    levels = (
        [v["level"] for v in report.json()["vertebrae"]] if report is not None and report.is_success else None
    )
    with tally.lock:
        tally.answered[job] += 1
        tally.seconds.append(time.monotonic() - start)
        if levels != expected:
            tally.wrong.append(job)


def ask(http: httpx.Client, tally: Tally, method: str, path: str, **options: Any) -> httpx.Response | None:
    """An answer, counted; None when the connection broke."""
    try:
        answer = http.request(method, path, **options)
    except httpx.HTTPError as error:
        with tally.lock:
            tally.statuses[type(error).__name__] += 1
        return None
    with tally.lock:
        tally.statuses[str(answer.status_code)] += 1
    return answer


def started(folder: Path, arguments: argparse.Namespace) -> tuple[subprocess.Popen[bytes], str]:
    """A ready server and its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    command = [
        sys.executable, "-m", "vertseg", "serve", "--folder", str(folder), "--port", str(port),
        "--queue", str(arguments.queue), "--per-minute", "100000",
        *(("--threads", str(arguments.threads)) if arguments.threads else ()),
    ]  # fmt: skip
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return process, url
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    process.kill()
    raise InputError("The server did not become ready within two minutes.")


def kill_worker(server: int) -> None:
    """kill -9 of the server's worker."""
    import psutil

    for child in psutil.Process(server).children():
        if "resource_tracker" not in " ".join(child.cmdline()):
            os.kill(child.pid, signal.SIGKILL)


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures of one run."""
    scan = arguments.scan.read_bytes()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        process, url = started(Path(folder) / "serve", arguments)
        try:
            first = httpx.Client(base_url=url, timeout=60)
            job = first.post("/v1/jobs", files={"scan": ("scan", scan)}).json()["id"]
            while (state := first.get(f"/v1/jobs/{job}").json())["status"] in ("queued", "running"):
                time.sleep(0.2)
            if state["status"] != "done":
                raise InputError(f"The scan cannot be used: {state['error']}")
            expected = [v["level"] for v in first.get(f"/v1/jobs/{job}/report").json()["vertebrae"]]
            start = time.monotonic()
            clients = [
                threading.Thread(
                    target=one_client, args=(url, scan, start + arguments.seconds, tally, expected)
                )
                for _ in range(arguments.clients)
            ]
            for client in clients:
                client.start()
            if arguments.kill:
                time.sleep(arguments.seconds / 3)
                kill_worker(process.pid)
            for client in clients:
                client.join()
            elapsed = time.monotonic() - start
        finally:
            process.terminate()
            status = process.wait(180)
        audit = [
            json.loads(line) for line in (Path(folder) / "serve" / "audit.jsonl").read_text().splitlines()
        ]
    return figures(tally, audit, job, elapsed) | {"exit_status": status, "levels": expected}


def figures(tally: Tally, audit: list[dict[str, Any]], first: str, elapsed: float) -> dict[str, Any]:
    """What is written."""
    ended = Counter(e["job"] for e in audit if e["event"] == "ended" and e["job"] != first)
    seconds = np.array(tally.seconds or [np.nan])
    return {
        "elapsed_s": round(elapsed, 1),
        "answers": dict(sorted(tally.statuses.items())),
        "server_errors": sum(n for s, n in tally.statuses.items() if s.startswith("5")),
        "broken_connections": sum(n for s, n in tally.statuses.items() if not s.isdigit()),
        "accepted": len(tally.accepted),
        "answered": len(tally.answered),
        "answered_more_than_once": sum(n > 1 for n in tally.answered.values()),
        "ended_by_audit": len(ended),
        "ended_more_than_once": sum(n > 1 for n in ended.values()),
        "lost": len(set(tally.accepted) - set(tally.answered)),
        "wrong_levels": len(tally.wrong),
        "job_s": {
            "p50": round(float(np.percentile(seconds, 50)), 2),
            "p95": round(float(np.percentile(seconds, 95)), 2),
        },
        "jobs_per_minute": round(60 * len(tally.answered) / elapsed, 1),
    }


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scan", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--queue", type=int, default=16)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--kill", action="store_true", help="kill -9 the worker in the middle")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/serve.json"))
    arguments = parser.parse_args()
    try:
        result = {
            "version": __version__,
            "processor": processor(),
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 1),
            "clients": arguments.clients,
            "seconds": arguments.seconds,
            "queue": arguments.queue,
            "threads": arguments.threads,
            "scan_bytes": arguments.scan.stat().st_size,
            "worker_killed": arguments.kill,
            **measured(arguments),
        }
        write_text(arguments.output, json.dumps(result, indent=2) + "\n")
    except VertsegError as error:
        print(f"bench_serve: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result, indent=2))
    sound = result["lost"] == result["server_errors"] == result["ended_more_than_once"] == 0
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
