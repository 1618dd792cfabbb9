"""DICOM segmentation objects in: what their segments are called, and where on a scan's grid each frame lies.

A segmentation (PS3.3 A.51) has frames in any order, may leave empty ones out, and may lie on a part of the scan's
grid or on the same grid turned round; each frame says its place itself (Plane Position, Plane Orientation and Pixel
Measures of PS3.3 C.7.6.16), and only that place counts here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import InputError
from vertseg.labels import N_LEVELS, level_code, level_name
from vertseg.volume import Volume

_LPS_TO_RAS: Final = np.array([-1.0, -1.0, 1.0])
_SAME_PLACE_VOX: Final = 0.1
_UNREADABLE: Final = (AttributeError, EOFError, IndexError, KeyError, NotImplementedError, OSError, RuntimeError, TypeError, ValueError)  # fmt: skip
_NAME_OF_CODE: Final = {level_code(n).value: level_name(n) for n in range(1, N_LEVELS)}

Voxels = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class PlacedVoxels:
    """Voxels of one frame's segment on the scan's grid, and how many lie outside of it."""

    segment: int
    voxels: Voxels
    outside: int


def segment_names(dataset: Any) -> dict[int, tuple[str, ...]]:
    """What each segment is called, by its number: its label first, then its coded type and its description.

    A type that is coded with the SNOMED CT concept of a vertebra is given the level's name ("L1").
    """
    names = {}
    for segment in dataset.get("SegmentSequence") or []:
        if int(segment.SegmentNumber) == 0:
            continue  # a label map's background
        kinds = segment.get("SegmentedPropertyTypeCodeSequence") or []
        codes = [_NAME_OF_CODE.get(str(kind.get("CodeValue"))) for kind in kinds]
        meanings = [str(kind.get("CodeMeaning") or "") for kind in kinds]
        texts = [segment.get("SegmentLabel"), *codes, *meanings, segment.get("SegmentDescription")]
        names[int(segment.SegmentNumber)] = tuple(str(text) for text in texts if text)
    return names


def placed_segments(path: Path, image: Volume) -> Iterator[PlacedVoxels]:
    """Segments of a segmentation object on a scan's grid, a frame at a time.

    Fractional segmentations count from half of their greatest value on.

    Raises:
        InputError: highdicom is not installed, the file is no segmentation that can be read, or a frame does not
            lie on the scan's voxels.
    """
    segmentation = _opened(path)
    per_frame = segmentation.PerFrameFunctionalGroupsSequence
    shared = (segmentation.get("SharedFunctionalGroupsSequence") or [{}])[0]
    kind = str(segmentation.SegmentationType)
    half = float(segmentation.get("MaximumFractionalValue") or 1) / 2
    to_voxel: NDArray[np.float64] = np.linalg.inv(image.affine).astype(np.float64)
    for index, groups in enumerate(per_frame):
        try:
            stored = segmentation.get_stored_frame(index + 1)
            steps, start = _place(groups, shared, to_voxel)
            if kind == "LABELMAP":
                masks = {int(n): stored == n for n in np.unique(stored) if n}
            else:
                number = _macro(groups, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber
                masks = {int(number): stored >= half if kind == "FRACTIONAL" else stored > 0}
        except _UNREADABLE as error:
            raise _damaged(path, error) from error
        turned = np.rint(steps)
        pixels = np.array([[0, 0], [stored.shape[1] - 1, 0], [0, stored.shape[0] - 1]])
        off = np.abs(start + pixels @ steps - (np.rint(start) + pixels @ turned)).max()
        if off > _SAME_PLACE_VOX or (np.abs(turned).sum(axis=1) != 1).any():
            raise InputError(
                f"'{path}' does not lie on its image's grid (frame {index + 1}); resample the segmentation to the CT."
            )
        for segment, mask in masks.items():
            yield _on_grid(segment, mask, np.rint(start), turned, image.array.shape)


def _opened(path: Path) -> Any:
    try:
        from highdicom.seg import segread
    except ModuleNotFoundError as error:
        raise InputError(
            f"'{path}' needs {error.name} to be read; install it with pip install 'vertseg[dicom]'."
        ) from error
    try:
        segmentation = segread(path, lazy_frame_retrieval=True)
        if not segmentation.get("PerFrameFunctionalGroupsSequence"):
            raise ValueError("it has no frames with a place")
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return segmentation


def _damaged(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(
        f"'{path}' is no DICOM segmentation that can be read ({said}); copy or export it again."
    )


def _macro(groups: Any, shared: Any, name: str) -> Any:
    """A functional group of a frame, its own or the one that all frames share (PS3.3 C.7.6.16)."""
    return (groups.get(name) or shared.get(name))[0]


def _place(
    groups: Any, shared: Any, to_voxel: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps (2, 3) in voxels of the scan along a frame's columns and rows, and where its first pixel lies."""
    plane, directed, measures = (
        _macro(groups, shared, f"{name}Sequence")
        for name in ("PlanePosition", "PlaneOrientation", "PixelMeasures")
    )
    position = np.array(plane.ImagePositionPatient, dtype=np.float64)
    orientation = np.array(directed.ImageOrientationPatient, dtype=np.float64)
    down_mm, along_mm = (float(s) for s in measures.PixelSpacing)
    # PixelSpacing is the distance between rows first; the orientation says the way along a row first.
    directions = orientation.reshape(2, 3) * _LPS_TO_RAS * np.array([[along_mm], [down_mm]])
    steps = directions @ to_voxel[:3, :3].T
    start = to_voxel[:3, :3] @ (position * _LPS_TO_RAS) + to_voxel[:3, 3]
    return steps, start


def _on_grid(
    segment: int,
    mask: NDArray[np.bool_],
    start: NDArray[np.float64],
    steps: NDArray[np.float64],
    shape: tuple[int, ...],
) -> PlacedVoxels:
    row, column = np.nonzero(mask)
    voxels = (start + np.stack([column, row], axis=1) @ steps).astype(np.int64)
    inside = ((voxels >= 0) & (voxels < np.array(shape))).all(axis=1)
    x, y, z = voxels[inside].T
    return PlacedVoxels(segment, (x, y, z), int((~inside).sum()))
