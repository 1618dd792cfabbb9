"""Phantoms rendered once per seed and kept on disk; every write is atomic, so processes may share a cache."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import vertseg.phantom
from vertseg.io.atomic import atomic_path
from vertseg.labels import N_LEVELS
from vertseg.phantom.types import Field, ScanConfig
from vertseg.preprocess import CropSpec, locate_hu
from vertseg.source_digest import source_digest
from vertseg.volume import Volume

Arrays = dict[str, NDArray[Any]]

_HU_RANGE: Final = (-1024, 3071)


@dataclass(frozen=True)
class PhantomSpec:
    """Which phantoms are rendered for the locate network.

    Attributes:
        field: part of the spine in view.
        render_spacing_mm: spacing at which scans are rendered before resampling; None draws a clinic's.
        pathology: strength of the pathology mix.
        appearance: strength of the randomised attenuation.
    """

    field: Field = "random"
    render_spacing_mm: tuple[float, float, float] | None = None
    pathology: float = 1.0
    appearance: float = 1.0

    def scan_config(self) -> ScanConfig:
        """The phantom package's configuration of one scan."""
        return ScanConfig(
            field=self.field,
            spacing_mm=self.render_spacing_mm,
            pathology=self.pathology,
            appearance=self.appearance,
        )


def renderer_digest() -> str:
    """Digest of the phantom package's source: crops of an older renderer are never taken for new ones."""
    return source_digest(sorted(Path(vertseg.phantom.__file__).parent.rglob("*.py")))[:12]


def locate_arrays(hu: Volume, level: Volume, tissue: Volume, spacing_mm: float) -> Arrays:
    """HU (int16), level and tissue (uint8) of a scan on its locate grid, and the grid's affine."""
    image = locate_hu(hu, spacing_mm)
    return {
        "hu": np.clip(np.rint(image.array), *_HU_RANGE).astype(np.int16),
        "level": level.resampled_to(image.grid, 0, 0).array.astype(np.uint8),
        "tissue": tissue.resampled_to(image.grid, 0, 0).array.astype(np.uint8),
        "affine": image.affine,
    }


def render_locate(seed: int, spacing_mm: float, spec: PhantomSpec) -> Arrays:
    """One phantom scan at the locate network's spacing, as `scan_arrays`."""
    return scan_arrays(vertseg.phantom.render_scan(seed, spec.scan_config()), spacing_mm)


def scan_arrays(scan: vertseg.phantom.PhantomScan, spacing_mm: float) -> Arrays:
    """A rendered scan on its locate grid; `centres_vox` (29, 3) holds body centres, NaN if none."""
    arrays = locate_arrays(scan.hu, scan.level, scan.tissue, spacing_mm)
    centres = np.full((N_LEVELS, 3), np.nan, np.float32)
    to_voxel = np.linalg.inv(arrays["affine"])
    for vertebra in scan.vertebrae:
        centres[vertebra.level] = to_voxel[:3, :3] @ vertebra.centroid_mm + to_voxel[:3, 3]
    return {**arrays, "centres_vox": centres}


def render_examine(seed: int, spec: CropSpec) -> Arrays:
    """One vertebra's phantom crop, as `crop_arrays`."""
    return crop_arrays(vertseg.phantom.render_crop(seed, shape=spec.shape, spacing_mm=spec.spacing_mm))


def crop_arrays(crop: vertseg.phantom.ExamineCrop) -> Arrays:
    """A rendered crop as it is stored: `examine_arrays`, with its leak and plan."""
    return {
        **examine_arrays(crop.image, crop.tissue, crop.marker, crop.findings),
        "leak": crop.leak.astype(np.float32),
        "plan": crop.plan.astype(np.float32),
    }


def examine_arrays(
    hu: NDArray[np.float32], tissue: NDArray[Any], marker: NDArray[np.float32], findings: NDArray[Any]
) -> Arrays:
    """A crop as it is stored: HU (int16), tissue (uint8), marker (uint8, of 255), findings (packed bits)."""
    return {
        "hu": np.clip(np.rint(hu), *_HU_RANGE).astype(np.int16),
        "tissue": tissue.astype(np.uint8),
        "marker": np.rint(np.clip(marker, 0, 1) * 255).astype(np.uint8),
        "findings": np.packbits(findings.astype(bool), axis=None),
    }


@dataclass(frozen=True)
class CachePlace:
    """A folder of cached arrays, and a bound on the disk that all of them together may take.

    Attributes:
        folder: holds a folder for each kind of arrays; several trainings may share it.
        largest_gb: beyond it, the arrays that were used longest ago are thrown out; None keeps all.
    """

    folder: Path
    largest_gb: float | None = None

    def used(self, path: Path) -> None:
        """Remember that a file was used now."""
        if self.largest_gb is not None:
            with suppress(OSError):
                os.utime(path)

    def trim(self, kept: Path) -> None:
        """Throw out what was used longest ago, but for `kept`, until nine tenths of the bound hold the rest."""
        if self.largest_gb is None:
            return
        found = []
        for path in self.folder.glob("*-*/*.npz"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total, bound = sum(size for _, size, _ in found), self.largest_gb * 1e9
        if total <= bound:
            return
        for _, size, path in sorted(found):
            if total <= 0.9 * bound:
                break
            if path != kept:
                path.unlink(missing_ok=True)
                total -= size


class ArrayCache:
    """Arrays by seed, from disk or from `make`.

    Args:
        place: where they are kept, and how much of the disk they may take; None keeps nothing.
        key: name of their folder in there.
        make: the arrays of a seed.
    """

    def __init__(self, place: CachePlace | None, key: str, make: Callable[[int], Arrays]) -> None:
        self.key = key
        self._place = place
        self._folder = None if place is None else place.folder / key
        self._make = make
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def keeps(self) -> bool:
        """Whether there is a folder to keep arrays in."""
        return self._folder is not None

    def holds(self, seed: int) -> bool:
        """Whether the arrays of a seed are stored."""
        return self._folder is not None and self._path(seed).exists()

    def missing(self, seeds: range) -> list[int]:
        """Seeds whose arrays are not stored yet."""
        return [seed for seed in seeds if not self.holds(seed)]

    def get(self, seed: int) -> Arrays:
        """The arrays of a seed, rendered and stored now if they are not there."""
        if self._place is None:
            return self._make(seed)
        path = self._path(seed)
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            self._place.used(path)
        except FileNotFoundError:
            # Absent, or thrown out by another process a moment ago.
            arrays = self._make(seed)
            self.put(seed, arrays)
        return arrays

    def put(self, seed: int, arrays: Arrays) -> None:
        """Store the arrays of a seed; a process that reads meanwhile sees all of them or none."""
        path = self._path(seed)
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        if self._place is not None:
            self._place.trim(path)

    def _path(self, seed: int) -> Path:
        if self._folder is None:
            raise ValueError("this cache keeps nothing")
        return self._folder / f"{seed:07d}.npz"


def cache_key(task: str, spec: PhantomSpec | CropSpec, spacing_mm: float, painted: str = "") -> str:
    """Folder name of a cache: everything that changes what a seed looks like.

    `painted` is the `data.painting.Painter.digest` of painted seeds, which have a folder of their own.
    """
    maps = (painted,) if painted else ()
    text = repr((task, sorted(asdict(spec).items()), spacing_mm, renderer_digest(), *maps))
    return f"{task}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
