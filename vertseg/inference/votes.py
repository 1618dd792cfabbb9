"""Votes of voxels for the centre of their vertebra's body, and the centres that gather them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from vertseg.inference.located import Located
from vertseg.inference.priors import SPACING_MM, expected
from vertseg.labels import N_LEVELS, LocateClass

FOREGROUND = 0.5
"""Vertebra probability from which a voxel votes."""
POSTERIOR_WEIGHT = 0.4
"""Weight of a voxel of posterior elements beside one of a body: it is farther away and votes worse."""

_PAD_MM = 36.0
_VOTE_SIGMA_MM = 4.0
_PEAK_RADIUS_MM = 7.0
_MIN_PEAK_ML = 0.7
_MERGE_SHARE = 0.5
_MERGE_SHARE_SAME_LEVEL = 0.62
_MAX_VOTE_DISTANCE_MM = 20.0
_TWO_LEAST_VOTES = 16
_TWO_LEAST_SHARE = 0.2
_TWO_APART_SHARE = 0.5
_TWO_APART_WIDTHS = 3.15
_MOST_SPLITS = 12


@dataclass(frozen=True, eq=False)
class Votes:
    """Foreground voxels and where they vote.

    Attributes:
        voxels: (n, 3) indices.
        votes: (n, 3) positions in voxels.
        weights: (n,) how much each counts.
        is_body: (n,) whether a voxel is body rather than posterior elements.
        level: (n, 29) level probabilities.
    """

    voxels: NDArray[np.int64]
    votes: NDArray[np.float64]
    weights: NDArray[np.float64]
    is_body: NDArray[np.bool_]
    level: NDArray[np.float32]


def collect(located: Located) -> Votes:
    """The votes of all voxels that are vertebra more likely than not."""
    probability = located.vertebra
    voxels = np.argwhere(probability >= FOREGROUND)
    index = (voxels[:, 0], voxels[:, 1], voxels[:, 2])
    body, posterior = located.tissue[LocateClass.BODY][index], located.tissue[LocateClass.POSTERIOR][index]
    is_body = body >= posterior
    offset = located.offset_mm[(slice(None), *index)].T / np.array(located.grid.spacing_mm)
    return Votes(
        voxels=voxels,
        votes=voxels + offset.astype(np.float64),
        weights=probability[index].astype(np.float64) * np.where(is_body, 1.0, POSTERIOR_WEIGHT),
        is_body=is_body,
        level=located.level[(slice(None), *index)].T,
    )


def centres(
    votes: Votes, shape: tuple[int, int, int], spacing_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Centres (k, 3) in voxels that gather the votes, and the number of each vote's centre (-1: none is near).

    Peaks of the smoothed votes, moved to the mean of the votes that are nearest to them. Small neighbours, as at
    the passage from neck to thorax, may share one peak: where the votes of its bodies stand in two heaps, it
    becomes two.
    """
    peaks = _merged(_peaks(votes, shape, spacing_mm), votes, spacing_mm)
    if peaks.shape[0] == 0:
        return peaks, np.full(len(votes.votes), -1)
    peaks = _settled(peaks, votes, spacing_mm)
    for _ in range(_MOST_SPLITS):
        two = _most_divided(peaks, votes, spacing_mm)
        if two is None:
            break
        which, heaps = two
        peaks = _settled(np.concatenate([np.delete(peaks, which, axis=0), heaps]), votes, spacing_mm)
    return peaks, _assign(votes.votes, peaks, spacing_mm)


def _settled(peaks: NDArray[np.float64], votes: Votes, spacing: float) -> NDArray[np.float64]:
    for _ in range(2):
        nearest = _assign(votes.votes, peaks, spacing)
        peaks = np.stack(
            [
                _robust_centre(votes.votes[nearest == i], votes.weights[nearest == i], peak)
                for i, peak in enumerate(peaks)
            ]
        )
    return peaks


def _most_divided(
    peaks: NDArray[np.float64], votes: Votes, spacing: float
) -> tuple[int, NDArray[np.float64]] | None:
    """The peak whose body votes stand in the two heaps farthest apart for their width, and the heaps' means (2, 3)."""
    nearest = _assign(votes.votes, peaks, spacing)
    best, found = _TWO_APART_WIDTHS, None
    for i in range(len(peaks)):
        mine = (nearest == i) & votes.is_body
        if mine.sum() < _TWO_LEAST_VOTES:
            continue
        heaps, widths_apart = _two_heaps(votes.votes[mine])
        least_mm = _TWO_APART_SHARE * expected(SPACING_MM, votes.level[mine].mean(axis=0))
        if widths_apart > best and np.linalg.norm(heaps[0] - heaps[1]) * spacing >= least_mm:
            best, found = widths_apart, (i, heaps)
    return found


