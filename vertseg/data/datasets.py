"""Datasets by seed: each item is a fresh draw of a cached phantom or case."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms.compose import Compose
from torch.utils.data import Dataset

from vertseg.data.draws import Draw

Sample = dict[Hashable, Any]


class DrawnDataset(Dataset[Sample]):
    """Item `Draw(i, seed)`: `load(i)` through the transforms, whose chances come from the seed alone.

    An index without a seed stands for its own (validation): always the same draw.
    """

    def __init__(
        self,
        size: int,
        load: Callable[[int], Mapping[Hashable, Any]],
        transform: Compose,
        keep: tuple[str, ...],
    ) -> None:
        self._size = size
        self._load = load
        self._transform = transform
        self._keep = keep

    def __len__(self) -> int:
        """Number of cases."""
        return self._size

    def __getitem__(self, item: int | Draw) -> Sample:
        """Tensors of one draw: the keys in `keep`, and "draw", the seed of what is varied later (-1: nothing is)."""
        index, seed = item if isinstance(item, Draw) else Draw(item, item)
        self._transform.set_random_state(seed=seed)
        sample = self._transform(dict(self._load(index)))
        sample["draw"] = np.int64(seed if isinstance(item, Draw) else -1)
        return {name: torch.as_tensor(np.asarray(sample[name])) for name in (*self._keep, "draw")}
