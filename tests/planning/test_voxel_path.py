"""Length of drawn chains of voxels."""

import numpy as np
import pytest

from vertseg.planning.voxel_path import path_length


def test_straight_diagonal_and_bent_chains() -> None:
    line = np.array([[i, 4, 2] for i in range(10)])
    assert path_length(line) == 10.0
    diagonal = np.array([[i, i, i] for i in range(5)])
    assert path_length(diagonal) == pytest.approx(4 * 3**0.5 + 1)
    hook = np.concatenate([line, [[9, 5 + i, 2] for i in range(6)]])
    assert path_length(hook) == pytest.approx(15 + 1 - (2 - 2**0.5))
    assert path_length(line[:1]) == 1.0


def test_order_and_place_of_voxels_do_not_matter(rng: np.random.Generator) -> None:
    tube = np.array([[i, j, k] for i in range(12) for j in range(3) for k in range(3)])
    moved = rng.permutation(tube + [40, 7, 100])
    assert path_length(moved) == pytest.approx(path_length(tube))
    assert 12.0 <= path_length(tube) <= 12.0 + 3.0
