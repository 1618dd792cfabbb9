"""Averaged weights, exported checkpoints and resume files."""

import dataclasses
import subprocess
import time
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from vertseg.io.atomic import atomic_path
from vertseg.nets.checkpoint import save_checkpoint
from vertseg.nets.meta import Meta
from vertseg.training.module import NetworkModule


class AveragedWeights(Callback):
    """Exponential moving average of the network's weights, used in validation and export.

    The decay grows as (1 + t) / (10 + t) up to `decay`, so that early exports are not the initial weights.
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
    """Writes the averaged network as a checkpoint, and a resume file, every N steps and at the end."""

    def __init__(self, stem: Path, meta: Meta, every: int, average: AveragedWeights) -> None:
        self._stem = stem
        self._meta = meta
        self._every = every
        self._average = average
        self._last = -1
        self.metrics: dict[str, float] = {}

    @property
    def resume_path(self) -> Path:
        """Where the resume file is kept."""
        return self._stem.with_name("last.ckpt")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Export at every N-th step."""
        if trainer.global_step % self._every == 0 and trainer.global_step != self._last:
            self._export(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the validation figures for the next export."""
        found = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        if not trainer.sanity_checking:
            self.metrics = {name: round(value, 5) for name, value in found.items()}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Export the last state."""
        self._export(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Last validation figures, for resuming."""
        return {"metrics": self.metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the stored validation figures."""
        self.metrics = dict(state_dict["metrics"])

    def _export(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last = trainer.global_step
        meta = dataclasses.replace(self._meta, steps=trainer.global_step, metrics=self.metrics)
        save_checkpoint(self._stem, self._average.averaged(_network(pl_module)), meta)
        with atomic_path(self.resume_path) as partial:
            trainer.save_checkpoint(partial, weights_only=False)


class StepClock(Callback):
    """Logs the seconds a step takes, loading included."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the time since the last step."""
        now = time.perf_counter()
        pl_module.log("train/seconds_per_step", now - self._since)
        self._since = now


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
