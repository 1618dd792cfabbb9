"""The Lightning data module: a mix of phantoms and labelled sets as batches."""

from typing import Final

import torch
from lightning import LightningDataModule
from monai.transforms.compose import Compose
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from vertseg.data.cases import Part
from vertseg.data.datasets import DrawnDataset, Sample
from vertseg.data.draws import Draw, Share, StepSampler
from vertseg.data.intensities import normalised, varied
from vertseg.data.labelled import labelled_sources
from vertseg.data.phantoms import Phantoms
from vertseg.data.recipes import ExamineData, LocateData
from vertseg.data.sources import PARTS, Mix
from vertseg.data.transforms import (
    ExamineVariation,
    LocatePatch,
)
from vertseg.errors import ConfigError
from vertseg.preprocess import CropSpec

LOCATE_KEYS: Final[tuple[str, ...]] = ("hu", "level", "tissue", "centres_vox", "groups", "source")
EXAMINE_KEYS: Final[tuple[str, ...]] = (
    "hu",
    "marker",
    "tissue",
    "findings",
    "known_findings",
    "groups",
    "leak",
    "plan",
    "source",
)


class MixedDataModule(LightningDataModule):
    """Batches of a mix's samples; one epoch is the whole training, so progress shows what is left.

    `seed` decides which case each sample shows and how it is varied; set it before training. `phantoms` are None
    where the recipe takes none; `sources` names the mix's sources by the number under "source" of a batch.

    Raises:
        ConfigError: the recipe has nothing to learn from, or seeds that overlap.
        InputError: a label map to paint on cannot be read.
    """

    def __init__(self, data: LocateData | ExamineData, steps: int) -> None:
        super().__init__()
        if data.phantom_weight < 0 or (data.phantom_weight == 0 and not data.sets):
            raise ConfigError(
                "There is nothing to learn from: data.phantom_weight must be positive, or 0 beside sets under data.sets."
            )
        self._data = data
        self._loading = data.loading
        self._steps = steps
        self.seed = 0
        self.phantoms = Phantoms(data) if data.phantom_weight > 0 else None
        self._mixes: dict[Part, Mix] = {}
        self.train_set: DrawnDataset | None = None
        self.validation_set: DrawnDataset | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the mix's sources, once it is set up."""
        return tuple(source.name for source in self._mixes["training"].sources)

    def setup(self, stage: str | None = None) -> None:
        """Read the sets' indices and make both datasets; nothing is rendered yet.

        Raises:
            ConfigError, InputError: of a set (see `data.labelled.labelled_sources`).
        """
        sets = [labelled_sources(self._data, number) for number in range(len(self._data.sets))]
        for part in PARTS:
            own = [] if self.phantoms is None else [self.phantoms.source(part)]
            self._mixes[part] = Mix([*own, *(sources[part] for sources in sets)])
        self.train_set = self._dataset("training")
        self.validation_set = self._dataset("validation")

    def _dataset(self, part: Part) -> DrawnDataset:
        fixed, mix = part == "validation", self._mixes[part]
        if isinstance(self._data, LocateData):
            return DrawnDataset(len(mix), mix.load, locate_transform(self._data, fixed), LOCATE_KEYS)
        return DrawnDataset(len(mix), mix.load, examine_transform(self._data, fixed), EXAMINE_KEYS)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Draws by the sources' weights: this process's share of every step that is left."""
        if self.train_set is None:
            raise ConfigError("The data module was asked for batches before it was set up.")
        done, rank, world_size = 0, 0, 1
        if self.trainer is not None:
            done, rank = self.trainer.global_step, self.trainer.global_rank
            world_size = self.trainer.world_size
        share = Share(self._loading.batch_size, rank, world_size)
        steps, odds = range(done, self._steps), self._mixes["training"].odds()
        sampler = StepSampler(len(self.train_set), steps, share, self.seed, odds)
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

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        """Batch with "image" in place of "hu" and "marker": what the networks see, made on the batch's device.

        Training samples get their change of intensities here, each by its own draw.
        """
        rest = dict(batch)
        hu, draws = rest.pop("hu"), rest.pop("draw")
        image = normalised(varied(hu, draws, self._data.augmentation.intensity))
        marker = rest.pop("marker", None)
        if marker is not None:
            image = torch.cat([image, marker.unsqueeze(1)], 1)
        return {**rest, "image": image}

    def _loader(self, dataset: DrawnDataset, sampler: Sampler[Draw] | range) -> DataLoader[Sample]:
        workers = self._loading.workers
        return DataLoader(
            dataset,
            batch_size=self._loading.batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
        )


def locate_transform(data: LocateData, fixed: bool) -> Compose:
    """Patch of a scan."""
    return Compose([LocatePatch(data.patch_shape, None if fixed else data.augmentation)])


def examine_transform(data: ExamineData, fixed: bool) -> Compose:
    """Variation of a crop (training only)."""
    if fixed:
        return Compose([])
    return Compose([ExamineVariation(CropSpec(data.crop_shape, data.spacing_mm), data.augmentation)])