def _two_heaps(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Means (2, 3) of points (n, 3) parted along their longest axis where that leaves the narrowest heaps (Otsu).

    The second value is the means' distance over the heaps' common standard deviation along the axis: 2.7 for
    one normal heap cut in half, 3.5 for a uniform one; 0 where one heap is a fringe.
    """
    middle = points.mean(axis=0)
    axis = np.linalg.svd(points - middle, full_matrices=False)[2][0]
    along = (points - middle) @ axis
    order = np.argsort(along)
    x, n = along[order], len(along)
    low, high = max(2, int(_TWO_LEAST_SHARE * n)), n - max(2, int(_TWO_LEAST_SHARE * n))
    k = np.arange(low, high)
    total, squares = np.cumsum(x), np.cumsum(x**2)
    within = squares[-1] - total[k - 1] ** 2 / k - (total[-1] - total[k - 1]) ** 2 / (n - k)
    at = int(k[within.argmin()])
    width = float(np.sqrt(max(within.min(), 1e-6) / n))
    heaps = np.stack([points[order[:at]].mean(axis=0), points[order[at:]].mean(axis=0)])
    return heaps, float(x[at:].mean() - x[:at].mean()) / width


def _peaks(votes: Votes, shape: tuple[int, int, int], spacing: float) -> NDArray[np.float64]:
    """Local maxima (k, 3) of the smoothed votes, in voxels, the strongest first."""
    pad = int(np.ceil(_PAD_MM / spacing))
    size = np.array(shape) + 2 * pad
    cell = np.rint(votes.votes).astype(np.int64) + pad
    inside = ((cell >= 0) & (cell < size)).all(axis=1)
    flat = np.ravel_multi_index(tuple(cell[inside].T), tuple(size))
    counts = np.bincount(flat, weights=votes.weights[inside], minlength=int(size.prod()))
    density = ndimage.gaussian_filter(
        counts.reshape(size).astype(np.float32), _VOTE_SIGMA_MM / spacing, mode="constant"
    )
    radius = max(1, round(_PEAK_RADIUS_MM / spacing))
    is_peak = (density == ndimage.maximum_filter(density, size=2 * radius + 1)) & (density > 0)
    voxel_ml = spacing**3 / 1000.0
    least = _MIN_PEAK_ML / voxel_ml / ((2 * np.pi) ** 1.5 * (2 * _VOTE_SIGMA_MM / spacing) ** 3)
    at = np.argwhere(is_peak & (density >= least))
    return np.asarray((at - pad)[np.argsort(-density[tuple(at.T)], kind="stable")], dtype=np.float64)


def _merged(peaks: NDArray[np.float64], votes: Votes, spacing: float) -> NDArray[np.float64]:
    """Peaks, strongest first, without those too near to a stronger one to be another vertebra."""
    if peaks.shape[0] < 2:
        return peaks
    nearest = _assign(votes.votes, peaks, spacing)
    levels = np.stack(
        [
            votes.level[nearest == i].mean(axis=0) if (nearest == i).any() else np.zeros(N_LEVELS)
            for i in range(peaks.shape[0])
        ]
    )
    kept: list[int] = []
    for i in range(peaks.shape[0]):
        if all(not _same_vertebra(peaks[i], peaks[j], levels[i], levels[j], spacing) for j in kept):
            kept.append(i)
    return peaks[kept]


def _same_vertebra(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    level_a: NDArray[np.float64],
    level_b: NDArray[np.float64],
    spacing: float,
) -> bool:
    share = _MERGE_SHARE_SAME_LEVEL if level_a.argmax() == level_b.argmax() else _MERGE_SHARE
    distance = float(np.linalg.norm(a - b)) * spacing
    return distance < share * expected(SPACING_MM, level_a + level_b)


def _assign(votes: NDArray[np.float64], peaks: NDArray[np.float64], spacing: float) -> NDArray[np.int64]:
    """Index of the peak next to each vote, -1 where none is near."""
    distance, nearest = cKDTree(peaks).query(votes, distance_upper_bound=_MAX_VOTE_DISTANCE_MM / spacing)
    return np.where(np.isfinite(distance), nearest, -1)


def _robust_centre(
    votes: NDArray[np.float64], weights: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of the votes without the farthest third, so that stray votes do not move it."""
    if votes.shape[0] < 3:
        return start
    centre = np.median(votes, axis=0)
    distance = np.linalg.norm(votes - centre, axis=1)
    near = distance <= np.quantile(distance, 0.67)
    return np.asarray(np.average(votes[near], axis=0, weights=weights[near]), dtype=np.float64)
