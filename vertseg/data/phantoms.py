"""Phantoms by seed, drawn or painted on a real label map, each rendered once and kept."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vertseg.data.balance import SHOWN_ML, FindingsIndex, findings_ml, shown_odds
from vertseg.data.cache import ArrayCache, Arrays, CachePlace, cache_key, render_examine, render_locate
from vertseg.data.cases import Part
from vertseg.data.painting import Painter, PaintingSpec
from vertseg.data.recipes import ExamineData, LocateData
from vertseg.data.sources import Source
from vertseg.data.transforms import unpack_examine
from vertseg.errors import ConfigError
from vertseg.labels import FINDINGS, LocateClass, Tissue
from vertseg.preprocess import CropSpec


class Phantoms:
    """The phantoms of a recipe: which seeds, what lacks in the cache, and both parts as sources.

    Raises:
        ConfigError: the seeds are none, or some are in both parts; the painting cannot be.
        InputError: a label map to paint on cannot be read.
    """

    def __init__(self, data: LocateData | ExamineData) -> None:
        self._data = data
        train, validation = range(*data.train_seeds), range(*data.validation_seeds)
        if set(train) & set(validation):
            raise ConfigError("Training and validation seeds overlap; choose ranges that do not.")
        if not len(train) or not len(validation):
            raise ConfigError("Training and validation seeds are ranges [first, past the last], not empty.")
        self._seeds: dict[Part, range] = {"training": train, "validation": validation}
        self._caches: dict[Part, PhantomCache] = {
            "training": PhantomCache(data, data.painting),
            "validation": PhantomCache(data, PaintingSpec()),
        }

    def missing(self) -> list[int]:
        """Seeds that are not in the cache yet, validation first."""
        parts: tuple[Part, ...] = ("validation", "training")
        return [seed for part in parts for seed in self._caches[part].missing(self._seeds[part])]

    def render(self, seed: int) -> None:
        """Put a seed of either part into the cache."""
        self._caches["training" if seed in self._seeds["training"] else "validation"].get(seed)

    def source(self, part: Part) -> Source:
        """The part's phantoms, all of which is annotated; nothing is rendered yet."""
        cache, seeds = self._caches[part], self._seeds[part]
        whole = isinstance(self._data, LocateData)

        def load(index: int) -> Mapping[Any, Any]:
            arrays = cache.get(seeds[index])
            if whole:
                return {**arrays, "groups": np.arange(len(LocateClass))}
            known = {"known_findings": np.ones(len(FINDINGS), bool), "groups": np.arange(len(Tissue))}
            return {**unpack_examine(arrays), **known}

        odds = self._odds(load) if part == "training" else None
        return Source("phantoms", len(seeds), load, self._data.phantom_weight, odds)

    def _odds(self, load: Callable[[int], Mapping[Any, Any]]) -> NDArray[np.float64] | None:
        """Odds of the training phantoms by what their crops show; None where the recipe asks for none."""
        data, cache, seeds = self._data, self._caches["training"], self._seeds["training"]
        if isinstance(data, LocateData) or not data.shown.wanted().any():
            return None
        voxel_ml = data.spacing_mm**3 / 1000

        def measure(seed: int) -> NDArray[np.float64]:
            if cache.missing(range(seed, seed + 1)):
                raise ConfigError(
                    "data.shown weighs phantoms by what they show, so all of them must be rendered first: run the "
                    "same command with --prepare (and with a data.loading.cache_dir that has room for them)."
                )
            return findings_ml(load(seed - seeds.start), voxel_ml)

        ml = FindingsIndex(cache.findings_path).volumes(seeds, measure)
        return shown_odds(ml >= SHOWN_ML, data.shown.wanted())


class PhantomCache:
    """Arrays of a task's phantoms by seed; drawn and painted ones lie in folders of their own.

    `findings_path` is where the volumes of their findings are kept, None where nothing is.
    """

    def __init__(self, data: LocateData | ExamineData, painting: PaintingSpec) -> None:
        place = data.loading.place()
        folder = None if place is None else place.folder
        self._painter = Painter(painting, folder)
        maps = self._painter.digest if painting.share > 0 else ""
        if isinstance(data, LocateData):
            self._drawn, self._painted = _scans(data, self._painter, place, maps)
        else:
            self._drawn, self._painted = _crops(data, self._painter, place, maps)
        text = repr((self._drawn.key, self._painted.key, painting.share))
        name = f"findings-{hashlib.sha256(text.encode()).hexdigest()[:12]}.npz"
        self.findings_path = None if folder is None else folder / name

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
    data: LocateData, painter: Painter, place: CachePlace | None, maps: str
) -> tuple[ArrayCache, ArrayCache]:
    """Caches of drawn and of painted scans."""
    spacing, spec = data.spacing_mm, data.phantom
    keys = cache_key("locate", spec, spacing), cache_key("locate", spec, spacing, maps)
    return (
        ArrayCache(place, keys[0], lambda seed: render_locate(seed, spacing, spec)),
        ArrayCache(place, keys[1], lambda seed: painter.scan(seed, spacing, spec)),
    )


def _crops(
    data: ExamineData, painter: Painter, place: CachePlace | None, maps: str
) -> tuple[ArrayCache, ArrayCache]:
    """Caches of drawn and of painted crops."""
    spec = CropSpec(data.crop_shape, data.spacing_mm)
    keys = cache_key("examine", spec, data.spacing_mm), cache_key("examine", spec, data.spacing_mm, maps)
    return (
        ArrayCache(place, keys[0], lambda seed: render_examine(seed, spec)),
        ArrayCache(place, keys[1], lambda seed: painter.crop(seed, spec)),
    )
