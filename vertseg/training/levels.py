"""Confusion of levels: which level the validation's vertebrae have, and which one the network gave them."""

import csv
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vertseg.io.atomic import atomic_path, write_text
from vertseg.labels import N_LEVELS, level_name

CONFUSION_COLUMNS: Final = ("wanted", "found", "vertebrae", "voxels")


def level_confusion(wanted: Tensor, found: Tensor) -> Tensor:
    """(2, 29, 29) counts of vertebrae and of voxels by wanted (row) and found (column) level.

    Args:
        wanted: level numbers (N, ...); 0 counts nothing.
        found: level numbers given, same shape.

    A vertebra is the voxels of one wanted level in one sample; it counts for the level that most of them were given.
    """
    result = torch.zeros(2, N_LEVELS, N_LEVELS, dtype=torch.long)
    for own, given in zip(wanted, found, strict=True):
        inside = own > 0
        pairs = own[inside].long() * N_LEVELS + given[inside].long()
        voxels = torch.bincount(pairs, minlength=N_LEVELS**2).view(N_LEVELS, N_LEVELS).cpu()
        present = voxels.any(1)
        result[0, present, voxels.argmax(1)[present]] += 1
        result[1] += voxels
    return result


def write_confusion(stem: Path, confusion: NDArray[Any], title: str) -> list[Path]:
    """Write a confusion (2, 29, 29) as `stem`.csv (one row for each pair that occurs) and `stem`.png."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CONFUSION_COLUMNS)
    writer.writerows(confusion_rows(confusion))
    table, picture = stem.with_suffix(".csv"), stem.with_suffix(".png")
    write_text(table, text.getvalue())
    draw_confusion(picture, confusion, title)
    return [table, picture]


def confusion_rows(confusion: NDArray[Any]) -> list[tuple[str, str, int, int]]:
    """Wanted and found level by name, vertebrae, voxels: one row for each pair that occurs."""
    return [
        (level_name(row), level_name(column), int(confusion[0, row, column]), int(confusion[1, row, column]))
        for row, column in np.argwhere(confusion.any(0)).tolist()
    ]


def draw_confusion(path: Path, confusion: NDArray[Any], title: str) -> None:
    """Share of each wanted level's voxels by the level found, with the number of vertebrae written in."""
    from matplotlib.figure import Figure

    vertebrae, voxels = confusion
    levels = np.flatnonzero((voxels + voxels.T).any(0))
    vertebrae, voxels = vertebrae[np.ix_(levels, levels)], voxels[np.ix_(levels, levels)]
    share = voxels / np.maximum(voxels.sum(1, keepdims=True), 1)
    edge = 2.2 + 0.27 * len(levels)
    figure = Figure(figsize=(edge + 0.8, edge), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [level_name(int(level)) for level in levels]
    axes.set_xticks(range(len(levels)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(levels)), names, fontsize=7)
    axes.set_xlabel("found")
    axes.set_ylabel("wanted")
    axes.set_title(f"{title}: share of voxels, number of vertebrae", fontsize=8)
    for row, column in np.argwhere(vertebrae):
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(
            column, row, str(vertebrae[row, column]), color=colour, fontsize=6, ha="center", va="center"
        )
    figure.colorbar(shown, ax=axes, shrink=0.7)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)
