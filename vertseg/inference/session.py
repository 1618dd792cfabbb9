"""A scan kept in memory, so that one vertebra of it costs no more than its own crop."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vertseg.errors import InputError
from vertseg.inference.assemble import (
    column_warnings,
    found,
    provenance,
    restored,
    restored_probabilities,
)
from vertseg.inference.compose import add_sacrum, compose
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.examine import examine_vertebrae
from vertseg.inference.findings import Findings, Vertebra
from vertseg.inference.gaps import confirmed
from vertseg.inference.in_threads import in_threads
from vertseg.inference.locate import locate_scan
from vertseg.inference.located import Located
from vertseg.inference.options import PredictOptions, Progress
from vertseg.inference.postprocess import Column, read_column
from vertseg.io import Scan, read_scan
from vertseg.io.checks import check_ct
from vertseg.labels import SACRUM
from vertseg.volume import Volume

POINT_REACH_MM = 25.0
"""How far from a vertebra's voxels a point may lie and still mean it; about half the distance of two lumbar ones."""


class ScanSession:
    """A scan, its column found once, and predictions of all of it or of single vertebrae.

    May be used from several threads; the column is then found by the first that needs it.

    Args:
        scan: a NIfTI file, a DICOM series, an opened scan, or HU with an affine.
        engine: runs the networks; None loads the checkpoints that the options name.
        options: where the engine and the series come from; `predict` takes its own.

    Raises:
        InputError: the scan cannot be used.
        CheckpointError: the weights are absent, damaged or of another version.
        DeviceError: a device was asked for that is not there.
    """

    def __init__(
        self,
        scan: str | os.PathLike[str] | Volume | Scan,
        engine: Engine | None = None,
        options: PredictOptions | None = None,
    ) -> None:
        options = options or PredictOptions()
        self._seconds: dict[str, float] = {}
        with _timed("load", self._seconds):
            self.engine = engine or open_engine(
                options.engine, options.checkpoint_dir, options.device, options.threads
            )
        with _timed("read", self._seconds):
            self.scan = _opened(scan, options)
        self._column: tuple[Located, Column] | None = None
        self._finding = threading.Lock()

    def column(self, progress: Progress | None = None) -> Column:
        """The vertebrae that the locate network sees, each with its level; found at the first call."""
        return self._found_column(progress or PredictOptions().progress, {})[1]

    def vertebra_at(self, point_mm: Sequence[float]) -> Vertebra:
        """The vertebra that a point means: the one with the nearest voxel on the locate grid.

        Args:
            point_mm: (x, y, z) in world RAS mm.

        Raises:
            InputError: none lies within 25 mm.
        """
        return nearest_vertebra(self.column().vertebrae, point_mm)

    def predict(self, options: PredictOptions | None = None) -> Findings:
        """Findings on the scan's own grid, of the vertebrae that the options name.

        `Findings.seconds` says what this call cost; locate is in it only where this call ran it.

        Raises:
            InputError: the options' point lies at no vertebra.
        """
        options = options or PredictOptions()
        seconds, self._seconds = dict(self._seconds), {}
        scan = self.scan
        located, column = self._found_column(options.progress, seconds)
        wanted = _wanted(column, options)
        with _timed("examine", seconds):
            examined, missed = confirmed(examine_vertebrae(scan.volume, wanted, self.engine, options))
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
            if column.sacrum is not None and _wants_sacrum(options):
                add_sacrum(composed, column.sacrum)
        with _timed("measure", seconds):
            tasks = enumerate(examined)
            vertebrae = tuple(in_threads(lambda task: found(composed, *task), tasks))
        with _timed("restore", seconds):
            levels, tissue, masks = restored(composed, scan)
        return Findings(
            levels=levels,
            tissue=tissue,
            masks=masks,
            vertebrae=vertebrae,
            seconds=seconds,
            provenance=provenance(scan, self.engine),
            warnings=(*column_warnings(column, options), *missed, *composed.warnings),
            probabilities=restored_probabilities(composed, scan),
        )

    def _found_column(self, progress: Progress, seconds: dict[str, float]) -> tuple[Located, Column]:
        with self._finding:
            if self._column is None:
                with _timed("locate", seconds):
                    located = locate_scan(self.scan.volume, self.engine, progress)
                with _timed("column", seconds):
                    self._column = located, read_column(located)
            return self._column


def nearest_vertebra(vertebrae: Sequence[Vertebra], point_mm: Sequence[float]) -> Vertebra:
    """The vertebra with the voxel nearest to a point (x, y, z) in world RAS mm.

    Raises:
        InputError: none has one within 25 mm.
    """
    point = np.asarray(point_mm, dtype=np.float64)
    place = ", ".join(f"{x:g}" for x in point)
    if not vertebrae:
        raise InputError(f"No vertebra was found in this scan, so none lies at the point {place}.")
    distances = [_distance_mm(v, point) for v in vertebrae]
    nearest = int(np.argmin(distances))
    if distances[nearest] > POINT_REACH_MM:
        raise InputError(
            f"No vertebra lies within {POINT_REACH_MM:g} mm of the point {place}; the nearest, "
            f"{vertebrae[nearest].name}, is {distances[nearest]:.0f} mm away. Give world coordinates in mm, x to the "
            "right, y to the front, z to the head (RAS)."
        )
    return vertebrae[nearest]


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


def _wanted(column: Column, options: PredictOptions) -> list[Vertebra]:
    if options.point_mm is not None:
        return [nearest_vertebra(column.vertebrae, options.point_mm)]
    return [v for v in column.vertebrae if options.levels is None or v.level in options.levels]


def _wants_sacrum(options: PredictOptions) -> bool:
    return options.point_mm is None and (options.levels is None or SACRUM in options.levels)


def _distance_mm(vertebra: Vertebra, point: np.ndarray) -> float:
    voxels = np.argwhere(vertebra.marker.array)
    return float(np.linalg.norm(vertebra.marker.grid.world(voxels) - point, axis=1).min())


@contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
