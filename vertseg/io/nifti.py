"""NIfTI files in and out."""

import gzip
import hashlib
import logging
import os
import zlib
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from numpy.typing import NDArray

from vertseg.errors import InputError, OutputError
from vertseg.io.atomic import atomic_path
from vertseg.io.checks import check_affine, check_stored
from vertseg.io.gzipped import Bytes, unpacked, write_packed
from vertseg.volume import Grid, Volume

_LOG = logging.getLogger("vertseg")
_MM_PER_UNIT: Final = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_CONFLICT_MM: Final = 0.5
_DATA_OFFSET: Final = 352
_UNREADABLE: Final = (
    OSError,
    EOFError,
    KeyError,
    OverflowError,
    zlib.error,
    ValueError,
    ImageFileError,
    HeaderDataError,
    ImageDataError,
)


def read_nifti(path: Path, as_stored: bool = False) -> tuple[Volume, dict[str, str]]:
    """A NIfTI file's scaled values (float32, in the order of the file) and what its header says.

    The sform is used where its code is set, else the qform; the description says so when they disagree.

    Args:
        path: the file.
        as_stored: give values that are stored as 16-bit HU as int16, which is half the memory.

    Raises:
        InputError: not NIfTI, damaged, not three-dimensional, or without a usable affine.
    """
    image, contents = _load(path)
    shape = check_stored(image.shape, image.get_data_dtype(), path)
    affine, description = _affine(image, path, shape)
    try:
        array = _scaled(image, contents, as_stored)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return Volume(array.reshape(shape), affine), description


def _scaled(image: Any, contents: bytes | None, as_stored: bool) -> NDArray[Any]:
    """Values of an image: int16 where they are and may stay so, else float32."""
    stored = image.dataobj
    if contents is None:
        array = np.asarray(stored.get_unscaled())
    else:
        # The unpacked file itself: a copy of it costs as much as a third of its unpacking.
        count = int(np.prod(image.shape))
        flat = np.frombuffer(contents, image.header.get_data_dtype(), count, int(stored.offset))
        array = flat.reshape(image.shape, order="F")
    slope, intercept = float(stored.slope), float(stored.inter)
    if (
        array.dtype.kind == "i"
        and array.dtype.itemsize == 2
        and as_stored
        and (slope, intercept) == (1.0, 0.0)
    ):
        return array.astype(np.int16, copy=False)
    if array.dtype.kind == "f" or array.dtype.itemsize > 2:
        scaled = array if (slope, intercept) == (1.0, 0.0) else array * slope + intercept
        return np.asarray(scaled, dtype=np.float32)
    values = array.astype(np.float32)
    if slope != 1.0:
        values *= np.float32(slope)
    if intercept != 0.0:
        values += np.float32(intercept)
    return values


def read_label_array(path: Path) -> Volume:
    """A NIfTI file's labels in the order of the file, in the smallest unsigned integer type that holds them.

    Raises:
        InputError: as `read_nifti`, or values that are no labels (negative or fractions).
    """
    image, _ = _load(path)
    shape = check_stored(image.shape, image.get_data_dtype(), path)
    affine, _ = _affine(image, path, shape)
    try:
        array = np.asanyarray(image.dataobj).reshape(shape)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    if not np.isfinite(array).all():
        raise InputError(f"'{path}' has voxels that are not numbers; a label map needs whole numbers.")
    low, high = float(array.min()), float(array.max())
    whole = np.rint(array) if np.issubdtype(array.dtype, np.floating) else array
    if low < 0 or np.abs(whole - array).max() > 1e-3:
        raise InputError(f"'{path}' is no label map: it holds negative numbers or fractions.")
    dtype = np.uint8 if high < 2**8 else np.uint16 if high < 2**16 else np.uint32
    return Volume(whole.astype(dtype), affine)


