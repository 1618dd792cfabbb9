"""A prediction's measures as a structured report: Comprehensive 3D SR, TID 1500 with a TID 1411 group per vertebra."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from highdicom import UID
from highdicom.seg import Segmentation
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes

from vertseg import __version__
from vertseg.dicom_out.identity import (
    MANUFACTURER,
    MEASUREMENT_SERIES,
    MODEL,
    RESEARCH_USE,
    algorithm_parameters,
    concept,
    finish,
    stable_uid,
    tracking_uid,
)
from vertseg.dicom_out.measures import CodedAnswer, CodedNumber, coded_values, vertebra_values, yes_or_no
from vertseg.dicom_out.segments import segments_of
from vertseg.dicom_out.source import SourceFrames
from vertseg.errors import InputError
from vertseg.inference.findings import Findings
from vertseg.labels import ANATOMY, VERTEBRA, level_code, level_name
from vertseg.report.summary import LEAK_BASIS, report

_FINDING_CATEGORY: Final = concept(ANATOMY)


def measurement_document(
    findings: Findings,
    source: SourceFrames,
    segments: Segmentation,
    plans: Mapping[int, Mapping[str, Any]] | None = None,
) -> Comprehensive3DSR:
    """The measures and leak risks of every vertebra, each group with its segment.

    Args:
        findings: made from the same series.
        source: the series' frames.
        segments: `segmentation(findings, source)`, which is referred to.
        plans: level number -> further measures by name with unit, such as a plan's; see `measures.coded_values`.

    Raises:
        InputError: nothing was found.
    """
    vertebrae = {int(v["level_number"]): v for v in report(findings)["vertebrae"]}
    numbers = {s.value: s.number for s in segments_of(findings) if s.kind == "level"}
    groups = []
    for level, values in vertebrae.items():
        if level not in numbers:
            continue
        coded = [*vertebra_values(values), *coded_values((plans or {}).get(level, {}))]
        reference = ReferencedSegment(
            segments.SOPClassUID,
            segments.SOPInstanceUID,
            numbers[level],
            source_series=SourceSeriesForSegmentation(source.first.SeriesInstanceUID),
        )
        groups.append(_group(level, coded, reference, findings, source.first))
    if not groups:
        raise InputError("No vertebra was found in this scan, so there is nothing to report.")
    content: Any = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer()),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
    )
    _comment(content, findings.warnings)
    document: Any = Comprehensive3DSR(
        evidence=[*source.headers, segments],
        content=content[0],
        series_instance_uid=UID(),
        series_number=MEASUREMENT_SERIES[1],
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    document.ManufacturerModelName = MODEL
    document.SoftwareVersions = __version__
    finish(document, MEASUREMENT_SERIES)
    result: Comprehensive3DSR = document
    return result


def _group(
    level: int,
    coded: Sequence[CodedNumber | CodedAnswer],
    segment: ReferencedSegment,
    findings: Findings,
    header: Dataset,
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    name = level_name(level)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=UID(tracking_uid(header, name)), identifier=name),
        referenced_segment=segment,
        finding_category=_FINDING_CATEGORY,
        finding_type=concept(VERTEBRA),
        finding_sites=[FindingSite(concept(level_code(level)))],
        algorithm_id=AlgorithmIdentification(
            name="vertseg",
            version=__version__,
            parameters=[f"{key} {value}" for key, value in algorithm_parameters(findings).items()],
        ),
        measurements=[
            Measurement(name=concept(c.name), value=c.value, unit=concept(c.unit))
            for c in coded
            if isinstance(c, CodedNumber)
        ],
        qualitative_evaluations=[
            QualitativeEvaluation(name=concept(c.name), value=yes_or_no(c.value))
            for c in coded
            if isinstance(c, CodedAnswer)
        ],
    )


def _observer() -> ObserverContext:
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=stable_uid("device", __version__),
            name="vertseg",
            manufacturer_name=MANUFACTURER,
            model_name=MODEL,
        ),
    )


def _comment(content: Any, warnings: Sequence[str]) -> None:
    """Sentences for the reader, at the end of the report (TID 1500 may be extended)."""
    for sentence in (RESEARCH_USE + ".", f"Leak probabilities are {LEAK_BASIS}.", *warnings):
        content[0].ContentSequence.append(
            TextContentItem(
                name=CodedConcept("121106", "DCM", "Comment"),
                value=sentence,
                relationship_type=RelationshipTypeValues.CONTAINS,
            )
        )
