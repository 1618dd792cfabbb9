"""How long a cast is, along its own course."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra


def path_length(voxels: NDArray[np.intp]) -> float:
    """Longest way through a connected set of voxels (N, 3), in voxels, ends included; 1 for a single one.

    Ways lead from voxel to any of the 26 neighbours.
    """
    n = len(voxels)
    if n < 2:
        return 1.0
    start = voxels.min(axis=0)
    index = np.full(tuple(voxels.max(axis=0) - start + 3), -1)
    inner = voxels - start + 1
    index[tuple(inner.T)] = np.arange(n)
    rows, columns, weights = [], [], []
    for shift in np.argwhere(np.ones((3, 3, 3))) - 1:
        if tuple(shift) <= (0, 0, 0):
            continue
        other = index[tuple((inner + shift).T)]
        joined = np.flatnonzero(other >= 0)
        rows.append(joined)
        columns.append(other[joined])
        weights.append(np.full(len(joined), float(np.linalg.norm(shift))))
    places = np.concatenate(rows), np.concatenate(columns)
    graph = csr_matrix((np.concatenate(weights), places), shape=(n, n))
    far = 0
    longest = 0.0
    for _ in range(2):
        ways = dijkstra(graph, directed=False, indices=[far])[0]
        ways[~np.isfinite(ways)] = 0.0
        far, longest = int(ways.argmax()), float(ways.max())
    return longest + 1.0
