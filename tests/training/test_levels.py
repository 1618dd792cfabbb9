import csv
from pathlib import Path

import numpy as np
import torch

from vertseg.labels import level_number
from vertseg.training.levels import confusion_rows, level_confusion, write_confusion

L1, L2, T12 = (level_number(name) for name in ("L1", "L2", "T12"))


def test_vertebrae_count_for_the_level_most_of_their_voxels_were_given() -> None:
    wanted = torch.zeros(2, 10, dtype=torch.uint8)
    found = torch.full((2, 10), L1)
    wanted[0, :4], found[0, :4] = L1, torch.tensor([L1, L1, L1, L2])
    wanted[0, 4:7], found[0, 4:7] = L2, torch.tensor([L1, L1, L2])
    wanted[1, :5], found[1, :5] = L1, T12
    assert confusion_rows(level_confusion(wanted, found).numpy()) == [
        ("L1", "T12", 1, 5),
        ("L1", "L1", 1, 3),
        ("L1", "L2", 0, 1),
        ("L2", "L1", 1, 2),
        ("L2", "L2", 0, 1),
    ]


def test_the_table_holds_every_pair_that_occurs(tmp_path: Path) -> None:
    confusion = np.zeros((2, 29, 29), int)
    confusion[:, L1, L1], confusion[:, L2, L1] = (3, 300), (1, 70)
    write_confusion(tmp_path / "levels", confusion, "step 1")
    with (tmp_path / "levels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"wanted": "L1", "found": "L1", "vertebrae": "3", "voxels": "300"},
        {"wanted": "L2", "found": "L1", "vertebrae": "1", "voxels": "70"},
    ]
    assert (tmp_path / "levels.png").stat().st_size > 5000
