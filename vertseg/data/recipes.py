"""Typed configuration of the data of both tasks."""

from dataclasses import dataclass, field

from vertseg.data.cache import PhantomSpec
from vertseg.data.painting import PaintingSpec
from vertseg.data.transforms import ExamineAugmentation, LocateAugmentation


@dataclass(frozen=True)
class Loading:
    """How batches are read.

    Attributes:
        batch_size: samples a batch.
        workers: loading processes; 0 loads in the training process, best on few cores.
        cache_dir: where rendered phantoms are kept; null keeps none.
        index: JSON index of a labelled folder (see `data.cases`); null trains on phantoms.
    """

    batch_size: int = 1
    workers: int = 0
    cache_dir: str | None = ".cache"
    index: str | None = None


@dataclass(frozen=True)
class LocateData:
    """Scans of the locate network; seeds are half-open ranges, which must not overlap."""

    spacing_mm: float = 3.0
    patch_shape: tuple[int, int, int] = (64, 64, 80)
    train_seeds: tuple[int, int] = (0, 600)
    validation_seeds: tuple[int, int] = (900_000, 900_008)
    phantom: PhantomSpec = field(default_factory=PhantomSpec)
    painting: PaintingSpec = field(default_factory=PaintingSpec)
    augmentation: LocateAugmentation = field(default_factory=LocateAugmentation)
    loading: Loading = field(default_factory=Loading)


@dataclass(frozen=True)
class ExamineData:
    """Crops of the examine network; seeds are half-open ranges, which must not overlap.

    `leak_table` is a CSV of the injections of a labelled folder (see `data.leaks`); null: none are known.
    """

    spacing_mm: float = 1.5
    crop_shape: tuple[int, int, int] = (64, 64, 64)
    train_seeds: tuple[int, int] = (0, 4000)
    validation_seeds: tuple[int, int] = (900_000, 900_032)
    painting: PaintingSpec = field(default_factory=PaintingSpec)
    augmentation: ExamineAugmentation = field(default_factory=ExamineAugmentation)
    loading: Loading = field(default_factory=Loading)
    leak_table: str | None = None
