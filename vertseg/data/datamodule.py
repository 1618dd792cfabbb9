"""Lightning data modules: phantoms by seed and labelled folders."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from lightning import LightningDataModule
from monai.transforms.compose import Compose
from torch.utils.data import DataLoader, Sampler

from vertseg.data.cache import ArrayCache
from vertseg.data.cases import Case, Part, read_case, read_index
from vertseg.data.crops import CaseCrops
from vertseg.data.datasets import DrawnDataset, Sample
from vertseg.data.draws import Draw, Share, StepSampler
from vertseg.data.leaks import UNKNOWN, Injection, read_leak_table
from vertseg.data.painting import PaintingSpec
from vertseg.data.phantoms import PhantomCache
from vertseg.data.recipes import ExamineData, Loading, LocateData
from vertseg.data.transforms import (
    ExamineInput,
    ExamineVariation,
    LocateInput,
    LocatePatch,
    intensity_transform,
    unpack_examine,
)
from vertseg.errors import ConfigError, InputError
from vertseg.labels import FINDINGS, LocateClass, level_name
from vertseg.preprocess import CropSpec

LOCATE_KEYS: Final[tuple[str, ...]] = ("image", "level", "tissue", "centres_vox", "groups")
EXAMINE_KEYS: Final[tuple[str, ...]] = (
    "image",
    "tissue",
    "findings",
    "known_findings",
    "groups",
    "leak",
    "plan",
)


class DrawnDataModule(LightningDataModule):
    """Batches of two drawn datasets; one epoch is the whole training, so progress shows what is left.

    `seed` decides which case each sample shows and how it is varied; set it before training.
    """

    def __init__(self, loading: Loading, steps: int) -> None:
        super().__init__()
        self._loading = loading
        self._steps = steps
        self.seed = 0
        self.train_set: DrawnDataset | None = None
        self.validation_set: DrawnDataset | None = None

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled passes over the training set: this process's share of every step that is left."""
        if self.train_set is None:
            raise ConfigError("The data module was asked for batches before it was set up.")
        done, rank, world_size = 0, 0, 1
        if self.trainer is not None:
            done, rank = self.trainer.global_step, self.trainer.global_rank
            world_size = self.trainer.world_size
        share = Share(self._loading.batch_size, rank, world_size)
        sampler = StepSampler(len(self.train_set), range(done, self._steps), share, self.seed)
        return self._loader(self.train_set, sampler)

    def val_dataloader(self) -> DataLoader[Sample]:
        """The validation set in order, the same draws every time; each process takes its share of the cases."""
        if self.validation_set is None:
            raise ConfigError("The data module was asked for batches before it was set up.")
        rank, world_size = 0, 1
        if self.trainer is not None:
            rank, world_size = self.trainer.global_rank, self.trainer.world_size
        if world_size > len(self.validation_set):
            raise ConfigError(
                f"{world_size} processes share {len(self.validation_set)} validation cases; give each one at least."
            )
        return self._loader(self.validation_set, range(rank, len(self.validation_set), world_size))

    def _loader(self, dataset: DrawnDataset, sampler: Sampler[Draw] | range) -> DataLoader[Sample]:
        workers = self._loading.workers
        return DataLoader(
            dataset,
            batch_size=self._loading.batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
        )


class PhantomDataModule(DrawnDataModule):
    """Phantom scans or crops by seed, rendered when first met and kept in the cache."""

    def __init__(self, data: LocateData | ExamineData, steps: int) -> None:
        super().__init__(data.loading, steps)
        if isinstance(data, ExamineData) and data.leak_table is not None:
            raise ConfigError("data.leak_table is of a labelled folder: it needs data.loading.index too.")
        train, validation = range(*data.train_seeds), range(*data.validation_seeds)
        if set(train) & set(validation):
            raise ConfigError("Training and validation seeds overlap; choose ranges that do not.")
        if not len(train) or not len(validation):
            raise ConfigError("Training and validation seeds are ranges [first, past the last], not empty.")
        self._data = data
        self._seeds = {"train": train, "validation": validation}
        self._caches = {
            "train": PhantomCache(data, data.painting),
            "validation": PhantomCache(data, PaintingSpec()),
        }

    def missing(self) -> list[int]:
        """Seeds that are not in the cache yet, validation first."""
        return [s for part in ("validation", "train") for s in self._caches[part].missing(self._seeds[part])]

    def render(self, seed: int) -> None:
        """Put a seed of either part into the cache."""
        self._caches["train" if seed in self._seeds["train"] else "validation"].get(seed)

    def setup(self, stage: str | None = None) -> None:
        """Make both datasets; nothing is rendered yet."""
        self.train_set = self._dataset("train")
        self.validation_set = self._dataset("validation")

    def _dataset(self, part: str) -> DrawnDataset:
        cache, seeds, fixed = self._caches[part], self._seeds[part], part == "validation"
        if isinstance(self._data, LocateData):
            transform, keys = locate_transform(self._data, fixed), LOCATE_KEYS

            def load(index: int) -> Mapping[Any, Any]:
                return {**cache.get(seeds[index]), "groups": np.arange(len(LocateClass))}
        else:
            transform, keys = examine_transform(self._data, fixed), EXAMINE_KEYS

            def load(index: int) -> Mapping[Any, Any]:
                known = {"known_findings": np.ones(len(FINDINGS), bool), "groups": np.arange(3)}
                return {**unpack_examine(cache.get(seeds[index])), **known}

        return DrawnDataset(len(seeds), load, transform, keys)


