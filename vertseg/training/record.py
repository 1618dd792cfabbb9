"""The figures of validation: the last ones, and the best one of each."""

from typing import Any, Final

from lightning import Callback, LightningModule, Trainer

_LOWER_IS_BETTER: Final = ("loss", "brier", "error")


class ValidationRecord(Callback):
    """Keeps the last and the best validation figures, also across a resumed training.

    Attributes:
        last: figure by name ("val/dice_body").
        best: by name its best `value` and the `step` it was found at.
    """

    def __init__(self) -> None:
        self.last: dict[str, float] = {}
        self.best: dict[str, dict[str, float]] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the figures of this validation."""
        if trainer.sanity_checking:
            return
        found = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        self.last = {name: round(value, 5) for name, value in found.items()}
        for name, value in self.last.items():
            if name not in self.best or better(name, value, self.best[name]["value"]):
                self.best[name] = {"value": value, "step": trainer.global_step}

    def state_dict(self) -> dict[str, Any]:
        """Both, for resuming."""
        return {"last": self.last, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over stored figures."""
        self.last, self.best = dict(state_dict["last"]), dict(state_dict["best"])


def better(name: str, value: float, than: float) -> bool:
    """Whether a figure is better than another of the same name: losses and errors fall, all others rise."""
    return value < than if any(word in name for word in _LOWER_IS_BETTER) else value > than
