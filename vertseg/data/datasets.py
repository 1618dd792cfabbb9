"""Datasets by seed: each item is a fresh draw of a cached phantom or case."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms.compose import Compose
from torch.utils.data import Dataset

Sample = dict[Hashable, Any]


class DrawnDataset(Dataset[Sample]):
    """Item i: `load(i)` through the transforms, with chances drawn anew at every visit.

    The chances come from torch's generator, so a seeded run draws the same again; `fixed` ties them to the
    index instead (validation).
    """

    def __init__(
        self,
        size: int,
        load: Callable[[int], Mapping[Hashable, Any]],
        transform: Compose,
        keep: tuple[str, ...],
        fixed: bool = False,
    ) -> None:
        self._size = size
        self._load = load
        self._transform = transform
        self._keep = keep
        self._fixed = fixed

    def __len__(self) -> int:
        """Number of cases."""
        return self._size

    def __getitem__(self, index: int) -> Sample:
        """Tensors of one draw, the keys in `keep`."""
        seed = index if self._fixed else int(torch.randint(2**31 - 1, ()).item())
        self._transform.set_random_state(seed=seed)
        sample = self._transform(dict(self._load(index)))
        return {name: torch.as_tensor(np.asarray(sample[name])) for name in self._keep}
