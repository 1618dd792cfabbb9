"""What happens when the loss is no number: the step is left out, and after several the training ends."""

import warnings
from typing import Any, Final

import torch
from lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from vertseg.errors import TrainingError

PATIENCE: Final = 10
"""Steps in a row without a finite gradient before a training ends."""


class FiniteSteps(Callback):
    """Leaves out steps whose gradient is not finite, so that weights, moments and averages stay numbers.

    One bad case costs a step, not the training. In a distributed training the gradients are the same everywhere
    after their reduction, so all processes decide alike.

    Attributes:
        skipped: steps left out so far.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._in_a_row = 0
        self.skipped = 0

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Drop gradients that are not finite.

        Raises:
            TrainingError: as many steps in a row as the patience had none that is.
        """
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        if bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients))):
            self._in_a_row = 0
            return
        # Without a gradient AdamW touches neither the weight nor its moments; a zero would still decay them.
        optimizer.zero_grad(set_to_none=True)
        self.skipped += 1
        self._in_a_row += 1
        step = trainer.global_step + 1
        if trainer.is_global_zero:
            warnings.warn(f"Step {step} was left out: its loss or gradient is not finite.", stacklevel=1)
        if self._in_a_row >= self._patience:
            raise TrainingError(
                f"The loss was not finite in {self._in_a_row} steps in a row, the last one {step}, so training ended; "
                "the exported weights and the resume file are from before. Lower optimisation.learning_rate, or "
                "look for a case with wrong values, and go on with --resume last."
            )

    def state_dict(self) -> dict[str, Any]:
        """Steps left out, for resuming."""
        return {"skipped": self.skipped, "in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the stored numbers."""
        self.skipped, self._in_a_row = int(state_dict["skipped"]), int(state_dict["in_a_row"])
