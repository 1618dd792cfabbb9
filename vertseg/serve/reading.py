"""An upload read as a scan, where everything that goes wrong is the upload's fault and a sentence."""

from pathlib import Path

from vertseg.errors import InputError, VertsegError
from vertseg.io import Scan, read_scan
from vertseg.serve.settings import Limits
from vertseg.serve.uploads import check_dicom, check_upload, kind_of, unpack


def read_upload(
    path: Path, scratch: Path, limits: Limits, series: str | None = None
) -> tuple[Scan, Path, str]:
    """The scan of an upload, what it was read from, and its kind, see `uploads.kind_of`.

    Args:
        path: of the upload; its name ends as its kind says.
        scratch: an empty folder to unpack into; the scan may lie in it as long as it is used.
        limits: of sizes.
        series: DICOM series.

    Raises:
        InputError: it cannot be read, whatever the parsers raised: a parser's own error tells more of its insides than
            of the file.
        OSError: the disk failed.
    """
    try:
        kind = kind_of(path)
        check_upload(path, kind, limits)
        place = unpack(path, kind, scratch, limits)
        if kind in (".zip", ".dcm"):
            check_dicom(place, limits)
        return read_scan(place, series, as_stored=True), place, kind
    except (VertsegError, OSError):
        raise
    except MemoryError as error:
        raise InputError(
            "The upload asks for more memory than there is; if it is not damaged, crop or resample it."
        ) from error
    except Exception as error:
        raise InputError(
            f"The upload is damaged in a way that its reader does not know ({type(error).__name__}); export it again."
        ) from error
