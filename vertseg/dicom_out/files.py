"""DICOM objects of a prediction as files beside its other results."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vertseg.dicom_out.names import MEASUREMENTS, SEGMENTATION
from vertseg.dicom_out.report_document import measurement_document
from vertseg.dicom_out.segmentation import segmentation
from vertseg.dicom_out.source import SourceFrames, source_frames
from vertseg.errors import InputError
from vertseg.inference.findings import Findings
from vertseg.io.atomic import atomic_path


def write_dicom(
    findings: Findings,
    source: SourceFrames,
    folder: Path,
    *,
    with_report: bool = True,
    plans: Mapping[int, Mapping[str, Any]] | None = None,
) -> tuple[Path, ...]:
    """Write `segmentation.dcm` and, `with_report`, `measurements.dcm`; their paths.

    Args:
        findings: made from the same series.
        source: the series' frames.
        folder: made when absent.
        with_report: whether to write the structured report as well, which refers to the segmentation.
        plans: see `measurement_document`.

    Raises:
        InputError: the findings lie on other frames, or nothing was found.
        OutputError: the disk is full, or the file system refuses otherwise.
    """
    segments = segmentation(findings, source)
    objects: dict[str, Any] = {SEGMENTATION: segments}
    if with_report:
        objects[MEASUREMENTS] = measurement_document(findings, source, segments, plans)
    for name, dataset in objects.items():
        with atomic_path(folder / name) as partial:
            dataset.save_as(partial, enforce_file_format=True)
    return tuple(folder / name for name in objects)


def dicom_writer(
    place: Path, series: str | None, with_report: bool
) -> Callable[[Findings, Path], tuple[Path, ...]]:
    """Writes a prediction of the series into a folder; where no vertebra was found it writes nothing.

    The frames are looked at now, so that a series is refused before it is predicted.

    Raises:
        InputError: it is no DICOM, or its frames do not allow it, see `source_frames`.
    """
    if place.name.lower().endswith((".nii", ".nii.gz")):
        raise InputError(
            f"'{place}' is no DICOM, so no DICOM object can lie on its frames; give the series it was made from."
        )
    source = source_frames(place, series)

    def write(findings: Findings, folder: Path) -> tuple[Path, ...]:
        if not findings.levels.array.any():
            return ()
        return write_dicom(findings, source, folder, with_report=with_report)

    return write
