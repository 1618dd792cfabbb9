"""Servers for tests: in this process by Starlette's client, with a worker process of their own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.testclient import TestClient

from tests.serve.scans import oracle, write_scan
from vertseg.serve.app import create_app
from vertseg.serve.settings import Limits, ServeSettings


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan(tmp_path_factory.mktemp("scan") / "DOE_JANE_1950.nii.gz")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A ready server whose engine reads the drawn truth."""
    settings = ServeSettings(
        tmp_path_factory.mktemp("serve"), opener=oracle, limits=Limits(per_minute=100_000)
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        until_ready(client)
        yield client


def until_ready(client: TestClient, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while client.get("/ready").status_code != 200:
        assert time.monotonic() < until, client.get("/ready").text
        time.sleep(0.05)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts servers with settings of their own; they end with the test."""
    opened: list[TestClient] = []

    def start(**values: object) -> TestClient:
        settings = ServeSettings(**{"folder": tmp_path / "serve", "opener": oracle, **values})
        client = TestClient(create_app(settings), base_url="http://127.0.0.1")
        client.__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


def ended(client: TestClient, job_id: str, seconds: float = 120) -> dict[str, object]:
    """The job when nothing more will happen to it."""
    until = time.monotonic() + seconds
    while True:
        job: dict[str, object] = client.get(f"/v1/jobs/{job_id}").json()
        if job["status"] in ("done", "failed", "cancelled"):
            return job
        assert time.monotonic() < until, job
        time.sleep(0.05)
