"""DICOM CT series in: a folder, one (multi-frame) file, or a zip of either."""

import hashlib
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException

from vertseg.errors import InputError
from vertseg.io.series import Frame, choose_series, find_series
from vertseg.io.stacking import copies, stack
from vertseg.volume import Volume

_AIR_HU: Final = -1024.0
_HIGHEST_HU: Final = 3071.0
_UNDECODABLE: Final = (
    AttributeError, BytesLengthException, EOFError, KeyError, NotImplementedError, OSError, RuntimeError, TypeError,
    ValueError, struct.error,
)  # fmt: skip


def read_dicom(
    place: Path, series: str | None = None, files: Sequence[Path] | None = None
) -> tuple[Volume, str, dict[str, str]]:
    """One CT series as a volume (index column, row, slice; float32 HU), its hash and its description.

    Slices are sorted by geometry. A constant gantry tilt gives a sheared affine. Uneven distances are
    interpolated linearly onto a regular grid; the description says so.

    Args:
        place: folder (searched through all its folders), file or zip.
        series: SeriesInstanceUID, series number or description.
        files: those of a folder, where they are known already; None searches it.

    Raises:
        InputError: no CT, several series and none chosen, slices missing or not parallel, damaged files.
    """
    with dicom_files(place) if files is None else nullcontext(files) as candidates:
        chosen = choose_series(find_series(candidates), series, place)
        name = f"'{place}' (series {chosen.number or chosen.uid})"
        pixels = _Pixels(name)
        frames = _without_copies(chosen.frames, pixels, name)
        placed = stack(frames, name)
        ordered = [frames[i] for i in placed.order]
        slices = np.empty((len(ordered), *ordered[0].shape), dtype=np.float32)
        for index, frame in enumerate(ordered):
            slices[index] = pixels.hu(frame)
    description = {**chosen.description, "series_uid": chosen.uid}
    if placed.tilt_deg > 0.1:
        description["gantry_tilt_deg"] = f"{placed.tilt_deg:.1f}"
    if not placed.is_even:
        slices = _interpolated(slices, placed.at)
        description["slices"] = f"{len(ordered)} uneven, interpolated to {len(slices)}"
    return Volume(slices.transpose(2, 1, 0), placed.affine), pixels.sha256(), description


class _Pixels:
    """HU of frames; decodes each file once as long as its frames are asked for in a row, and hashes it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: Path | None = None
        self._stored: NDArray[Any] = np.empty((0, 0, 0))
        self._padding: float | None = None
        self._hashes: dict[Path, str] = {}

    def hu(self, frame: Frame) -> NDArray[np.float32]:
        """Rows x columns in HU; what lies outside the scanner's circle becomes air."""
        if frame.path != self._path:
            self._open(frame.path)
        if frame.index >= len(self._stored) or self._stored.shape[1:] != frame.shape:
            raise InputError(f"'{frame.path}' holds fewer pixels than it says; copy or export it again.")
        stored = self._stored[frame.index]
        slope, intercept = frame.rescale
        hu: NDArray[np.float32] = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        if self._padding is not None and not _AIR_HU <= self._padding * slope + intercept <= _HIGHEST_HU:
            hu[stored == self._padding] = _AIR_HU
        return hu

    def sha256(self) -> str:
        """SHA-256 over the sorted hashes of the files that were read."""
        return hashlib.sha256("".join(sorted(set(self._hashes.values()))).encode()).hexdigest()

    def _open(self, path: Path) -> None:
        try:
            data = path.read_bytes()
            dataset = pydicom.dcmread(BytesIO(data), force=True)
            syntax = dataset.file_meta.get("TransferSyntaxUID") if "file_meta" in dataset.__dict__ else None
            if syntax is None:
                dataset.file_meta = pydicom.dataset.FileMetaDataset()
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
            if dataset.get("PhotometricInterpretation") != "MONOCHROME2":
                raise InputError(
                    f"'{path}' is a picture in colour or inverted grey, not a CT slice; leave it out."
                )
            array = dataset.pixel_array
        except _UNDECODABLE as error:
            raise InputError(
                f"'{path}' could not be decoded ({' '.join(str(error).split())[:200]}); if it is not damaged, "
                "install the decoders with pip install 'vertseg[dicom]'."
            ) from error
        self._stored = array if array.ndim == 3 else array[np.newaxis]
        padding = dataset.get("PixelPaddingValue")
        self._padding = None if padding in (None, "") else float(padding)
        self._hashes[path] = hashlib.sha256(data).hexdigest()
        self._path = path


def _without_copies(frames: Sequence[Frame], pixels: _Pixels, name: str) -> list[Frame]:
    """The slices, of each place one; copies of a slice are dropped, different slices at one place refused."""
    kept = []
    for group in copies(frames):
        first = frames[group[0]]
        kept.append(first)
        if len(group) == 1:
            continue
        reference = pixels.hu(first)
        for index in group[1:]:
            other = frames[index]
            apart = float(np.linalg.norm(other.position_mm - first.position_mm))
            if other.shape != first.shape or apart > 0.1 or not np.array_equal(pixels.hu(other), reference):
                raise InputError(
                    f"{name} has different images at one place ('{first.path.name}' and '{other.path.name}'), "
                    "such as phases or reconstructions of one scan; export one of them as a series of its own."
                )
    return kept


def _interpolated(slices: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float32]:
    """Slices at fractional positions, linear between neighbours."""
    result = np.empty((len(at), *slices.shape[1:]), dtype=np.float32)
    for index, position in enumerate(at):
        below = min(int(position), len(slices) - 2)
        part = np.float32(position - below)
        result[index] = (1 - part) * slices[below] + part * slices[below + 1]
    return result


@contextmanager
def dicom_files(place: Path) -> Iterator[list[Path]]:
    """All files of a folder or zip, or the one file (the whole disc for a DICOMDIR).

    Raises:
        InputError: a zip cannot be unpacked.
    """
    if place.is_dir():
        yield sorted(p for p in place.rglob("*") if p.is_file())
    elif place.name.upper() == "DICOMDIR":
        yield sorted(p for p in place.parent.rglob("*") if p.is_file())
    elif zipfile.is_zipfile(place):
        with tempfile.TemporaryDirectory(prefix="vertseg-") as folder:
            try:
                with zipfile.ZipFile(place) as archive:
                    archive.extractall(folder)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError) as error:
                raise InputError(
                    f"'{place}' could not be unpacked ({error}); unpack it and give the folder."
                ) from error
            except OSError as error:
                raise InputError(
                    f"'{place}' could not be unpacked ({error.strerror}); free some disk space."
                ) from error
            yield sorted(p for p in Path(folder).rglob("*") if p.is_file())
    else:
        yield [place]
