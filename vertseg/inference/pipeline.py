"""`predict`: the whole path from a scan to findings on its own grid."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import vertseg
from vertseg.inference.compose import Composed, add_sacrum, compose
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.examine import Examined, examine_vertebrae
from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.inference.gaps import confirmed
from vertseg.inference.locate import locate_scan
from vertseg.inference.options import PredictOptions
from vertseg.inference.postprocess import Column, read_column
from vertseg.io import Scan, read_scan
from vertseg.io.checks import check_ct
from vertseg.labels import FINDINGS, SACRUM, Tissue, level_name
from vertseg.planning.measures import measure
from vertseg.volume import Volume, restore

_VERSIONED = ("torch", "monai", "openvino", "onnxruntime", "numpy", "scipy", "nibabel")


def predict(
    scan: str | os.PathLike[str] | Volume | Scan,
    *,
    options: PredictOptions | None = None,
    engine: Engine | None = None,
) -> Findings:
    """Vertebrae and their findings in a spine CT, on the scan's own grid.

    Args:
        scan: a NIfTI file, a DICOM series, an opened scan, or HU with an affine.
        options: choices; None takes the defaults.
        engine: runs the networks; None loads the checkpoints that the options name. Pass one to keep it
            loaded between scans.

    Returns:
        Levels, tissue and findings as volumes, and what was measured of each vertebra. Without any vertebra
        they are empty and `Findings.warnings` says so.

    Raises:
        InputError: the scan cannot be used.
        CheckpointError: the weights are absent, damaged or of another version.
        DeviceError: a device was asked for that is not there.
    """
    options = options or PredictOptions()
    seconds: dict[str, float] = {}
    with _timed("load", seconds):
        engine = engine or open_engine(
            options.engine, options.checkpoint_dir, options.device, options.threads
        )
    with _timed("read", seconds):
        scan = _opened(scan, options)
    with _timed("locate", seconds):
        located = locate_scan(scan.volume, engine, options.progress)
    with _timed("column", seconds):
        column = read_column(located)
    wanted = [v for v in column.vertebrae if options.levels is None or v.level in options.levels]
    with _timed("examine", seconds):
        examined, missed = confirmed(examine_vertebrae(scan.volume, wanted, engine, options))
    with _timed("compose", seconds):
        composed = compose(
            scan.volume.grid,
            examined,
            located,
            options.fusion,
            options.finding_thresholds,
            options.probabilities,
            source=scan.source,
        )
        if column.sacrum is not None and (options.levels is None or SACRUM in options.levels):
            add_sacrum(composed, column.sacrum)
    with _timed("measure", seconds):
        vertebrae = tuple(_found(composed, i, crop) for i, crop in enumerate(examined))
    with _timed("restore", seconds):
        levels, tissue, masks = _restored(composed, scan)
    return Findings(
        levels=levels,
        tissue=tissue,
        masks=masks,
        vertebrae=vertebrae,
        seconds=seconds,
        provenance=_provenance(scan, engine),
        warnings=(*_warnings(column, options), *missed, *composed.warnings),
        probabilities=_restored_probabilities(composed, scan),
    )


def open_volume(volume: Volume) -> Scan:
    """An array with its affine as if it had been read from a file.

    Raises:
        InputError: the values cannot be a CT in HU.
    """
    path = Path("the given volume")
    hu = Volume(np.asarray(volume.array, dtype=np.float32), volume.affine)
    check_ct(hu, path)
    digest = hashlib.sha256(np.ascontiguousarray(hu.array).tobytes() + hu.affine.tobytes()).hexdigest()
    return Scan(hu.oriented("RAS"), volume.grid, path, digest, {})


def _opened(scan: str | os.PathLike[str] | Volume | Scan, options: PredictOptions) -> Scan:
    if isinstance(scan, Scan):
        return scan
    return open_volume(scan) if isinstance(scan, Volume) else read_scan(scan, options.series, as_stored=True)


@contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _found(composed: Composed, index: int, crop: Examined) -> VertebraFindings:
    vertebra = crop.vertebra
    tissue, masks = composed.part(index, vertebra.level)
    body = np.argwhere(tissue.array == Tissue.BODY)
    centre = tissue.grid.world(body.mean(axis=0)) if body.size else vertebra.centroid_mm
    return VertebraFindings(
        level=vertebra.level,
        confidence=vertebra.confidence,
        centroid_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        axes=vertebra.axes,
        cut_by_field=vertebra.cut_by_field,
        measures=measure(tissue, masks, centre, vertebra.axes),
        leak=crop.leak,
        leak_confidence=crop.leak_confidence,
        leak_abstained=crop.leak_abstained,
        leak_features=crop.leak_features,
        inferred=vertebra.inferred,
    )


def _restored(composed: Composed, scan: Scan) -> tuple[Volume, Volume, dict[str, Volume]]:
    affine = composed.grid.affine
    levels = restore(Volume(composed.levels, affine), scan.source, copy=False)
    tissue = restore(Volume(composed.tissue, affine), scan.source, copy=False)
    masks = {
        name: restore(Volume(composed.masks[i].view(np.uint8), affine), scan.source, copy=False)
        for i, name in enumerate(FINDINGS)
    }
    return levels, tissue, masks


def _restored_probabilities(composed: Composed, scan: Scan) -> dict[str, Volume] | None:
    if composed.probabilities is None:
        return None
    affine = composed.grid.affine
    return {
        name: restore(Volume(composed.probabilities[i], affine), scan.source)
        for i, name in enumerate(FINDINGS)
    }


def _warnings(column: Column, options: PredictOptions) -> list[str]:
    sentences = []
    if not column.vertebrae:
        sentences.append("No vertebra was found; check that the scan is a CT that shows the spine.")
    elif options.levels is not None:
        seen = {v.level for v in column.vertebrae} | ({SACRUM} if column.sacrum is not None else set())
        absent = [level_name(n) for n in options.levels if n not in seen]
        if absent:
            found = ", ".join(v.name for v in column.vertebrae)
            sentences.append(f"{', '.join(absent)} not found in this scan; it shows {found}.")
    return sentences


def _provenance(scan: Scan, engine: Engine) -> Provenance:
    versions = {"vertseg": vertseg.__version__}
    for package in _VERSIONED:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Provenance(
        scan=str(scan.path),
        scan_sha256=scan.sha256,
        description=dict(scan.description),
        checkpoints=engine.checkpoints,
        versions=versions,
        device=engine.device,
        engine=engine.name,
    )
