"""The DICOM frames that a prediction was made from, in the order of its slices."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom import Dataset

from vertseg.errors import InputError
from vertseg.io.dicom import dicom_files
from vertseg.io.series import Frame, choose_series, find_series
from vertseg.io.stacking import copies, stack
from vertseg.volume import Grid

_TYPE_2: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
    "ReferringPhysicianName", "PositionReferenceIndicator",
)  # fmt: skip
"""What the standard wants present, if empty (PS3.3 C.7.1.1, C.7.2.1, C.7.4.1), and exporters leave out."""
_LARGE: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "IconImageSequence")


@dataclass(frozen=True, eq=False)
class SourceFrames:
    """Headers of a series and its frames.

    Attributes:
        headers: one per file, without pixels; the one of a multi-frame file alone.
        slices: for slice k of the prediction, the index of its frame: in `headers`, or in the multi-frame file.
        shape: rows and columns of a frame.
        grid: of the prediction, index (column, row, slice).
        multi_frame: whether one file holds all frames.
    """

    headers: tuple[Dataset, ...]
    slices: tuple[int, ...]
    shape: tuple[int, int]
    grid: Grid
    multi_frame: bool

    @property
    def first(self) -> Dataset:
        """The header that patient and study are taken from."""
        return self.headers[0]

    @property
    def n_frames(self) -> int:
        """Frames that the headers stand for."""
        return int(self.first.NumberOfFrames) if self.multi_frame else len(self.headers)


def source_frames(
    place: Path, series: str | None = None, files: Sequence[Path] | None = None
) -> SourceFrames:
    """The frames of a CT series, on which a DICOM segmentation of it lies.

    A constant gantry tilt is fine: every frame keeps its own place.

    Args:
        place: folder, file or zip, as for `vertseg.io.read_scan`.
        series: which one, where there are several.
        files: those of a folder, where they are known already.

    Raises:
        InputError: it is no DICOM, its slices lie at uneven distances (so that the prediction lies on interpolated
            ones), it is spread over several multi-frame files, or it says no frame of reference.
    """
    with dicom_files(place) if files is None else nullcontext(files) as candidates:
        chosen = choose_series(find_series(candidates), series, place)
        name = f"'{place}' (series {chosen.number or chosen.uid})"
        frames = [chosen.frames[group[0]] for group in copies(chosen.frames)]
        placed = stack(frames, name)
        if not placed.is_even:
            raise InputError(
                f"{name} has slices at uneven distances, so the prediction lies between them and not on them; DICOM "
                "objects of it would not fit the images. Use the NIfTI outputs, or an evenly reconstructed series."
            )
        ordered = [frames[i] for i in placed.order]
        headers, multi_frame = _headers(ordered, name)
    _check(headers[0], name)
    for header in headers:
        _fill_thickness(header, float(np.linalg.norm(placed.affine[:3, 2])), multi_frame)
    rows, columns = ordered[0].shape
    return SourceFrames(
        headers=headers,
        slices=tuple(f.index for f in ordered) if multi_frame else tuple(range(len(ordered))),
        shape=(rows, columns),
        grid=Grid((columns, rows, len(ordered)), placed.affine),
        multi_frame=multi_frame,
    )


def _headers(ordered: Sequence[Frame], name: str) -> tuple[tuple[Dataset, ...], bool]:
    paths = [frame.path for frame in ordered]
    if len(set(paths)) == len(paths):
        return tuple(_header(path) for path in paths), False
    if len(set(paths)) > 1:
        raise InputError(
            f"{name} is spread over {len(set(paths))} multi-frame files, which DICOM objects cannot be made for; "
            "export it as single slices or as one multi-frame file."
        )
    return (_header(paths[0]),), True


def _header(path: Path) -> Dataset:
    header: Any = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    for name in _TYPE_2:
        if name not in header:
            setattr(header, name, "")
    for name in _LARGE:
        if name in header:
            delattr(header, name)
    result: Dataset = header
    return result


def _fill_thickness(header: Dataset, thickness_mm: float, multi_frame: bool) -> None:
    """Segmentations need a thickness; where the source says none, the distance of its slices is taken."""
    items = [header]
    if multi_frame:
        groups = [*header.get("SharedFunctionalGroupsSequence", []), *header.PerFrameFunctionalGroupsSequence]
        items = [item for group in groups for item in group.get("PixelMeasuresSequence", [])]
    for item in items:
        if not item.get("SliceThickness"):
            item.SliceThickness = f"{thickness_mm:.6g}"


def _check(header: Dataset, name: str) -> None:
    missing = [t for t in ("StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID") if not header.get(t)]
    if missing:
        raise InputError(
            f"{name} has no {' and no '.join(missing)}, without which DICOM objects cannot say what they belong to; use "
            "the NIfTI outputs, or the images as the scanner sent them."
        )
