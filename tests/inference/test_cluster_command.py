"""`vertseg cluster predict` up to the cluster, which stands aside here; `test_cluster` has one."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.inference.folders.conftest import drawn, put  # noqa: F401
from vertseg.inference import cluster
from vertseg.inference.folders.runner import Job, Outcome
from vertseg.report.page_data import PageOptions


@pytest.mark.parametrize(
    ("asked", "page"), [([], None), (["--report", "--language", "it"], PageOptions("it"))]
)
def test_the_options_reach_the_job_of_every_worker(
    asked: list[str],
    page: PageOptions | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    put: Callable[..., Path],  # noqa: F811
) -> None:
    put(tmp_path / "in" / "scan.nii.gz", 1.0)
    jobs: list[Job] = []

    def on_ray(scans: list[Any], job: Job, *_: Any) -> Iterator[Outcome]:
        jobs.append(job)
        yield from (Outcome(scan.name, "bad", sentence="not run") for scan in scans)

    monkeypatch.setattr(cluster, "_ray", lambda: SimpleNamespace(init=lambda **_: None))
    monkeypatch.setattr(cluster, "run_on_ray", on_ray)
    parser = argparse.ArgumentParser()
    cluster.add_arguments(parser)
    given = ["predict", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--quiet", *asked]
    assert cluster.run(parser.parse_args(given)) == 2
    assert [job.page for job in jobs] == [page]
