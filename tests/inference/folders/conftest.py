"""Small scans in a folder, and the engine that reads them."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from tests.io.conftest import small_scan  # noqa: F401
from vertseg.inference import command
from vertseg.volume import Volume

LEVEL = "L1"


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
