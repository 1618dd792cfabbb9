"""DICOM files sorted into series, and the choice of one."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from vertseg.errors import InputError

_DESCRIPTION: Final = {
    "SeriesDescription": "series_description",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "ConvolutionKernel": "kernel",
    "KVP": "kvp",
    "SliceThickness": "slice_thickness_mm",
    "ContrastBolusAgent": "contrast_agent",
}
_TAGS: Final = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "ImageType",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "RescaleSlope", "RescaleIntercept", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", *_DESCRIPTION,
]  # fmt: skip
_CT_CLASSES: Final = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_UNREADABLE: Final = (
    BytesLengthException, EOFError, MemoryError, OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError,
    struct.error,
)  # fmt: skip
# The first element of a file without the 128-byte preamble: group 0002 or 0008, little endian.
_BARE_STARTS: Final = (b"\x02\x00", b"\x08\x00")


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice and where it lies.

    Attributes:
        path: its file.
        index: its number within the file, from 0.
        uid: SOPInstanceUID of the file.
        position_mm: (3,) ImagePositionPatient, centre of the first pixel, LPS mm (PS3.3 C.7.6.2.1.1).
        orientation: (2, 3) direction along a row, then along a column, LPS.
        spacing_mm: PixelSpacing, distance between rows, then between columns.
        shape: rows, columns.
        rescale: slope and intercept to HU.
    """

    path: Path
    index: int
    uid: str
    position_mm: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    rescale: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Series:
    """A DICOM series: what it is called and its slices, in no order."""

    uid: str
    number: str
    modality: str
    description: dict[str, str]
    frames: tuple[Frame, ...]

    @property
    def label(self) -> str:
        """Number, name, size and UID, for a person who has to choose."""
        name = self.description.get("series_description", "no description")
        return f"{self.number or '-'} '{name}' ({self.modality}, {len(self.frames)} images, {self.uid})"


def find_series(files: Iterable[Path]) -> list[Series]:
    """All DICOM series with images among the files, by series number; files that are not DICOM are passed over.

    Raises:
        InputError: a DICOM file is damaged.
    """
    found: dict[str, list[tuple[pydicom.Dataset, Path]]] = {}
    for path in files:
        header = _header(path)
        if header is not None:
            found.setdefault(str(header.SeriesInstanceUID), []).append((header, path))
    series = [_series_of(uid, members) for uid, members in found.items()]
    return sorted(series, key=lambda s: (not s.number.isdigit(), s.number.zfill(12), s.uid))


def choose_series(candidates: list[Series], wanted: str | None, place: Path) -> Series:
    """The series that is wanted, or the only CT volume.

    Raises:
        InputError: there is none, there are several, or the one that is wanted is not a CT volume.
    """
    if not candidates:
        raise InputError(
            f"'{place}' holds no DICOM image; give the folder with the CT's slices, or a .nii.gz."
        )
    if wanted is not None:
        named = [s for s in candidates if is_named(s, wanted)]
        if not named:
            raise InputError(f"'{place}' has no series '{wanted}'; it holds {_listing(candidates)}.")
        if len(named) > 1:
            raise InputError(
                f"'{place}' has several series '{wanted}': {_listing(named)}; choose one by its UID with --series."
            )
        _check_volume(named[0], place)
        return named[0]
    volumes = [s for s in candidates if s.modality == "CT" and len(s.frames) > 1]
    if not volumes:
        for candidate in sorted(candidates, key=lambda s: s.modality != "CT"):
            _check_volume(candidate, place)
    if len(volumes) > 1:
        raise InputError(
            f"'{place}' holds {len(volumes)} CT series: {_listing(volumes)}; choose one by its number or UID "
            "with --series."
        )
    return volumes[0]


def is_named(series: Series, wanted: str) -> bool:
    """Whether `wanted` is the series' UID, number or, in any case, description."""
    name = series.description.get("series_description", "")
    return wanted in (series.uid, series.number) or (name != "" and wanted.casefold() == name.casefold())


def _check_volume(series: Series, place: Path) -> None:
    if series.modality != "CT":
        raise InputError(
            f"'{place}' holds {series.modality or 'an unknown modality'}, not CT (series {series.label}); vertseg reads CT."
        )
    if len(series.frames) < 2:
        raise InputError(
            f"'{place}' holds no volume: series {series.label} has fewer than two slices with a position in the "
            "patient; give the folder with all slices."
        )


def _listing(series: list[Series]) -> str:
    return ", ".join(s.label for s in series)


