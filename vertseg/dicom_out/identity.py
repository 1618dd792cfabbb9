"""What every DICOM object of a prediction says of its maker, its purpose and its codes."""

from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from highdicom import AlgorithmIdentificationSequence
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from vertseg import __version__
from vertseg.inference.findings import Findings
from vertseg.labels import PRIVATE_SCHEME, Code

MANUFACTURER: Final = "vertseg"
MODEL: Final = "vertseg vertebra segmentation"
SERIAL: Final = "none"
RESEARCH_USE: Final = "Research use only; not a medical device"
SEGMENTATION_SERIES: Final = ("vertseg segmentation (research use)", 7100)
MEASUREMENT_SERIES: Final = ("vertseg measurements (research use)", 7101)
"""Description and number of the series that objects are put into."""


def concept(code: Code) -> CodedConcept:
    """A code of `vertseg.labels` as highdicom takes it."""
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)


def algorithm_parameters(findings: Findings) -> dict[str, str]:
    """What the prediction was made with: hashes of the weights, engine."""
    weights = {
        task: str(about.get("sha256", "unknown"))[:16]
        for task, about in findings.provenance.checkpoints.items()
    }
    return {**weights, "engine": findings.provenance.engine}


def algorithm(findings: Findings) -> AlgorithmIdentificationSequence:
    """The algorithm as a segment names it (PS3.3 10.16)."""
    return AlgorithmIdentificationSequence(
        name="vertseg",
        family=codes.DCM.ArtificialIntelligence,
        version=__version__,
        source=MANUFACTURER,
        parameters=algorithm_parameters(findings),
    )


def stable_uid(*of: str) -> str:
    """A UID made from a UUID (PS3.5 B.2) that is the same for the same texts."""
    return f"2.25.{uuid5(NAMESPACE_OID, ' '.join(('vertseg', *of))).int}"


def tracking_uid(header: Dataset, name: str) -> str:
    """The same for the same structure in one frame of reference, so that predictions of it can be compared."""
    return stable_uid(str(header.FrameOfReferenceUID), name)


def finish(dataset: Any, series: tuple[str, int]) -> None:
    """Series description, our coding scheme, and dates written alike."""
    dataset.SeriesDescription = series[0]
    now = datetime.now()
    dataset.SeriesDate, dataset.SeriesTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeName = "vertseg labels"
    scheme.CodingSchemeVersion = __version__
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    dataset.CodingSchemeIdentificationSequence = Sequence([scheme])
