"""Names of the DICOM objects among a prediction's results; apart, for writing them needs highdicom and naming them not."""

from typing import Final

SEGMENTATION: Final = "segmentation.dcm"
MEASUREMENTS: Final = "measurements.dcm"
