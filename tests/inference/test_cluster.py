"""A folder over two nodes of a local Ray cluster, one of which dies; slow, and only where Ray is installed."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inference.folders.conftest import drawn, put  # noqa: F401
from tests.inference.oracle import Oracle
from vertseg.errors import DeviceError
from vertseg.inference.cluster import run_on_ray
from vertseg.inference.folders.discovery import find_scans
from vertseg.inference.folders.manifest import result_key
from vertseg.inference.folders.runner import Job
from vertseg.inference.options import PredictOptions

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
SCANS = 6


class Slow(Oracle):
    """Takes a second for a scan and writes down who began it."""

    def __init__(self, log: str) -> None:
        super().__init__(["L1"])
        self.log = log

    def locate(self, image: np.ndarray) -> dict[str, np.ndarray]:
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {ray.get_runtime_context().get_node_id()}\n")
        time.sleep(1.0)
        return super().locate(image)


@pytest.fixture
def two_nodes() -> Iterator[tuple[Any, Any]]:
    """A cluster of a head without room, and two nodes of one CPU each; the second is given too."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.add_node(num_cpus=1)
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def job(tmp_path: Path, put: Callable[..., Path]) -> tuple[Job, list[Any]]:  # noqa: F811
    """Small scans in a folder, and what is to be done with them."""
    for i in range(SCANS):
        put(tmp_path / "in" / f"scan{i}.nii.gz", float(i))
    options = PredictOptions()
    job = Job(tmp_path / "out", options, result_key(options))
    return job, list(find_scans(tmp_path / "in", job.output, None, None).scans)


def test_a_node_that_dies_loses_only_the_scan_in_hand(
    two_nodes: tuple[Any, Any], job: tuple[Job, list[Any]], tmp_path: Path
) -> None:
    (cluster, second), (what, scans) = two_nodes, job
    log = tmp_path / "log"
    outcomes = run_on_ray(scans, what, lambda: Slow(str(log)), {"CPU": 1.0})
    seen = [next(outcomes), next(outcomes)]
    killer = threading.Thread(target=cluster.remove_node, args=(second,), kwargs={"allow_graceful": False})
    killer.start()
    seen += list(outcomes)
    killer.join()
    assert sorted(o.name for o in seen) == sorted(s.name for s in scans)
    assert {o.kind for o in seen} == {"done"}
    assert all(what.is_finished(scan) for scan in scans)
    begun = log.read_text().split("\n")[:-1]
    assert len({line.split()[1] for line in begun}) == 2
    # The one that the dead node held was begun twice, all others once.
    assert SCANS <= len(begun) <= SCANS + 1
    assert list(run_on_ray([s for s in scans if not what.is_finished(s)], what, Slow, {"CPU": 1.0})) == []


def test_no_room_for_a_worker_is_said(two_nodes: tuple[Any, Any], job: tuple[Job, list[Any]]) -> None:
    what, scans = job
    with pytest.raises(DeviceError, match="room for a worker"):
        next(run_on_ray(scans, what, lambda: Slow("unused"), {"CPU": 64.0}))
