"""Phantoms by seed, drawn or painted on a real label map, each rendered once and kept."""

from pathlib import Path

from vertseg.data.cache import ArrayCache, Arrays, cache_key, render_examine, render_locate
from vertseg.data.painting import Painter, PaintingSpec
from vertseg.data.recipes import ExamineData, LocateData
from vertseg.preprocess import CropSpec


class PhantomCache:
    """Arrays of a task's phantoms by seed; drawn and painted ones lie in folders of their own."""

    def __init__(self, data: LocateData | ExamineData, painting: PaintingSpec) -> None:
        folder = None if data.loading.cache_dir is None else Path(data.loading.cache_dir)
        self._painter = Painter(painting, folder)
        maps = self._painter.digest if painting.share > 0 else ""
        if isinstance(data, LocateData):
            self._drawn, self._painted = _scans(data, self._painter, folder, maps)
        else:
            self._drawn, self._painted = _crops(data, self._painter, folder, maps)

    def missing(self, seeds: range) -> list[int]:
        """Seeds that have not been rendered yet."""
        return [seed for seed in seeds if not self._cache(seed).holds(seed)]

    def get(self, seed: int) -> Arrays:
        """The arrays of a seed, rendered and stored now if they are not there.

        Raises:
            InputError: a label map cannot be read or painted on.
        """
        return self._cache(seed).get(seed)

    def _cache(self, seed: int) -> ArrayCache:
        return self._painted if self._painter.paints(seed) else self._drawn


def _scans(
    data: LocateData, painter: Painter, folder: Path | None, maps: str
) -> tuple[ArrayCache, ArrayCache]:
    """Caches of drawn and of painted scans."""
    spacing, spec = data.spacing_mm, data.phantom
    keys = cache_key("locate", spec, spacing), cache_key("locate", spec, spacing, maps)
    return (
        ArrayCache(folder, keys[0], lambda seed: render_locate(seed, spacing, spec)),
        ArrayCache(folder, keys[1], lambda seed: painter.scan(seed, spacing, spec)),
    )


def _crops(
    data: ExamineData, painter: Painter, folder: Path | None, maps: str
) -> tuple[ArrayCache, ArrayCache]:
    """Caches of drawn and of painted crops."""
    spec = CropSpec(data.crop_shape, data.spacing_mm)
    keys = cache_key("examine", spec, data.spacing_mm), cache_key("examine", spec, data.spacing_mm, maps)
    return (
        ArrayCache(folder, keys[0], lambda seed: render_examine(seed, spec)),
        ArrayCache(folder, keys[1], lambda seed: painter.crop(seed, spec)),
    )
