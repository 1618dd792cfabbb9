"""Pictures of a validation case: what the network saw, what was wanted, what it gave."""

from pathlib import Path

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from numpy.typing import NDArray

from vertseg.io.atomic import atomic_path
from vertseg.training.module import Example, NetworkModule


class ValidationPicture(Callback):
    """Writes `validation.png` after each validation, and sends it to W&B where that logs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the first validation case."""
        if not isinstance(pl_module, NetworkModule) or pl_module.example is None:
            return
        draw_example(self._path, pl_module.example, f"step {trainer.global_step}")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("validation", [str(self._path)], step=trainer.global_step)


def draw_example(path: Path, example: Example, title: str) -> None:
    """Sagittal slice through the middle of the wanted labels: image, wanted, found."""
    from matplotlib.figure import Figure

    labelled = np.flatnonzero(example.wanted.any(axis=(1, 2)))
    x = int(np.median(labelled)) if len(labelled) else example.wanted.shape[0] // 2
    figure = Figure(figsize=(9, 4), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, 3)
    for ax, name, labels in zip(
        axes, ("image", "wanted", "found"), (None, example.wanted, example.found), strict=True
    ):
        ax.imshow(_upright(example.image[x]), cmap="gray", vmin=-1, vmax=2, origin="lower")
        if labels is not None:
            shown = _upright(labels[x])
            masked = np.ma.masked_where(shown == 0, shown)
            ax.imshow(
                masked, cmap="tab10", vmin=0, vmax=9, alpha=0.5, origin="lower", interpolation="nearest"
            )
        ax.set_title(name)
        ax.set_axis_off()
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=90)


def _upright(slice_yz: NDArray[np.generic]) -> NDArray[np.generic]:
    """Sagittal slice with anterior to the left and superior on top (drawn from the lower edge)."""
    return slice_yz[::-1].T
