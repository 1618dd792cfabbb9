"""A node whose worker is stepped by the test, and a PACS that keeps what it is sent; both need pynetdicom."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.uid import Comprehensive3DSRStorage, SegmentationStorage
from pynetdicom import AE, evt

from vertseg.serve.dicom_node.inbox import Inbox
from vertseg.serve.dicom_node.receiver import Receiver
from vertseg.serve.dicom_node.settings import NodeSettings, Peer
from vertseg.serve.dicom_node.work import Predictor, Worker


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


def listening_node(settings: NodeSettings, predict: Predictor) -> Node:
    """A node that listens already."""
    inbox = Inbox(settings.folder, settings.limits)
    node = Node(settings, inbox, Receiver(settings, inbox), Worker(settings, inbox, predict))
    node.receiver.start()
    return node


@dataclass
class Pacs:
    """What was sent to it."""

    port: int = 0
    got: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def peer(self) -> Peer:
        return Peer("PACS", "127.0.0.1", self.port)


@contextmanager
def running_pacs() -> Iterator[Pacs]:
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
