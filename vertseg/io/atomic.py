"""Files that appear whole or not at all: written under another name beside their place, then renamed."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vertseg.errors import OutputError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path`, with the same ending, that becomes `path` when the block ends without an error.

    The folder is made when absent. Whatever goes wrong, an earlier `path` stays as it was.

    Raises:
        OutputError: the file system refused, for example because the disk is full.
    """
    final = Path(path)
    partial = final.with_name(f".partial-{secrets.token_hex(4)}-{final.name}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, final)
    except OSError as error:
        raise output_error(final, error) from error
    finally:
        # Gone after a successful rename; what is left otherwise is of no use to anyone.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text to a file that appears whole or not at all.

    Raises:
        OutputError: the file system refused.
    """
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The sentence for a file system's refusal to write `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "the disk is full; free some space or choose another folder"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "there is no permission to write there; choose another folder"
    elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        advice = "a file or folder of another kind is in its place; choose another name"
    else:
        advice = error.strerror or str(error)
    return OutputError(f"'{os.fspath(path)}' could not be written: {advice}.")
