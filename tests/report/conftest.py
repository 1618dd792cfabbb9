"""Findings of a drawn scan, as the reports get them."""

import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg import Volume, predict
from vertseg.inference.findings import Findings

NAMES = "L1 L2"


@pytest.fixture(scope="session")
def scan() -> Volume:
    """A scan with two vertebrae, stored left-posterior-superior."""
    return hu_of(draw_spine(NAMES)).oriented("LPS")


@pytest.fixture(scope="session")
def findings(scan: Volume) -> Findings:
    """What the oracle finds in it."""
    return predict(scan, engine=Oracle(NAMES.split()))
