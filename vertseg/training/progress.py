"""How fast a training is and how long it still takes."""

import sys
import time
from datetime import timedelta
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class StepClock(Callback):
    """Logs the seconds a step takes, loading included and validation left out.

    Attributes:
        steps: steps of this run.
        seconds: their sum.
    """

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self.steps = 0
        self.seconds = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the time since the last step."""
        now = time.perf_counter()
        pl_module.log("train/seconds_per_step", now - self._since)
        self.steps += 1
        self.seconds += now - self._since
        self._since = now

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave validation out."""
        self._since = time.perf_counter()


class TrainingProgress(Callback):
    """A bar with loss and time left on a terminal; elsewhere (a batch job's log) a line every N steps."""

    def __init__(self, task: str, clock: StepClock, every: int) -> None:
        self._task = task
        self._clock = clock
        self._every = every
        self._bar: Progress | None = None
        self._row = TaskID(0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar, at the step that a resumed training has reached."""
        if not trainer.is_global_zero or not sys.stderr.isatty():
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        from rich.console import Console

        self._bar = Progress(*columns, console=Console(stderr=True))
        self._row = self._bar.add_task(
            self._task, total=trainer.max_steps, completed=trainer.global_step, figures=""
        )
        self._bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on."""
        step = trainer.global_step
        if not trainer.is_global_zero or (self._bar is None and step % self._every):
            return
        figures = step_figures(_loss(outputs), self._clock.seconds / max(self._clock.steps, 1))
        if self._bar is not None:
            self._bar.update(self._row, completed=step, figures=figures)
        else:
            print(progress_line(self._task, step, trainer.max_steps, figures, self._clock), file=sys.stderr)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what takes the time."""
        if self._bar is not None:
            self._bar.update(self._row, description=f"{self._task}, validating")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say that training goes on."""
        if self._bar is not None:
            self._bar.update(self._row, description=self._task)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def step_figures(loss: float, seconds_per_step: float) -> str:
    """Loss and speed, as the bar shows them."""
    return f"loss {loss:.3f}, {1 / max(seconds_per_step, 1e-9):.2f} steps/s"


def progress_line(task: str, step: int, steps: int, figures: str, clock: StepClock) -> str:
    """A batch job's line: where training is and how long the steps that are left take."""
    left = timedelta(seconds=round((steps - step) * clock.seconds / max(clock.steps, 1)))
    return f"{task} {step}/{steps}, {figures}, {left} left"


def _loss(outputs: Any) -> float:
    loss = outputs["loss"] if isinstance(outputs, dict) else outputs
    return float(loss) if isinstance(loss, torch.Tensor) else float("nan")
