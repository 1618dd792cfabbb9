"""Scans and label maps in, NIfTI out. `read_scan` takes whatever a clinic gives: NIfTI or a DICOM series."""

import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vertseg.errors import InputError
from vertseg.io.checks import check_ct
from vertseg.io.nifti import file_sha256, read_label_array, read_nifti, write_nifti
from vertseg.volume import Grid, Volume

__all__ = ["Scan", "read_labels", "read_scan", "starts_as_dicom", "write_nifti"]

_BARE_DICOM: Final = (b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")


@dataclass(frozen=True)
class Scan:
    """A CT as it was read.

    Attributes:
        volume: HU, reordered to RAS+ without interpolation; float32, or int16 where it was read `as_stored`.
        source: the grid as it was stored, to which `vertseg.volume.restore` takes results back.
        path: the file or folder.
        sha256: of the file's bytes; of a DICOM series, of its files' sorted hashes, wherever they lie.
        description: what the header says of the image, nothing of the person.
    """

    volume: Volume
    source: Grid
    path: Path
    sha256: str
    description: dict[str, str]


def read_scan(
    path: str | os.PathLike[str],
    series: str | None = None,
    as_stored: bool = False,
    files: Sequence[Path] | None = None,
) -> Scan:
    """Read a CT from a NIfTI file, a DICOM folder, a DICOM file or a zip of DICOM files.

    Args:
        path: the file or folder.
        series: which DICOM series, by its SeriesInstanceUID, number or description; needed where there are
            several CT series.
        as_stored: keep int16 HU and the voxels' order in memory (a view), which saves copies of large scans.
        files: of a DICOM folder, where they are known already; the others in it are then not looked at.

    Raises:
        InputError: it cannot be read, is no CT, or holds several series; the sentence says what to do.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"'{place}' does not exist; check the path.")
    if _is_dicom(place):
        volume, sha256, description = _read_dicom(place, series, files)
    elif series is not None:
        raise InputError(f"'{place}' is not DICOM, so it has no series '{series}' to choose.")
    else:
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(file_sha256, place)
            volume, description = read_nifti(place, as_stored)
        sha256 = digest.result()
    check_ct(volume, place)
    return Scan(volume.oriented("RAS", copy=not as_stored), volume.grid, place, sha256, description)


def read_labels(path: str | os.PathLike[str]) -> Volume:
    """Labels of a NIfTI file, reordered to RAS+, in the smallest unsigned integer type that holds them.

    Raises:
        InputError: it cannot be read or is no label map.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"'{place}' does not exist; check the path.")
    return read_label_array(place).oriented("RAS")


def starts_as_dicom(head: bytes) -> bool:
    """Whether the first 132 bytes of a file are of DICOM, with its preamble or without one."""
    return head[128:132] == b"DICM" or head[:4] in _BARE_DICOM


def _is_dicom(place: Path) -> bool:
    """Whether to read as DICOM: a folder, a zip, or a file that says so itself."""
    if place.is_dir():
        return True
    if not os.access(place, os.R_OK):
        raise InputError(f"'{place}' could not be opened: there is no permission to read it.")
    if place.stat().st_size == 0:
        raise InputError(f"'{place}' is empty; copy or export it again.")
    with place.open("rb") as file:
        head = file.read(132)
    if starts_as_dicom(head) or zipfile.is_zipfile(place):
        return True
    if not place.name.lower().endswith((".nii", ".nii.gz")):
        raise InputError(
            f"'{place}' is not an image that vertseg reads; give .nii, .nii.gz, or a DICOM folder, file or zip."
        )
    return False


def _read_dicom(
    place: Path, series: str | None, files: Sequence[Path] | None
) -> tuple[Volume, str, dict[str, str]]:
    try:
        from vertseg.io import dicom
    except ModuleNotFoundError as error:
        raise InputError(
            f"'{place}' needs {error.name} to be read as DICOM; install it with pip install 'vertseg[dicom]'."
        ) from error
    return dicom.read_dicom(place, series, files)
