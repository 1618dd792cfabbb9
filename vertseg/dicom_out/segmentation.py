"""A prediction as a DICOM segmentation (PS3.3 A.51) whose frames are the source's frames."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, Final

import numpy as np
from highdicom import UID
from highdicom.color import CIELabColor
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
    SegmentsOverlapValues,
)
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from vertseg import __version__
from vertseg.dicom_out.identity import (
    MANUFACTURER,
    MODEL,
    RESEARCH_USE,
    SEGMENTATION_SERIES,
    SERIAL,
    algorithm,
    concept,
    finish,
    tracking_uid,
)
from vertseg.dicom_out.segments import Segment, segments_of
from vertseg.dicom_out.source import SourceFrames
from vertseg.errors import InputError
from vertseg.inference.findings import Findings

_FRAMES_AT_ONCE: Final = 64
"""Packed together; a multiple of 8, so that their bits fill whole bytes whatever the size of a frame."""


def segmentation(findings: Findings, source: SourceFrames) -> Segmentation:
    """The prediction's vertebrae, parts and findings as BINARY segments on the source's frames.

    A frame has the position and orientation of the source's frame that it was found on, and its rows and columns;
    frames without a voxel are left out.

    Args:
        findings: made from the same series.
        source: the series' frames.

    Raises:
        InputError: the findings lie on another grid, or nothing was found.
    """
    if not findings.levels.grid.matches(source.grid):
        raise InputError(
            "The prediction does not lie on the frames of this series; give the series it was made from."
        )
    segments = segments_of(findings)
    if not segments:
        raise InputError(
            "No vertebra was found in this scan, so there is nothing to write as a DICOM object."
        )
    result: Any = Segmentation(
        source_images=_as_single_pixels(source),
        pixel_array=_presence(segments, source),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(s, findings, source.first) for s in segments],
        series_instance_uid=UID(),
        series_number=SEGMENTATION_SERIES[1],
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=__version__,
        device_serial_number=SERIAL,
        content_label="VERTSEG",
        content_description=RESEARCH_USE,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=True,
    )
    result.Rows, result.Columns = source.shape
    result.SegmentsOverlap = SegmentsOverlapValues.YES.value
    result.PixelData = _packed(_masks(result, segments, findings, source))
    finish(result, SEGMENTATION_SERIES)
    checked: Segmentation = result
    return checked


def _as_single_pixels(source: SourceFrames) -> list[Dataset]:
    """The headers with one pixel a frame.

    highdicom wants all segments of all frames as one array, 6 GB for a whole spine. From one pixel that says
    whether a segment is in a frame at all, it writes all that a segmentation is but the pixels.
    """
    headers: list[Any] = [deepcopy(header) for header in source.headers]
    for header in headers:
        header.Rows = header.Columns = 1
    return headers


def _presence(segments: Sequence[Segment], source: SourceFrames) -> NDArray[np.bool_]:
    """Frames x 1 x 1 x segments: whether the segment has a voxel there."""
    present = np.zeros((source.n_frames, 1, 1, len(segments)), dtype=np.bool_)
    for index, segment in enumerate(segments):
        present[[source.slices[k] for k in segment.slices], 0, 0, index] = True
    return present


def _masks(
    result: Any, segments: Sequence[Segment], findings: Findings, source: SourceFrames
) -> Iterator[NDArray[np.bool_]]:
    """Rows x columns of each frame that was written, in the order it was written in."""
    slice_of = {frame: k for k, frame in enumerate(source.slices)}
    frame_of = {str(header.SOPInstanceUID): i for i, header in enumerate(source.headers)}
    for group in result.PerFrameFunctionalGroupsSequence:
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        frame = (
            int(image.ReferencedFrameNumber) - 1
            if source.multi_frame
            else frame_of[str(image.ReferencedSOPInstanceUID)]
        )
        yield segments[number - 1].mask(findings, slice_of[frame])


def _packed(masks: Iterator[NDArray[np.bool_]]) -> bytes:
    """Bits of all frames one after the other, the first in the lowest bit (PS3.5 8.1.1); an even number of bytes."""
    packed = bytearray()
    waiting: list[NDArray[np.bool_]] = []
    for mask in masks:
        waiting.append(mask.ravel())
        if len(waiting) == _FRAMES_AT_ONCE:
            packed += np.packbits(np.concatenate(waiting), bitorder="little").tobytes()
            waiting.clear()
    if waiting:
        packed += np.packbits(np.concatenate(waiting), bitorder="little").tobytes()
    return bytes(packed + b"\0" * (len(packed) % 2))


def _description(segment: Segment, findings: Findings, header: Dataset) -> SegmentDescription:
    region = segment.region
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.name,
        segmented_property_category=concept(segment.category),
        segmented_property_type=concept(segment.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(findings),
        tracking_uid=tracking_uid(header, segment.name),
        tracking_id=segment.name,
        anatomic_regions=None if region is None else [concept(region)],
        display_color=CIELabColor.from_rgb(*segment.colour),
    )
