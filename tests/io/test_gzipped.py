"""gzip by pieces is one ordinary member, whichever library packs it and however many threads."""

import gzip
import io
import zlib

import numpy as np
import pytest

from vertseg.io import gzipped


def packed(contents: list[bytes], threads: int = 1) -> bytes:
    file = io.BytesIO()
    gzipped.write_packed(file, contents, threads)
    return file.getvalue()


@pytest.fixture(params=["installed", "zlib"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(gzipped, "igzip", None)
        monkeypatch.setattr(gzipped, "isal_zlib", None)


@pytest.fixture
def contents(rng: np.random.Generator) -> list[bytes]:
    """A header, five megabytes of noise and nine of zeros, so that pieces are whole, cut and all zero."""
    return [b"header", rng.integers(0, 9, 5_000_003, dtype=np.uint8).tobytes(), bytes(9_000_001)]


def test_every_reader_unpacks_one_member(library: None, contents: list[bytes]) -> None:
    file = packed(contents)
    reader = zlib.decompressobj(31)
    assert reader.decompress(file) == b"".join(contents)
    assert reader.eof and reader.unused_data == b""
    assert gzipped.unpacked(file) == b"".join(contents)
    assert len(file) < 0.6 * 5_000_003


def test_bytes_do_not_depend_on_threads(library: None, contents: list[bytes]) -> None:
    assert packed(contents, 1) == packed(contents, 3)


def test_nothing_is_a_member_too(library: None) -> None:
    assert gzip.decompress(packed([])) == b""


@pytest.mark.parametrize("damage", ["cut", "flipped", "checksum", "no gzip"])
def test_damage_is_an_error_that_readers_know(library: None, contents: list[bytes], damage: str) -> None:
    file = bytearray(packed(contents))
    if damage == "cut":
        del file[len(file) // 2 :]
    elif damage == "flipped":
        file[len(file) // 3] ^= 0xFF
    elif damage == "checksum":
        file[-5] ^= 1
    else:
        file = bytearray(b"not a gzip file at all")
    with pytest.raises((gzip.BadGzipFile, EOFError, zlib.error)):
        gzipped.unpacked(bytes(file))
