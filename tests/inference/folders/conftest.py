"""Small scans in a folder, and the engine that reads them."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import pytest
import torch

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from tests.io.conftest import small_scan  # noqa: F401
from vertseg.inference import command
from vertseg.nets.checkpoint import save_checkpoint
from vertseg.nets.meta import Meta
from vertseg.nets.unet import NetSpec, build_network
from vertseg.volume import Volume

LEVEL = "L1"
TINY = (8, 8, 8)


@pytest.fixture(scope="session")
def drawn() -> Volume:
    """A scan of one vertebra."""
    return hu_of(draw_spine(LEVEL))


@pytest.fixture
def put(drawn: Volume) -> Callable[..., Path]:
    """Writes the scan of one vertebra; another `shift_mm` gives another file."""

    def write(path: Path, shift_mm: float = 0.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        affine = drawn.affine.copy()
        affine[0, 3] += shift_mm
        nib.save(nib.Nifti1Image(drawn.array.astype("int16"), affine), path)
        return path

    return write


@pytest.fixture
def oracles(monkeypatch: pytest.MonkeyPatch) -> list[Oracle]:
    """The drawn scans' own engine instead of the networks; all that were opened."""
    opened: list[Oracle] = []

    def open_engine(*_: object) -> Oracle:
        opened.append(Oracle([LEVEL]))
        return opened[-1]

    monkeypatch.setattr(command, "open_engine", open_engine)
    return opened


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained small networks in checkpoints of today's format."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    for task, spacing_mm, shape in (("locate", 3.0, None), ("examine", 3.0, (32, 32, 32))):
        net = build_network(NetSpec(task, TINY))
        save_checkpoint(folder / task, net.state_dict(), Meta(task, TINY, spacing_mm, shape))
    return folder
