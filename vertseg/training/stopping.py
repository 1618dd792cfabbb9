"""Clean stops: Ctrl-C, SIGTERM and SLURM's warning end a training after the running step, with everything written."""

import os
import signal
import subprocess
import time
from types import FrameType
from typing import Any, Final

from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from vertseg.training.processes import largest

REQUEUE_SIGNAL: Final = signal.SIGUSR1
"""What `sbatch --signal=USR1@120` sends before the time limit."""

_REPEATED_S: Final = 2.0
"""A second signal within this time is the same stop: torchrun passes on what the terminal sent already."""


class StopSignals(Callback):
    """Turns signals into a stop after the running step, which every process makes together.

    Lightning's own handlers act at once, possibly between the halves of an optimiser's step, and end without a
    resume file; these come in their place while a training runs. A second signal ends the process at once.

    Attributes:
        received: number of the signal that stopped the training in any process, 0 if none did.
    """

    def __init__(self) -> None:
        self.received = 0
        self._own = 0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen, from here until Lightning gives the signals back."""
        wanted = [signal.SIGINT, signal.SIGTERM]
        if SLURMEnvironment.detect():
            wanted.append(REQUEUE_SIGNAL)
        for number in wanted:
            signal.signal(number, self._handle)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if any process was asked to."""
        self.received = largest(self._own, pl_module.device)
        if self.received:
            trainer.should_stop = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._own:
            self._own, self._since = number, now
        elif now - self._since > _REPEATED_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def requeue_job() -> bool:
    """Ask SLURM to start this job again; whether it took the request."""
    job = os.environ.get("SLURM_ARRAY_JOB_ID")
    name = os.environ["SLURM_JOB_ID"] if job is None else f"{job}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        return subprocess.run(["scontrol", "requeue", name], check=False).returncode == 0
    except OSError:
        return False
