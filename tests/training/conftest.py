from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms of the tiny recipes, rendered by the first test that asks for them."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def deterministic() -> Iterator[None]:
    """Lightning switches determinism on for the whole process; other tests go without."""
    yield
    torch.use_deterministic_algorithms(False)
