"""Random numbers of a step as a function of the recipe's seed, the step and the process."""

from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer


class StepSeeds(Callback):
    """Seeds torch and numpy anew before every step, so that a step does not depend on how it was reached.

    What the processes draw on their own (augmentation on the GPU, dropout) differs between them. Cases and their
    changes in the loading processes have seeds of their own (`data.draws`).
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the first step, a resumed one too."""
        self._apply(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Seed the next step, before its batch is taken."""
        self._apply(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what validation drew."""
        self._apply(trainer)

    def _apply(self, trainer: Trainer) -> None:
        key = (self._seed, trainer.global_step, trainer.global_rank)
        seed = int(np.random.default_rng(key).integers(2**31 - 1))
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - libraries draw from it