def _header(path: Path) -> pydicom.Dataset | None:
    """The header of a DICOM image; None when the file is something else."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
            preamble = head[128:132] == b"DICM"
            if not preamble and head[:2] not in _BARE_STARTS:
                return None
            file.seek(0)
            header = pydicom.dcmread(file, stop_before_pixels=True, force=not preamble, specific_tags=_TAGS)
            # Elements are decoded when they are first asked for.
            _ = header.get("SeriesInstanceUID")
    except InvalidDicomError:
        return None
    except _UNREADABLE as error:
        raise InputError(f"'{path}' is a damaged DICOM file ({error}); copy or export it again.") from error
    if "Rows" in header and "SeriesInstanceUID" in header:
        return header
    if preamble and _is_cut(header):
        raise InputError(f"'{path}' is a damaged DICOM file (cut short); copy or export it again.")
    return None


def _is_cut(header: pydicom.Dataset) -> bool:
    """Whether a header without the size of an image should have one, or ends before it says what it is."""
    about = header.file_meta
    return "TransferSyntaxUID" not in about or about.get("MediaStorageSOPClassUID") in _CT_CLASSES


def _series_of(uid: str, members: list[tuple[pydicom.Dataset, Path]]) -> Series:
    try:
        return _series(uid, members)
    except _UNREADABLE as error:
        place = members[0][1] if len(members) == 1 else members[0][1].parent
        raise InputError(
            f"'{place}' holds a damaged DICOM file in series {uid} ({error}); copy or export it again."
        ) from error


def _series(uid: str, members: list[tuple[pydicom.Dataset, Path]]) -> Series:
    # A scout kept in the same series is no slice of the volume.
    slices = [m for m in members if "LOCALIZER" not in (m[0].get("ImageType") or [])]
    first = (slices or members)[0][0]
    frames = [frame for header, path in slices for frame in _frames(header, path)]
    texts = {key: str(first.get(tag) or "").strip() for tag, key in _DESCRIPTION.items()}
    number = first.get("SeriesNumber")
    return Series(
        uid=uid,
        number="" if number is None else str(number),
        modality=str(first.get("Modality") or ""),
        description={"format": "DICOM", **{key: text for key, text in texts.items() if text}},
        frames=tuple({(f.uid, f.index): f for f in frames}.values()),
    )


def _frames(header: pydicom.Dataset, path: Path) -> Iterator[Frame]:
    """Slices of one file that have a place in the patient."""
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if groups is None:
        tags = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        if int(header.get("NumberOfFrames") or 1) == 1 and all(header.get(tag) for tag in tags):
            yield _frame(path, 0, header, dict.fromkeys((*tags, "Rescale"), header))
        return
    shared = (header.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    for index, group in enumerate(groups):
        macros = {
            "ImagePositionPatient": _macro(group, shared, "PlanePositionSequence"),
            "ImageOrientationPatient": _macro(group, shared, "PlaneOrientationSequence"),
            "PixelSpacing": _macro(group, shared, "PixelMeasuresSequence"),
            "Rescale": _macro(group, shared, "PixelValueTransformationSequence"),
        }
        if all(macro.get(tag) for tag, macro in macros.items() if tag != "Rescale"):
            yield _frame(path, index, header, macros)


def _macro(group: pydicom.Dataset, shared: pydicom.Dataset, name: str) -> Any:
    """A functional group of a frame, its own or the shared one (PS3.3 C.7.6.16); empty where there is none."""
    sequence = group.get(name) or shared.get(name)
    return sequence[0] if sequence else pydicom.Dataset()


def _frame(path: Path, index: int, header: pydicom.Dataset, macros: dict[str, Any]) -> Frame:
    rescale = macros["Rescale"]
    slope, intercept = rescale.get("RescaleSlope"), rescale.get("RescaleIntercept")
    rows_mm, columns_mm = macros["PixelSpacing"].PixelSpacing
    return Frame(
        path=path,
        index=index,
        uid=str(header.get("SOPInstanceUID") or path),
        position_mm=np.array(macros["ImagePositionPatient"].ImagePositionPatient, dtype=np.float64),
        orientation=np.array(
            macros["ImageOrientationPatient"].ImageOrientationPatient, dtype=np.float64
        ).reshape(2, 3),
        spacing_mm=(float(rows_mm), float(columns_mm)),
        shape=(int(header.Rows), int(header.Columns)),
        rescale=(
            1.0 if slope in (None, "") else float(slope),
            0.0 if intercept in (None, "") else float(intercept),
        ),
    )
