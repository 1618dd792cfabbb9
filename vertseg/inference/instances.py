"""Voxels grouped into vertebrae by the centres that they vote for."""

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
_POSTERIOR_WEIGHT = 0.4
_PAD_MM = 36.0
_VOTE_SIGMA_MM = 4.0
_PEAK_RADIUS_MM = 7.0
_MIN_PEAK_ML = 0.7
_MERGE_SHARE = 0.5
_MERGE_SHARE_SAME_LEVEL = 0.62
_MAX_VOTE_DISTANCE_MM = 20.0
_KEEP_COMPONENT_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Instance:
    """Voxels that belong to one vertebra, or to what the network took for one.

    Attributes:
        voxels: (n, 3) indices on the locate grid.
        is_body: (n,) whether a voxel is body rather than posterior elements.
        centre_mm: (3,) body centre in world mm, as voted.
        level: (29,) mean level probabilities.
        certainty: mean vertebra probability, 0 to 1.
        voxel_ml: volume of a voxel.
        cut: the scan's border cuts it.
    """

    voxels: NDArray[np.int64]
    is_body: NDArray[np.bool_]
    centre_mm: NDArray[np.float64]
    level: NDArray[np.float64]
    certainty: float
    voxel_ml: float
    cut: bool

    @property
    def body_ml(self) -> float:
        """Volume of the body in ml."""
        return float(self.is_body.sum()) * self.voxel_ml

    @property
    def volume_ml(self) -> float:
        """Volume in ml."""
        return float(self.is_body.size) * self.voxel_ml


@dataclass(frozen=True, eq=False)
class _Votes:
    """Foreground voxels and where they vote; `voxels` (n, 3) index, `votes` (n, 3) in voxels."""

    voxels: NDArray[np.int64]
    votes: NDArray[np.float64]
    weights: NDArray[np.float64]
    is_body: NDArray[np.bool_]
    level: NDArray[np.float32]


def find_instances(located: Located) -> list[Instance]:
    """Candidate vertebrae, in no order; false ones are still among them.

    Each vertebra voxel votes for its body centre; peaks of the smoothed votes are the candidates, peaks
    closer than half the distance that their level lets expect are one, and each voxel joins the peak next to
    its vote.
    """
    votes = _collect(located)
    if votes.voxels.shape[0] == 0:
        return []
    spacing = located.grid.spacing_mm[0]
    peaks = _merged(_peaks(votes, located.grid.shape, spacing), votes, spacing)
    if peaks.shape[0] == 0:
        return []
    for _ in range(2):
        nearest = _assign(votes.votes, peaks, spacing)
        peaks = np.stack(
            [
                _robust_centre(votes.votes[nearest == i], votes.weights[nearest == i], peak)
                for i, peak in enumerate(peaks)
            ]
        )
    nearest = _assign(votes.votes, peaks, spacing)
    found = []
    for i, peak in enumerate(peaks):
        voxels, is_body = votes.voxels[nearest == i], votes.is_body[nearest == i]
        kept = _connected(voxels, is_body)
        if kept.any():
            found.append(make_instance(located, voxels[kept], is_body[kept], located.grid.world(peak)))
    return found


def make_instance(
    located: Located,
    voxels: NDArray[np.int64],
    is_body: NDArray[np.bool_],
    centre_mm: NDArray[np.float64] | None,
) -> Instance:
    """An instance of given voxels; without `centre_mm` its centre is its body's centroid."""
    index = (voxels[:, 0], voxels[:, 1], voxels[:, 2])
    certainty = located.vertebra_at(index)
    weights = certainty * np.where(is_body, 1.0, _POSTERIOR_WEIGHT)
    level = (located.level[(slice(None), *index)] * weights).sum(axis=1) / max(weights.sum(), 1e-6)
    if centre_mm is None:
        centre_mm = located.grid.world(voxels[is_body].mean(axis=0) if is_body.any() else voxels.mean(axis=0))
    return Instance(
        voxels=voxels,
        is_body=is_body,
        centre_mm=np.asarray(centre_mm, dtype=np.float64),
        level=np.asarray(level, dtype=np.float64),
        certainty=float(certainty.mean()),
        voxel_ml=located.grid.voxel_volume_mm3 / 1000.0,
        cut=_is_cut(located, voxels),
    )


def _is_cut(located: Located, voxels: NDArray[np.int64]) -> bool:
    source = located.source
    vox = source.voxel(located.grid.world(voxels))
    shape = np.array(source.shape)
    depth_mm = np.minimum(vox + 0.5, shape - 0.5 - vox) * np.array(source.spacing_mm)
    at_border = (depth_mm < max(located.grid.spacing_mm)).any(axis=1).sum()
    return bool(at_border >= max(4, 0.01 * voxels.shape[0]))


def _collect(located: Located) -> _Votes:
    probability = located.vertebra
    voxels = np.argwhere(probability >= FOREGROUND)
    index = (voxels[:, 0], voxels[:, 1], voxels[:, 2])
    body, posterior = located.tissue[LocateClass.BODY][index], located.tissue[LocateClass.POSTERIOR][index]
    is_body = body >= posterior
    offset = located.offset_mm[(slice(None), *index)].T / np.array(located.grid.spacing_mm)
    return _Votes(
        voxels=voxels,
        votes=voxels + offset.astype(np.float64),
        weights=probability[index].astype(np.float64) * np.where(is_body, 1.0, _POSTERIOR_WEIGHT),
        is_body=is_body,
        level=located.level[(slice(None), *index)].T,
    )


def _peaks(votes: _Votes, shape: tuple[int, int, int], spacing: float) -> NDArray[np.float64]:
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


def _merged(peaks: NDArray[np.float64], votes: _Votes, spacing: float) -> NDArray[np.float64]:
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


def _connected(voxels: NDArray[np.int64], is_body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which voxels belong to the largest body piece or to pieces that are no crumbs."""
    if voxels.shape[0] == 0:
        return np.zeros(0, dtype=bool)
    low = voxels.min(axis=0)
    box = np.zeros(voxels.max(axis=0) - low + 1, dtype=bool)
    box[tuple((voxels - low).T)] = True
    pieces, n = ndimage.label(box, structure=np.ones((3, 3, 3)))
    piece = pieces[tuple((voxels - low).T)]
    sizes = np.bincount(piece, minlength=n + 1)
    return np.asarray((sizes >= max(4.0, _KEEP_COMPONENT_SHARE * sizes.max()))[piece])
