"""Fixtures that every test may use. Randomness has fixed seeds, so a failure comes again."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("vertseg", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("vertseg")

_SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers with a fixed seed."""
    return np.random.default_rng(20_250_704)


@pytest.fixture
def shared_data() -> Path:
    """Folder of real scans beside the repository; the test is skipped where there is none."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"real scans are not there ({_SHARED_DATA})")
    return _SHARED_DATA


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained small networks in checkpoints of today's format."""
    import torch

    from vertseg.nets.checkpoint import save_checkpoint
    from vertseg.nets.meta import Meta
    from vertseg.nets.unet import NetSpec, build_network

    filters = (8, 8, 8)
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    for task, spacing_mm, shape in (("locate", 3.0, None), ("examine", 3.0, (32, 32, 32))):
        net = build_network(NetSpec(task, filters))
        save_checkpoint(folder / task, net.state_dict(), Meta(task, filters, spacing_mm, shape))
    return folder