def write_nifti(path: str | os.PathLike[str], volume: Volume, threads: int = 1) -> None:
    """Write a volume as NIfTI (.nii, or .nii.gz at the lowest gzip level); it appears whole or not at all.

    Masks are written as uint8. The sform carries the affine; the qform does too where it can, that is
    unless the grid is sheared. Equal volumes give equal bytes, for any number of threads.

    Args:
        path: ends with .nii or .nii.gz.
        volume: any orientation; a Fortran-ordered array is written without a copy.
        threads: how many compress at once.

    Raises:
        OutputError: the name has another ending, or the file system refused.
    """
    name = os.fspath(path)
    if not name.lower().endswith((".nii", ".nii.gz")):
        raise OutputError(f"'{name}' is no name of a NIfTI file; end it with .nii.gz or .nii.")
    image = nib.Nifti1Image(_storable(volume.array), volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, code=1)
    image.set_qform(volume.affine, code=1)
    reach = np.array(volume.array.shape, dtype=np.float64)
    if np.abs((image.get_qform() - volume.affine) @ np.append(reach, 1.0)).max() > 0.01:
        image.set_qform(None, code=0)
    with atomic_path(name) as partial, partial.open("wb") as raw:
        if name.lower().endswith(".gz"):
            write_packed(raw, _stream(image), threads)
        else:
            raw.writelines(_stream(image))


def _stream(image: Any) -> list[Bytes]:
    """A single-file NIfTI's bytes: header, and the voxels with x running fastest."""
    header = image.header.copy()
    header.set_data_offset(_DATA_OFFSET)
    header.set_slope_inter(1.0, 0.0)
    array = np.asanyarray(image.dataobj)
    voxels = array.reshape(-1, order="F")
    return [header.binaryblock + bytes(_DATA_OFFSET - len(header.binaryblock)), memoryview(voxels)]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(path: Path) -> tuple[Any, bytes | None]:
    """The image, and the contents of a .gz, which is unpacked whole because only that compares its checksum."""
    try:
        if not path.name.lower().endswith(".gz"):
            return _known(nib.load(path), path), None
        image = nib.load(path)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    try:
        contents = unpacked(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"'{path}' is damaged or cut short; copy or export it again.") from error
    return type(_known(image, path)).from_bytes(contents), contents


def _known(image: Any, path: Path) -> Any:
    if not isinstance(image, nib.Nifti1Image | nib.Nifti2Image):
        raise InputError(f"'{path}' is a {type(image).__name__}, not NIfTI; convert it to .nii.gz.")
    return image


def _damaged(path: Path, error: Exception) -> InputError:
    if isinstance(error, EOFError | zlib.error):
        return InputError(f"'{path}' is damaged or cut short; copy or export it again.")
    if isinstance(error, ImageFileError | HeaderDataError | gzip.BadGzipFile):
        return InputError(f"'{path}' is not a NIfTI image; give a .nii or .nii.gz file, or a DICOM series.")
    said = " ".join(str(error).split())
    return InputError(f"'{path}' could not be read ({said}); it may be cut short: copy or export it again.")


def _affine(
    image: Any, path: Path, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float64], dict[str, str]]:
    """World affine in mm, and the description's note of where it came from."""
    header = image.header
    try:
        sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
        unit = header.get_xyzt_units()[0]
    except _UNREADABLE as error:
        raise InputError(f"'{path}' has a damaged header ({error}); export it again.") from error
    if sform is None and qform is None:
        raise InputError(
            f"'{path}' does not say how it lies in the patient (sform and qform codes are 0), so left and right "
            "are unknown; export it again with its orientation."
        )
    scale = np.diag([*[_MM_PER_UNIT.get(unit, 1.0)] * 3, 1.0])
    affine = check_affine(scale @ np.asarray(qform if sform is None else sform, dtype=np.float64), path)
    description = {"format": "NIfTI", "affine_from": "qform" if sform is None else "sform"}
    if sform is not None and qform is not None:
        grid = Grid(shape, affine)
        corners = grid.corners_mm()
        other = (np.c_[grid.voxel(corners), np.ones(8)] @ (scale @ qform).T)[:, :3]
        apart = float(np.abs(other - corners).max())
        if apart > _CONFLICT_MM:
            description["affine_from"] = f"sform; the qform differs by up to {apart:.1f} mm"
            _LOG.warning("'%s': sform and qform differ by up to %.1f mm; the sform is used.", path, apart)
    return affine, description


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a type that every NIfTI reader knows."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype in (np.int64, np.uint64):
        return array.astype(np.int32)
    return array.astype(np.float32) if array.dtype == np.float16 else array
