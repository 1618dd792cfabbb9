"""`summary.json`: what a training did, how fast and on what."""

import dataclasses
import json
import os
import platform
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer

from vertseg.io.atomic import write_text
from vertseg.processor import processor
from vertseg.training.callbacks import git_commit
from vertseg.training.progress import StepClock
from vertseg.training.recipes import Recipe
from vertseg.training.record import ValidationRecord


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is left to tell when a training has ended.

    Attributes:
        trainer: Lightning's trainer.
        seconds: of the whole run, validation and exports included.
        clock: steps of this run and their seconds.
        record: validation figures.
        skipped: steps left out because they were not finite.
        received: number of the signal that stopped the training, 0 if none did.
    """

    trainer: Trainer
    seconds: float
    clock: StepClock
    record: ValidationRecord
    skipped: int
    received: int


def write_summary(path: Path, recipe: Recipe, checkpoint: Path, outcome: Outcome) -> dict[str, Any]:
    """Write the summary of a training (first process only) and return it."""
    trainer, clock = outcome.trainer, outcome.clock
    batch = recipe.data.loading.batch_size * trainer.world_size
    received = signal.Signals(outcome.received).name if outcome.received else None
    summary: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "steps": trainer.global_step,
        "steps_of_this_run": clock.steps,
        "stopped_by": received,
        "steps_left_out": outcome.skipped,
        "seconds": round(outcome.seconds, 3),
        "seconds_of_steps": round(clock.seconds, 3),
        "samples_per_s": round(clock.steps * batch / clock.seconds, 3) if clock.seconds else None,
        "global_batch": batch,
        "processes": trainer.world_size,
        "metrics": outcome.record.last,
        "best": outcome.record.best,
        "device": describe_device(trainer),
        "peak_memory_mb": peak_memory_mb(),
        "git_commit": git_commit(),
        "recipe": dataclasses.asdict(recipe),
    }
    if trainer.is_global_zero:
        write_text(path, json.dumps(summary, indent=1) + "\n")
    return summary


def describe_device(trainer: Trainer) -> dict[str, Any]:
    """What the first process trained on, in words and versions."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "name": name,
        "type": device.type,
        "precision": str(trainer.precision),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def peak_memory_mb() -> dict[str, float]:
    """Most memory of the first process so far: main memory, and the GPU's where there is one."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"main": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)}
    if torch.cuda.is_available():
        peak["gpu"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return peak
