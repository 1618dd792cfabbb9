"""A drawn spine as a DICOM series, a node in this process, and a PACS that keeps what it is sent."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not there; get it with: pip install 'vertseg[node]'")

from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, SegmentationStorage  # type: ignore[attr-defined]

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from tests.io.conftest import SmallScan, small_scan
from vertseg.serve.dicom_node.inbox import Inbox
from vertseg.serve.dicom_node.predictor import predictor
from vertseg.serve.dicom_node.receiver import Receiver
from vertseg.serve.dicom_node.settings import NodeSettings, Peer
from vertseg.serve.dicom_node.work import Predictor, Worker

__all__ = ["small_scan"]

NAMES = "L1 L2"


@pytest.fixture(scope="session")
def spine() -> SmallScan:
    """A scan with two vertebrae, stored left-posterior-superior."""
    drawn = hu_of(draw_spine(NAMES)).oriented("LPS")
    return SmallScan(np.rint(drawn.array).astype(np.int16), drawn.affine)


@pytest.fixture
def oracle() -> Oracle:
    """Finds the vertebrae of `spine`."""
    return Oracle(NAMES.split())


@dataclass
class Node:
    """A node whose worker is stepped by the test."""

    settings: NodeSettings
    inbox: Inbox
    receiver: Receiver
    worker: Worker

    def store(self, datasets: list[Any], caller: str = "SENDER", called: str = "VERTSEG") -> list[int | None]:
        """Send instances in one association; their statuses, none at all where the association was refused."""
        ae: Any = AE(ae_title=caller)
        for kind in {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in datasets}:
            ae.add_requested_context(*kind)
        association = ae.associate("127.0.0.1", self.receiver.port, ae_title=called)
        if not association.is_established:
            return []
        statuses = [association.send_c_store(d).get("Status") for d in datasets]
        association.release()
        return statuses

    def work(self) -> None:
        """Step until there is nothing to do; a series must be quiet first."""
        deadline = time.monotonic() + 60
        while any(self.inbox.state(k).status == "collecting" for k in self.inbox.series()):
            assert time.monotonic() < deadline, "the series never became complete"
            self.worker.step()
        while self.worker.step():
            pass


@pytest.fixture
def start_node(tmp_path: Path, oracle: Oracle) -> Iterator[Callable[..., Node]]:
    """Maker of listening nodes on one inbox; settings may be changed, and the predictor."""
    started: list[Node] = []

    def start(predict: Predictor | None = None, **changes: Any) -> Node:
        settings = NodeSettings(
            **{"folder": tmp_path / "node", "port": 0, "quiet_s": 0.2, "retry_s": 0.01, **changes}
        )
        inbox = Inbox(settings.folder, settings.limits)
        node = Node(
            settings, inbox, Receiver(settings, inbox), Worker(settings, inbox, predict or predictor(oracle))
        )
        node.receiver.start()
        started.append(node)
        return node

    yield start
    for node in started:
        node.receiver.stop()


@dataclass
class Pacs:
    """What was sent to it."""

    port: int = 0
    got: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def peer(self) -> Peer:
        return Peer("PACS", "127.0.0.1", self.port)


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    """Takes segmentations and reports."""
    kept = Pacs()

    def keep(event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        with kept.lock:
            kept.got.append(dataset)
        return 0

    ae: Any = AE(ae_title="PACS")
    ae.add_supported_context(SegmentationStorage)
    ae.add_supported_context(Comprehensive3DSRStorage)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    kept.port = server.server_address[1]
    yield kept
    server.shutdown()
