"""Pictures of validation: what the network saw, what was wanted, what it gave, and which levels it confused."""

from pathlib import Path

import numpy as np
from lightning import Callback, LightningModule, Trainer
from numpy.typing import NDArray

from vertseg.io.atomic import atomic_path
from vertseg.training.levels import CONFUSION_COLUMNS, confusion_rows, write_confusion
from vertseg.training.loggers import log_picture, log_table
from vertseg.training.module import Example, NetworkModule


class ValidationPictures(Callback):
    """Writes `validation.png` and the confusion of levels after each validation, and sends them to W&B."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the first validation case and what was taken for what."""
        if not isinstance(pl_module, NetworkModule) or not trainer.is_global_zero:
            return
        title = f"step {trainer.global_step}"
        if pl_module.example is not None:
            path = self._output / "validation.png"
            draw_example(path, pl_module.example, title)
            log_picture(trainer, "validation", path)
        if pl_module.confusion is not None:
            confusion = pl_module.confusion.numpy()
            _, picture = write_confusion(self._output / "confusion_of_levels", confusion, title)
            log_picture(trainer, "confusion_of_levels", picture)
            log_table(trainer, "confusion_of_levels_table", CONFUSION_COLUMNS, confusion_rows(confusion))


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
