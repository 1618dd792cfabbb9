"""Averaged weights, and the checkpoints and resume files that are exported."""

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from vertseg.errors import TrainingError
from vertseg.io.atomic import atomic_path
from vertseg.nets.checkpoint import save_checkpoint
from vertseg.nets.meta import Meta
from vertseg.training.module import NetworkModule
from vertseg.training.record import ValidationRecord


class AveragedWeights(Callback):
    """Exponential moving average of the network's weights, used in validation and export.

    The decay grows as (1 + t) / (10 + t) up to `decay`, so that early exports are not the initial weights. Every
    process keeps its own average; as all have the same weights after each step, so are the averages.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._average: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] = {}

    def averaged(self, module: NetworkModule) -> dict[str, Tensor]:
        """State dict of the averaged network."""
        return dict(self._average) if self._average else module.net.state_dict()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from the current weights, or go on with a resumed average."""
        current = _network(pl_module).net.state_dict()
        stored = self._average
        self._average = {k: stored.get(k, v).detach().clone().to(v.device) for k, v in current.items()}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the average towards the weights."""
        self._updates += 1
        weight = 1 - min(self._decay, (1 + self._updates) / (10 + self._updates))
        current = _network(pl_module).net.state_dict()
        names = list(self._average)
        with torch.no_grad():
            torch._foreach_lerp_([self._average[n] for n in names], [current[n] for n in names], weight)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate the averaged weights."""
        if self._average:
            net = _network(pl_module).net
            self._trained = {k: v.detach().clone() for k, v in net.state_dict().items()}
            net.load_state_dict(self._average)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the trained weights."""
        if self._trained:
            _network(pl_module).net.load_state_dict(self._trained)
            self._trained = {}

    def state_dict(self) -> dict[str, Any]:
        """Average and number of updates, for resuming."""
        return {"updates": self._updates, "average": self._average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a stored average."""
        self._updates = int(state_dict["updates"])
        self._average = dict(state_dict["average"])


class Export(Callback):
    """Writes the averaged network as a checkpoint, and a resume file, every N steps and at the end.

    Stands after the averaged weights, the record of validation and what may stop a training. Every process calls
    it, the first one writes.
    """

    def __init__(
        self, stem: Path, meta: Meta, every: int, average: AveragedWeights, record: ValidationRecord
    ) -> None:
        self._stem = stem
        self._meta = meta
        self._every = every
        self._average = average
        self._record = record
        self._due = False
        self._last = -1

    @property
    def resume_path(self) -> Path:
        """Where the resume file is kept."""
        return self._stem.with_name("last.ckpt")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Export at every N-th step, after its validation where one follows, and before a stop."""
        step = trainer.global_step
        self._due = self._due or step % self._every == 0
        validates = trainer.val_check_batch is not None and step % trainer.val_check_batch == 0
        if trainer.should_stop or (self._due and not validates):
            self._export(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Export with the figures of these weights."""
        if self._due:
            self._export(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Export the last state."""
        self._export(trainer, pl_module)

    def _export(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step, self._due = trainer.global_step, False
        if step == self._last:
            return
        weights = self._average.averaged(_network(pl_module))
        if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
            raise TrainingError(
                f"The averaged weights of step {step} are not finite and were not exported; what "
                f"{self._stem.parent} holds is older and good. Lower optimisation.learning_rate and go on with "
                "--resume last."
            )
        if not trainer.is_global_zero:
            trainer.save_checkpoint(
                self.resume_path, weights_only=False
            )  # the others gather, the first writes
        else:
            meta = dataclasses.replace(self._meta, steps=step, metrics=self._record.last)
            save_checkpoint(self._stem, weights, meta)
            with atomic_path(self.resume_path) as partial:
                trainer.save_checkpoint(partial, weights_only=False)
        self._last = step


def git_commit() -> str:
    """Commit of the source checkout that runs, "" outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _network(module: LightningModule) -> NetworkModule:
    if not isinstance(module, NetworkModule):
        raise TypeError("these callbacks serve vertseg's network modules")
    return module
