"""Uploads: looked at before they are read, and unpacked under names and sizes of our own choice.

Nothing of a client's file names reaches the disk, so that no path can lead out of a job's folder and no patient's name
stands in one. Sizes are taken from headers first and counted again while unpacking, because headers can lie.
"""

import errno
import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Final

from vertseg.errors import InputError
from vertseg.io import starts_as_dicom
from vertseg.io.gzipped import DAMAGED, open_packed
from vertseg.serve.settings import Limits

_MIB: Final = 1 << 20
_PIECE: Final = 1 << 20
_HEADER_BYTES: Final = 540
_NIFTI_SIZES: Final = {348: ("i", 40, "h"), 540: ("i", 16, "q")}
"""sizeof_hdr -> its type, and offset and type of `dim` (nifti1.h; nifti2.h)."""
_BYTES_PER_VOXEL: Final = 4
_UNPACKING: Final = (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError)
_GUNZIPPING: Final[tuple[type[Exception], ...]] = (*DAMAGED, ValueError)


def kind_of(path: Path) -> str:
    """Ending of the format that a file is in, by its first bytes: ".nii.gz", ".nii", ".zip" or ".dcm".

    Raises:
        InputError: it is none of them.
    """
    with path.open("rb") as file:
        head = file.read(132)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return ".zip"
    if head[:2] == b"\x1f\x8b":
        return ".nii.gz"
    if starts_as_dicom(head):
        return ".dcm"
    if _order(head) is not None:
        return ".nii"
    if not head:
        raise InputError("The upload is empty; send a scan.")
    raise InputError(
        "The upload is neither NIfTI (.nii, .nii.gz) nor DICOM (a zip of a series, or one file)."
    )


def check_upload(path: Path, kind: str, limits: Limits) -> None:
    """Refuse, from headers alone, what would not fit into memory.

    Raises:
        InputError: damaged, too large when unpacked, too many files, encrypted, or links among them.
    """
    if kind in (".nii", ".nii.gz"):
        with path.open("rb") as raw:
            check_nifti_header(_head(raw, kind), limits)
    elif kind == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                _check_listing(archive.infolist(), limits)
        except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
            raise InputError("The zip is damaged or cut short; make it again.") from error


def check_nifti_header(head: bytes, limits: Limits) -> None:
    """Refuse a NIfTI header whose dimensions are impossible or ask for too much memory.

    Raises:
        InputError: so it is, or the header is no NIfTI header.
    """
    order = _order(head)
    if order is None or len(head) < 348:
        raise InputError("The upload is not a NIfTI image; give a .nii or .nii.gz file, or a DICOM series.")
    size = struct.unpack(order + "i", head[:4])[0]
    _, offset, code = _NIFTI_SIZES[size]
    count = struct.calcsize(code) * 8
    if len(head) < offset + count:
        raise InputError("The upload's NIfTI header is cut short; copy or export it again.")
    dims = struct.unpack(order + code * 8, head[offset : offset + count])
    if not 1 <= dims[0] <= 7 or any(n < 1 for n in dims[1 : dims[0] + 1]):
        raise InputError(
            f"The upload's NIfTI header says impossible dimensions {list(dims)}; export it again."
        )
    total = _BYTES_PER_VOXEL
    for n in dims[1 : dims[0] + 1]:
        total *= n
    _check_size(total, limits)


def unpack(path: Path, kind: str, folder: Path, limits: Limits) -> Path:
    """What `vertseg.io.read_scan` takes, from a checked upload: the file itself, or what was in it, in `folder`.

    Raises:
        InputError: damaged, or larger when unpacked than it said or than is allowed.
    """
    if kind == ".nii.gz":
        return _inflated(path, folder / "scan.nii", limits)
    if kind == ".zip":
        return _extracted(path, folder / "series", limits)
    return path


def check_dicom(folder: Path, limits: Limits) -> None:
    """Refuse DICOM files whose pixels would take too much memory once decoded.

    Raises:
        InputError: so it is.
    """
    import pydicom

    paths = [p for p in folder.iterdir() if p.is_file()] if folder.is_dir() else [folder]
    total = 0
    for path in paths:
        try:
            header = pydicom.dcmread(
                path, stop_before_pixels=True, force=True,
                specific_tags=["Rows", "Columns", "NumberOfFrames", "SamplesPerPixel"],
            )  # fmt: skip
            pixels = int(header.get("Rows") or 0) * int(header.get("Columns") or 0)
            frames = max(1, int(header.get("NumberOfFrames") or 1))
            samples = max(1, int(header.get("SamplesPerPixel") or 1))
        except Exception:
            # What cannot be parsed takes no memory here; the reader says what is wrong with it.
            continue
        total += pixels * frames * samples * _BYTES_PER_VOXEL
        _check_size(total, limits)


def copied(source: BinaryIO | IO[bytes], target: Path) -> None:
    """Write a stream to a new file that is on the disk when this returns."""
    with target.open("xb") as file:
        shutil.copyfileobj(source, file, _PIECE)
        file.flush()
        os.fsync(file.fileno())


def _order(head: bytes) -> str | None:
    for order in "<>":
        if len(head) >= 4 and struct.unpack(order + "i", head[:4])[0] in _NIFTI_SIZES:
            return order
    return None


def _head(raw: BinaryIO, kind: str) -> bytes:
    if kind == ".nii":
        return raw.read(_HEADER_BYTES)
    try:
        return zlib.decompressobj(wbits=31).decompress(raw.read(64 * 1024), _HEADER_BYTES)
    except zlib.error as error:
        raise InputError("The upload's gzip is damaged; copy or export it again.") from error


def _check_size(total: int, limits: Limits) -> None:
    if total > limits.inflated_mib * _MIB:
        raise InputError(
            f"The scan is larger than this server takes ({limits.inflated_mib} MiB as voxels of 4 bytes); crop or "
            "resample it, or ask for a higher --inflated-mib."
        )


def _check_listing(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(members) > limits.files:
        raise InputError(f"The zip holds {len(members)} files; this server takes {limits.files}.")
    if any(m.flag_bits & 1 for m in members):
        raise InputError("The zip is encrypted; send it without a password.")
    if any(stat.S_ISLNK(m.external_attr >> 16) for m in members):
        raise InputError("The zip holds symbolic links; make it again with the files themselves.")
    _check_size(sum(m.file_size for m in members), limits)


def _inflated(path: Path, target: Path, limits: Limits) -> Path:
    left = limits.inflated_mib * _MIB
    try:
        with open_packed(path) as packed, target.open("xb") as file:
            while piece := packed.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    _check_size(limits.inflated_mib * _MIB + 1, limits)
                file.write(piece)
    except _GUNZIPPING as error:
        raise InputError("The upload's gzip is damaged or cut short; copy or export it again.") from error
    return target


def _extracted(path: Path, folder: Path, limits: Limits) -> Path:
    folder.mkdir()
    left = limits.inflated_mib * _MIB
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            _check_listing(members, limits)
            for index, member in enumerate(members):
                with archive.open(member) as packed, (folder / f"{index:06d}").open("xb") as file:
                    while piece := packed.read(_PIECE):
                        left -= len(piece)
                        if left < 0:
                            _check_size(limits.inflated_mib * _MIB + 1, limits)
                        file.write(piece)
    except (*_UNPACKING, struct.error, ValueError) as error:
        raise InputError("The zip is damaged or cut short; make it again.") from error
    except OSError as error:
        # A member said to lie before the file's start is a seek that the system refuses; other errors are the disk's.
        if error.errno != errno.EINVAL:
            raise
        raise InputError("The zip is damaged or cut short; make it again.") from error
    return folder
