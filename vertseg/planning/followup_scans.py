"""A scan with its findings: predicted now, or read from the folder of an earlier prediction."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vertseg.errors import InputError
from vertseg.inference.engines import Engine
from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.inference.options import PredictOptions
from vertseg.inference.pipeline import predict
from vertseg.io import Scan, read_labels, read_scan
from vertseg.labels import FINDINGS
from vertseg.planning.measures import Measures
from vertseg.report.writer import REPORT

_MAPS: Final = ("levels", "tissue", *FINDINGS)


@dataclass(frozen=True, eq=False)
class ExaminedScan:
    """A scan and what was found in it."""

    scan: Scan
    findings: Findings


def is_prediction(path: Path) -> bool:
    """Whether a path is the folder of a prediction."""
    return (path / REPORT).is_file()


def examined_scan(
    path: Path, engine: Callable[[], Engine], options: PredictOptions | None = None
) -> ExaminedScan:
    """A scan with its findings, predicted where `path` is no prediction's folder.

    Args:
        path: scan, or folder with the outputs of `vertseg predict`.
        engine: opens what runs the networks; only called where something must be predicted.
        options: of the prediction.

    Raises:
        InputError: the scan or folder cannot be used.
    """
    if is_prediction(path):
        return read_prediction(path)
    scan = read_scan(path, None if options is None else options.series, as_stored=True)
    return ExaminedScan(scan, predict(scan, options=options, engine=engine()))


def read_prediction(folder: Path) -> ExaminedScan:
    """The findings in a folder that `vertseg predict` wrote, and the scan that they are of.

    Raises:
        InputError: a file is missing or damaged, or the scan is gone or is another one now.
    """
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        place, sha256 = Path(report["input"]["path"]), str(report["input"]["sha256"])
        vertebrae = tuple(_vertebra(v) for v in report["vertebrae"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"'{folder / REPORT}' is not the report of a prediction ({error}); predict the scan again."
        ) from None
    if not place.exists():
        raise InputError(
            f"The scan '{place}' of the prediction '{folder}' is not there any more; give the scan instead of the "
            "folder, or predict it again where it lies now."
        )
    scan = read_scan(place, report["input"]["description"].get("SeriesInstanceUID"), as_stored=True)
    if scan.sha256 != sha256:
        raise InputError(
            f"'{place}' is not the scan that '{folder}' was predicted from (its contents differ); predict it again."
        )
    maps = {name: read_labels(folder / f"{name}.nii.gz") for name in _MAPS}
    for name, volume in maps.items():
        if not volume.grid.matches(scan.volume.grid):
            raise InputError(
                f"'{folder / name}.nii.gz' does not lie on the voxels of '{place}'; predict it again."
            )
    provenance = Provenance(
        str(place), sha256, report["input"]["description"], report["checkpoints"], report["versions"],
        report["device"], report["engine"],
    )  # fmt: skip
    findings = Findings(
        maps["levels"], maps["tissue"], {name: maps[name] for name in FINDINGS}, vertebrae, {}, provenance,
        tuple(report["warnings"]),
    )  # fmt: skip
    return ExaminedScan(scan, findings)


def _vertebra(record: dict[str, Any]) -> VertebraFindings:
    axes = np.stack([np.array(record["axes"][n], np.float64) for n in ("right", "anterior", "up")], axis=1)
    x, y, z = (float(c) for c in record["centroid_mm"])
    names = (name for name in Measures.__dataclass_fields__)
    return VertebraFindings(
        level=int(record["level_number"]),
        confidence=float(record["confidence"]),
        centroid_mm=(x, y, z),
        axes=axes / np.linalg.norm(axes, axis=0),
        cut_by_field=bool(record["cut_by_field"]),
        measures=Measures(**{name: record[name] for name in names}),
        leak={str(route): float(p) for route, p in record["leak_probability"].items()},
        inferred=bool(record["inferred"]),
        leak_confidence=float(record["leak_confidence"]),
        leak_abstained=bool(record["leak_abstained"]),
    )
