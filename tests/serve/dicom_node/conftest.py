"""A drawn spine as a DICOM series, and makers of peers; those import pynetdicom, which may not be there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from tests.io.conftest import SmallScan, small_scan

if TYPE_CHECKING:
    from tests.serve.dicom_node.network import Node, Pacs

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


@pytest.fixture
def start_node(tmp_path: Path, oracle: Oracle) -> "Iterator[Callable[..., Node]]":
    """Maker of listening nodes on one inbox; settings may be changed, and the predictor."""
    from tests.serve.dicom_node.network import listening_node
    from vertseg.serve.dicom_node.predictor import predictor
    from vertseg.serve.dicom_node.settings import NodeSettings

    started: list[Node] = []
    usual = {"folder": tmp_path / "node", "port": 0, "quiet_s": 0.2, "retry_s": 0.01}

    def start(predict: Any = None, **changes: Any) -> "Node":
        started.append(listening_node(NodeSettings(**{**usual, **changes}), predict or predictor(oracle)))
        return started[-1]

    yield start
    for node in started:
        node.receiver.stop()


@pytest.fixture
def pacs() -> "Iterator[Pacs]":
    """Takes segmentations and reports."""
    from tests.serve.dicom_node.network import running_pacs

    with running_pacs() as kept:
        yield kept
