"""A server in a process of its own, to be killed."""

import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import httpx

from tests.serve.scans import oracle, slow
from vertseg.serve.settings import Limits, ServeSettings


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _serve(folder: Path, port: int, name: str) -> None:
    from vertseg.serve.command import serve

    openers = {"oracle": oracle, "slow": slow}
    limits = Limits(per_minute=100_000, drain_s=30)
    raise SystemExit(serve(ServeSettings(folder, port=port, opener=openers[name], limits=limits)))


class Served:
    """A server's process and a client to it."""

    def __init__(self, folder: Path, opener: str = "oracle") -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=_serve, args=(folder, port, opener))
        self.process.start()
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.until(lambda: self.http.get("/ready").status_code == 200)

    def until(self, true: object, seconds: float = 120) -> None:
        """Wait until a question is answered by yes; a refused connection is a no."""
        end = time.monotonic() + seconds
        while True:
            try:
                if true():  # type: ignore[operator]
                    return
            except httpx.HTTPError:
                assert self.process.is_alive() or self.process.exitcode == 0
            assert time.monotonic() < end
            time.sleep(0.05)

    def status(self, job_id: str) -> str:
        return str(self.http.get(f"/v1/jobs/{job_id}").json()["status"])

    def kill(self) -> None:
        """kill -9, of the server alone."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()

    def stop(self) -> int | None:
        """SIGTERM; the exit status."""
        if self.process.is_alive():
            self.process.terminate()
        self.process.join(60)
        return self.process.exitcode
