"""What both LightningModules share: the network, its optimiser and schedule, and counting Dice."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from vertseg.nets.losses import dice_counts
from vertseg.nets.unet import ExamineNet, LocateNet
from vertseg.training.levels import level_confusion
from vertseg.training.optimiser import adamw
from vertseg.training.processes import summed
from vertseg.training.recipes import Optimisation

Batch = Mapping[str, Tensor]


def learning_rate_factor(step: int, optimisation: Optimisation) -> float:
    """Share of the learning rate at a step: linear warm-up, then a half cosine to zero."""
    if step < optimisation.warmup_steps:
        return (step + 1) / optimisation.warmup_steps
    span = max(1, optimisation.max_steps - optimisation.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - optimisation.warmup_steps) / span)))


@dataclass(frozen=True, eq=False)
class Example:
    """A validation case to draw: normalised image, wanted and found tissue, each (X, Y, Z)."""

    image: NDArray[np.float32]
    wanted: NDArray[np.uint8]
    found: NDArray[np.uint8]


class NetworkModule(LightningModule):
    """A network in training; `net` is what is averaged and exported."""

    net: LocateNet | ExamineNet

    def __init__(self, optimisation: Optimisation) -> None:
        super().__init__()
        self.optimisation = optimisation
        self.example: Example | None = None
        self.confusion: Tensor | None = None
        self.source_names: tuple[str, ...] = ()
        self._counts: dict[str, Tensor] = {}
        self._sums: dict[str, Tensor] = {}
        self._of_source = ""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of a batch by name, already weighted; the loss is their sum."""

    @abstractmethod
    def heads(self, batch: Batch) -> dict[str, Tensor]:
        """What the network gives for a batch in validation, by head."""

    @abstractmethod
    def judge(self, batch: Batch, heads: dict[str, Tensor]) -> None:
        """Count and average a validation batch's figures, each where it is annotated."""

    def setup(self, stage: str) -> None:
        """Take over the names of the data's sources, for figures of each."""
        self.source_names = tuple(getattr(getattr(self.trainer, "datamodule", None), "sources", ()))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch."""
        terms = self.losses(batch)
        total = torch.stack(list(terms.values())).sum()
        size = len(batch["image"])
        shown = torch.stack([total, *terms.values()]).detach()
        every = getattr(self.trainer, "log_every_n_steps", 1)  # set by Lightning, but not declared
        if self.trainer.world_size > 1 and (self.global_step + 1) % every == 0:
            # One reduction where a row is written, instead of one for each value at each step.
            shown = self.trainer.strategy.reduce(shown, reduce_op="mean")
        names = ["train/loss", *(f"train/{name}" for name in terms)]
        self.log_dict(dict(zip(names, shown, strict=True)), batch_size=size)
        self.log("train/learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"], batch_size=size)
        return total

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW (no decay on biases and norms) with warm-up and cosine, stepped every batch."""
        own = self.optimisation
        optimizer = adamw(self.parameters(), own.learning_rate, own.weight_decay)
        schedule = LambdaLR(optimizer, lambda step: learning_rate_factor(step, own))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Figures of a batch over all sources, and of each source where there are several."""
        heads = self.heads(batch)
        self._of_source = ""
        self.judge(batch, heads)
        if len(self.source_names) < 2:
            return
        for number, name in enumerate(self.source_names):
            rows = batch["source"] == number
            if bool(rows.any()):
                self._of_source = f"{name}/"
                own = {key: value[rows] for key, value in heads.items()}
                self.judge({key: value[rows] for key, value in batch.items()}, own)

    def on_validation_epoch_start(self) -> None:
        """Forget the counts of the last validation."""
        self._counts, self._sums = {}, {}
        self.confusion = None
        self.example = None

    def show(self, batch: Batch, prediction: Tensor) -> None:
        """Keep the first validation case for the picture."""
        if self.example is None:
            arrays = (batch["image"][0, 0].float(), batch["tissue"][0], prediction[0].to(torch.uint8))
            image, wanted, found = (a.cpu().numpy() for a in arrays)
            self.example = Example(image, wanted, found)

    def count(self, prediction: Tensor, target: Tensor, names: Mapping[str, int]) -> None:
        """Add a batch's voxels to the validation Dice of the named classes."""
        counts = dice_counts(prediction, target, list(names.values()))
        for name, row in zip(names, counts, strict=True):
            key = f"{self._of_source}dice_{name}"
            self._counts[key] = self._counts.get(key, torch.zeros_like(row)) + row

    def mean(self, name: str, values: Tensor) -> None:
        """Add values to the validation mean of a name, which is over the values of all batches and processes."""
        row = torch.stack([values.detach().double().sum(), values.new_tensor(values.numel()).double()])
        key = f"{self._of_source}{name}"
        self._sums[key] = self._sums.get(key, torch.zeros_like(row)) + row

    def confuse(self, wanted: Tensor, found: Tensor) -> None:
        """Add a batch's vertebrae to the confusion of levels: each wanted level of each sample, by majority.

        Args:
            wanted: level of each voxel (N, ...); only vertebrae count.
            found: level given to it, same shape.
        """
        if self._of_source:
            return
        rows = level_confusion(wanted, found)
        self.confusion = rows if self.confusion is None else self.confusion + rows

    def on_validation_epoch_end(self) -> None:
        """Log Dice per class over all validation voxels together, and the means, over all processes."""
        for name, (both, predicted, wanted) in summed(self._counts).items():
            dice = (2 * both + 1e-6) / (predicted + wanted + 1e-6)
            self.log(f"val/{name}", dice.to(self.device), sync_dist=True)
        for name, (total, number) in summed(self._sums).items():
            self.log(f"val/{name}", (total / number).float().to(self.device), sync_dist=True)
        confusion = summed({} if self.confusion is None else {"levels": self.confusion})
        self.confusion = confusion.get("levels")
