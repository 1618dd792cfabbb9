"""Typed configuration of the data of both tasks."""

from dataclasses import dataclass, field
from pathlib import Path

from vertseg.data.balance import ShownShares
from vertseg.data.cache import CachePlace, PhantomSpec
from vertseg.data.painting import PaintingSpec
from vertseg.data.transforms import ExamineAugmentation, LocateAugmentation
from vertseg.errors import ConfigError


@dataclass(frozen=True)
class Loading:
    """How batches are read.

    Attributes:
        batch_size: samples a batch.
        workers: loading processes; 0 loads in the training process, best on few cores.
        cache_dir: where rendered phantoms and prepared cases are kept; null keeps none.
        cache_gb: most of the disk that they may take; what was used longest ago makes room. Null sets no bound.
    """

    batch_size: int = 1
    workers: int = 0
    cache_dir: str | None = ".cache"
    cache_gb: float | None = None

    def place(self) -> CachePlace | None:
        """Where arrays are kept.

        Raises:
            ConfigError: the bound holds nothing.
        """
        if self.cache_gb is not None and self.cache_gb <= 0:
            raise ConfigError("data.loading.cache_gb is more than 0, or null for no bound.")
        return None if self.cache_dir is None else CachePlace(Path(self.cache_dir), self.cache_gb)


@dataclass(frozen=True)
class LabelledSet:
    """A labelled set that is learned from: its index may annotate less than others of the mix.

    Attributes:
        index: JSON index (see `data.cases`).
        weight: how often its samples are drawn, relative to the other sets and to the phantoms, whatever its size.
        leak_table: CSV of its injections (see `data.leaks`), for examine; null: none are known.
        name: in logs; the name of the index's folder if empty.
    """

    index: str
    weight: float = 1.0
    leak_table: str | None = None
    name: str = ""


@dataclass(frozen=True)
class LocateData:
    """Scans of the locate network: phantoms, and labelled sets beside them.

    Attributes:
        train_seeds: phantoms [first, past the last] that are learned from.
        validation_seeds: phantoms that are validated on; the ranges must not overlap.
        phantom_weight: how often a phantom is drawn, relative to the sets' weights; 0 takes none.
        sets: labelled sets.
    """

    spacing_mm: float = 3.0
    patch_shape: tuple[int, int, int] = (64, 64, 80)
    train_seeds: tuple[int, int] = (0, 600)
    validation_seeds: tuple[int, int] = (900_000, 900_008)
    phantom: PhantomSpec = field(default_factory=PhantomSpec)
    painting: PaintingSpec = field(default_factory=PaintingSpec)
    augmentation: LocateAugmentation = field(default_factory=LocateAugmentation)
    loading: Loading = field(default_factory=Loading)
    phantom_weight: float = 1.0
    sets: tuple[LabelledSet, ...] = ()


@dataclass(frozen=True)
class ExamineData:
    """Crops of the examine network: phantoms, and labelled sets beside them.

    Attributes:
        train_seeds: phantoms [first, past the last] that are learned from.
        validation_seeds: phantoms that are validated on; the ranges must not overlap.
        phantom_weight: how often a phantom is drawn, relative to the sets' weights; 0 takes none.
        sets: labelled sets.
        shown: how much of the training shows each finding at least, in every source that annotates it.
    """

    spacing_mm: float = 1.5
    crop_shape: tuple[int, int, int] = (64, 64, 64)
    train_seeds: tuple[int, int] = (0, 4000)
    validation_seeds: tuple[int, int] = (900_000, 900_032)
    painting: PaintingSpec = field(default_factory=PaintingSpec)
    augmentation: ExamineAugmentation = field(default_factory=ExamineAugmentation)
    loading: Loading = field(default_factory=Loading)
    phantom_weight: float = 1.0
    sets: tuple[LabelledSet, ...] = ()
    shown: ShownShares = field(default_factory=ShownShares)