class FolderDataModule(DrawnDataModule):
    """Labelled scans of an index, or one crop for each of their vertebrae, made once and kept in the cache."""

    def __init__(self, data: LocateData | ExamineData, steps: int) -> None:
        super().__init__(data.loading, steps)
        if data.loading.index is None:
            raise ConfigError("A labelled folder needs data.loading.index, the path of its index JSON.")
        self._data = data
        self._index = Path(data.loading.index)
        self._cache_dir = None if data.loading.cache_dir is None else Path(data.loading.cache_dir)

    def setup(self, stage: str | None = None) -> None:
        """Read the index and, for examine, the label maps and the leak table; scans are read when first met."""
        parts = read_index(self._index)
        if isinstance(self._data, LocateData):
            self.train_set = self._scans(self._data, parts["training"], fixed=False)
            self.validation_set = self._scans(self._data, parts["validation"], fixed=True)
            return
        spec = CropSpec(self._data.crop_shape, self._data.spacing_mm)
        crops = {p: [CaseCrops(c, spec, self._cache_dir) for c in cases] for p, cases in parts.items()}
        table = self._injections([c for part in crops.values() for c in part])
        self.train_set = self._crops(self._data, "training", crops["training"], table)
        self.validation_set = self._crops(self._data, "validation", crops["validation"], table)

    def _scans(self, data: LocateData, cases: tuple[Case, ...], fixed: bool) -> DrawnDataset:
        stamps = repr(([case.stamp() for case in cases], data.spacing_mm))
        key = f"cases-{hashlib.sha256(stamps.encode()).hexdigest()[:12]}"
        cache = ArrayCache(self._cache_dir, key, lambda i: read_case(cases[i], data.spacing_mm))

        def load(index: int) -> Mapping[Any, Any]:
            return {**cache.get(index), "groups": cases[index].groups}

        return DrawnDataset(len(cases), load, locate_transform(data, fixed), LOCATE_KEYS)

    def _injections(self, crops: list[CaseCrops]) -> dict[tuple[str, int], Injection]:
        """The leak table, whose every row has a crop to go to."""
        if not isinstance(self._data, ExamineData) or self._data.leak_table is None:
            return {}
        path = Path(self._data.leak_table)
        table = read_leak_table(path, {c.case.name for c in crops})
        present = {(c.case.name, v.level) for c in crops for v in c.vertebrae()}
        for name, level in table:
            if (name, level) not in present:
                raise InputError(
                    f"{path} has a row for {level_name(level)} of '{name}', whose label map does not show that "
                    "body whole; correct the level or take the row out."
                )
        return table

    def _crops(
        self, data: ExamineData, part: Part, crops: list[CaseCrops], table: dict[tuple[str, int], Injection]
    ) -> DrawnDataset:
        places = [(c, v.level) for c in crops for v in c.vertebrae()]
        if not places:
            raise InputError(f"No case under '{part}' of {self._index} shows a vertebral body whole.")

        def load(index: int) -> Mapping[Any, Any]:
            crop, level = places[index]
            known = {"known_findings": crop.case.known_findings, "groups": crop.case.part_groups}
            injection = table.get((crop.case.name, level), UNKNOWN)
            arrays = {**crop.get(level), "leak": injection.leak, "plan": injection.plan}
            return {**unpack_examine(arrays), **known}

        fixed = part == "validation"
        return DrawnDataset(len(places), load, examine_transform(data, fixed), EXAMINE_KEYS)


def locate_transform(data: LocateData, fixed: bool) -> Compose:
    """Patch, intensities (training only) and normalisation of a scan."""
    if fixed:
        return Compose([LocatePatch(data.patch_shape, None), LocateInput()])
    augmentation = data.augmentation
    patch = LocatePatch(data.patch_shape, augmentation)
    return Compose([patch, intensity_transform(augmentation.intensity), LocateInput()])


def examine_transform(data: ExamineData, fixed: bool) -> Compose:
    """Variation and intensities (training only) and normalisation of a crop."""
    if fixed:
        return Compose([ExamineInput()])
    augmentation = data.augmentation
    variation = ExamineVariation(CropSpec(data.crop_shape, data.spacing_mm), augmentation)
    return Compose([variation, intensity_transform(augmentation.intensity), ExamineInput()])
