"""One upright crop per labelled vertebra of a case, made through the preprocessing of inference and cached."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

import vertseg.frames
import vertseg.preprocess
from vertseg.data import vertebrae
from vertseg.data.cache import ArrayCache, Arrays, CachePlace, examine_arrays
from vertseg.data.cases import Case, case_labels
from vertseg.data.vertebrae import LabelledVertebra, labelled_vertebrae
from vertseg.io import read_labels, read_scan
from vertseg.labels import FINDINGS, LocateClass, Tissue
from vertseg.phantom.shapes import waves
from vertseg.preprocess import CropSpec, examine_crop
from vertseg.source_digest import source_digest
from vertseg.volume import Grid, Volume

_FRAMES: Final = 0
"""Where a case's cache keeps its vertebrae; its other entries are crops by level number."""

_MARKER_MM: Final = 3.0
_MARKER_MARGIN_MM: Final = 6.0
_SOURCES: Final = (vertseg.frames, vertseg.preprocess, vertebrae)


@dataclass(frozen=True, eq=False)
class _Files:
    """A case's volumes on one RAS grid."""

    image: Volume
    level: Volume
    parts: Volume | None
    findings: dict[str, Volume]


class CaseCrops:
    """The crops of one case; all are made and stored when the first one is asked for."""

    def __init__(self, case: Case, spec: CropSpec, place: CachePlace | None) -> None:
        self.case = case
        self._spec = spec
        text = repr((case.stamp(), spec, _source_digest()))
        key = f"crops-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self._cache = ArrayCache(place, key, self._make)
        self._vertebrae: tuple[LabelledVertebra, ...] | None = None

    def vertebrae(self) -> tuple[LabelledVertebra, ...]:
        """The case's vertebrae that are whole in the scan.

        Raises:
            InputError: a label map cannot be read or does not lie on its image's grid.
        """
        if self._vertebrae is None:
            rows = self._cache.get(_FRAMES)
            columns = zip(rows["level"], rows["centre_mm"], rows["axes"], strict=True)
            self._vertebrae = tuple(LabelledVertebra(int(n), centre, axes) for n, centre, axes in columns)
        return self._vertebrae

    def get(self, level: int) -> Arrays:
        """The crop of a level, as `data.cache.examine_arrays`.

        Raises:
            InputError: a file cannot be read or does not lie on its image's grid.
        """
        return self._cache.get(level)

    def _make(self, level: int) -> Arrays:
        if level == _FRAMES:
            return _frame_arrays(self.case)
        files = _read(self.case)
        wanted = [v for v in self.vertebrae() if v.level == level or self._cache.keeps]
        crops = {v.level: self._crop(files, v) for v in wanted}
        for other, arrays in crops.items():
            if other != level:
                self._cache.put(other, arrays)
        return crops[level]

    def _crop(self, files: _Files, vertebra: LabelledVertebra) -> Arrays:
        rng = np.random.default_rng([vertebra.level, zlib.crc32(self.case.name.encode())])
        marker = rough_marker(files.level, vertebra.level, rng)
        place = (vertebra.centre_mm, vertebra.axes)
        hu, rough, grid = examine_crop(files.image, *place, marker, self._spec)
        mine, tissue = _tissue(files, vertebra.level, grid)
        findings = np.zeros((len(FINDINGS), *grid.shape), bool)
        for name, mask in files.findings.items():
            findings[FINDINGS.index(name)] = mine & (mask.resampled_to(grid, 0, 0).array > 0)
        return examine_arrays(hu, tissue, rough, findings)


def rough_marker(level: Volume, number: int, rng: np.random.Generator) -> Volume:
    """The mask of one level at 3 mm, partly wrong along its surface, as a locate network gives it.

    Surface and strength of the errors are drawn as for the phantom's crops (`phantom.crop`).
    """
    mask = level.array == number
    at = np.argwhere(mask)
    margin = np.ceil(_MARKER_MARGIN_MM / np.array(level.grid.spacing_mm)).astype(int)
    start = np.maximum(at.min(axis=0) - margin, 0)
    stop = np.minimum(at.max(axis=0) + 1 + margin, mask.shape)
    box = level.with_array(mask.astype(np.float32)).cropped(start, stop)
    coarse = box.resampled_to(box.grid.covering(_MARKER_MM), 1, 0.0)
    steps = np.moveaxis(np.indices(coarse.array.shape, np.float32), 0, -1) * _MARKER_MM
    x, y, z = rng.uniform(0, 2 * np.pi, 3)
    doubt = waves(torch.from_numpy(steps), (float(x), float(y), float(z)), float(rng.uniform(12, 40))).numpy()
    threshold = 0.5 + rng.uniform(0.0, 0.5) * doubt + rng.normal(0, 0.12)
    return coarse.with_array(coarse.array > threshold)


def _tissue(files: _Files, level: int, grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """On the crop's grid: this vertebra's mask, and its `labels.Tissue` (all body where parts are unknown)."""
    mine = files.level.resampled_to(grid, 0, 0).array == level
    if files.parts is None:
        return mine, np.where(mine, Tissue.BODY, Tissue.NONE).astype(np.uint8)
    parts = files.parts.resampled_to(grid, 0, 0).array
    tissue = np.where(mine & (parts == LocateClass.BODY), Tissue.BODY, Tissue.NONE)
    tissue[mine & (parts == LocateClass.POSTERIOR)] = Tissue.POSTERIOR
    return mine, tissue.astype(np.uint8)


def _read(case: Case) -> _Files:
    image = read_scan(case.image).volume
    parts = case_labels(case.tissue, image) if case.tissue and "tissue" in case.annotated else None
    findings = {name: case_labels(path, image) for name, path in case.findings}
    return _Files(image, case_labels(case.level, image), parts, findings)


def _frame_arrays(case: Case) -> Arrays:
    level = read_labels(case.level)
    parts = case_labels(case.tissue, level) if case.tissue and "tissue" in case.annotated else None
    found = labelled_vertebrae(level, parts)
    return {
        "level": np.array([v.level for v in found], np.int64),
        "centre_mm": np.array([v.centre_mm for v in found]).reshape(-1, 3),
        "axes": np.array([v.axes for v in found]).reshape(-1, 3, 3),
    }


def _source_digest() -> str:
    """Digest of the code that makes crops: those of older code are never taken for new ones."""
    return source_digest([Path(__file__), *(Path(str(module.__file__)) for module in _SOURCES)])
