"""gzip in and out, by Intel's ISA-L where it is installed (several times as fast) and zlib elsewhere.

Compression is of independent pieces, so that several threads share the work; together they are one ordinary gzip
member (RFC 1952), as every reader takes it.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

try:
    from isal import igzip as _igzip
    from isal import isal_zlib as _isal_zlib

    igzip: Any = _igzip
    isal_zlib: Any = _isal_zlib
except ModuleNotFoundError:
    igzip = isal_zlib = None

DAMAGED: Final[tuple[type[Exception], ...]] = (
    gzip.BadGzipFile, EOFError, zlib.error, *(() if isal_zlib is None else (isal_zlib.error,)),
)  # fmt: skip
"""What reading a damaged or cut file raises, by either library."""
LEVEL: Final = 1
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name and no time, fastest, unknown system: equal contents give equal bytes."""
_PIECE: Final = 1 << 21
_LAST: Final = b"\x03\x00"
"""An empty final block."""

Bytes = bytes | memoryview


def open_packed(path: Path) -> BinaryIO:
    """A gzip file, open for reading its contents piece by piece; what that may raise is `DAMAGED`."""
    file: BinaryIO = (gzip if igzip is None else igzip).open(path, "rb")
    return file


def unpacked(packed: bytes) -> bytes:
    """Contents of a gzip file, its checksum compared.

    Raises:
        gzip.BadGzipFile, EOFError, zlib.error: damaged or cut short.
    """
    if igzip is None:
        return gzip.decompress(packed)
    try:
        return bytes(igzip.decompress(packed))
    except isal_zlib.error as error:
        raise zlib.error(str(error)) from error


def write_packed(file: BinaryIO, parts: Iterable[Bytes], threads: int = 1) -> None:
    """Write contents as one gzip member.

    Args:
        file: open for writing.
        parts: contents, in order, of any lengths; large ones are cut into pieces of 2 MiB.
        threads: how many compress at once.
    """
    pieces = [piece for part in parts for piece in _pieces(part)]
    file.write(_HEADER)
    with ThreadPoolExecutor(threads) as pool:
        packed = pool.map(_Packer().pack, pieces)
        checksum, length = 0, 0
        for piece, content in zip(pieces, packed, strict=True):
            file.write(content)
            checksum = _crc32(piece, checksum)
            length += len(piece)
    file.write(_LAST + struct.pack("<II", checksum, length & 0xFFFFFFFF))


def _pieces(part: Bytes) -> list[memoryview]:
    view = memoryview(part).cast("B")
    return [view[start : start + _PIECE] for start in range(0, len(view), _PIECE)]


class _Packer:
    """Deflates pieces; one of zeros, which most of a label map is, only once for each length."""

    def __init__(self) -> None:
        self._zeros: dict[int, bytes] = {}

    def pack(self, piece: memoryview) -> bytes:
        """The piece as deflate blocks that end on a byte and refer to nothing before."""
        n = len(piece)
        if n != _PIECE or np.frombuffer(piece, np.uint64).any():
            return _deflated(piece)
        if n not in self._zeros:
            self._zeros[n] = _deflated(piece)
        return self._zeros[n]


def _deflated(piece: memoryview) -> bytes:
    library: Any = zlib if isal_zlib is None else isal_zlib
    packer = library.compressobj(LEVEL, library.DEFLATED, -15)
    return bytes(packer.compress(piece) + packer.flush(library.Z_FULL_FLUSH))


def _crc32(piece: memoryview, before: int) -> int:
    return int(zlib.crc32(piece, before) if isal_zlib is None else isal_zlib.crc32(piece, before))
