"""`predict`: the whole path from a scan to findings on its own grid."""

import os

from vertseg.inference.engines import Engine
from vertseg.inference.findings import Findings
from vertseg.inference.options import PredictOptions
from vertseg.inference.session import ScanSession
from vertseg.io import Scan
from vertseg.volume import Volume


def predict(
    scan: str | os.PathLike[str] | Volume | Scan,
    *,
    options: PredictOptions | None = None,
    engine: Engine | None = None,
) -> Findings:
    """Vertebrae and their findings in a spine CT, on the scan's own grid.

    Several predictions of one scan, such as of one vertebra after the other, are faster from a
    `vertseg.inference.session.ScanSession`.

    Args:
        scan: a NIfTI file, a DICOM series, an opened scan, or HU with an affine.
        options: choices; None takes the defaults.
        engine: runs the networks; None loads the checkpoints that the options name. Pass one to keep it
            loaded between scans.

    Returns:
        Levels, tissue and findings as volumes, and what was measured of each vertebra. Without any vertebra
        they are empty and `Findings.warnings` says so.

    Raises:
        InputError: the scan cannot be used, or the options' point lies at no vertebra.
        CheckpointError: the weights are absent, damaged or of another version.
        DeviceError: a device was asked for that is not there.
    """
    return ScanSession(scan, engine, options).predict(options)
