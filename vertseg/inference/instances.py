"""Voxels grouped into vertebrae by the centres that they vote for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.inference.located import Located
from vertseg.inference.votes import POSTERIOR_WEIGHT, centres, collect
from vertseg.labels import LocateClass

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
        sacrum_share: mean probability of sacrum in its voxels over that of sacrum or vertebra, 0 to 1.
    """

    voxels: NDArray[np.int64]
    is_body: NDArray[np.bool_]
    centre_mm: NDArray[np.float64]
    level: NDArray[np.float64]
    certainty: float
    voxel_ml: float
    cut: bool
    sacrum_share: float = 0.0

    @property
    def body_ml(self) -> float:
        """Volume of the body in ml."""
        return float(self.is_body.sum()) * self.voxel_ml

    @property
    def volume_ml(self) -> float:
        """Volume in ml."""
        return float(self.is_body.size) * self.voxel_ml


def find_instances(located: Located) -> list[Instance]:
    """Candidate vertebrae, in no order; false ones are still among them.

    Each vertebra voxel votes for its body centre, and joins the centre next to its vote (see `votes`).
    """
    votes = collect(located)
    if votes.voxels.shape[0] == 0:
        return []
    peaks, nearest = centres(votes, located.grid.shape, located.grid.spacing_mm[0])
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
    sacrum = located.tissue[LocateClass.SACRUM][index]
    weights = certainty * np.where(is_body, 1.0, POSTERIOR_WEIGHT)
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
        sacrum_share=float(sacrum.sum() / max(1e-6, sacrum.sum() + certainty.sum())),
    )


def _is_cut(located: Located, voxels: NDArray[np.int64]) -> bool:
    source = located.source
    vox = source.voxel(located.grid.world(voxels))
    shape = np.array(source.shape)
    depth_mm = np.minimum(vox + 0.5, shape - 0.5 - vox) * np.array(source.spacing_mm)
    at_border = (depth_mm < max(located.grid.spacing_mm)).any(axis=1).sum()
    return bool(at_border >= max(4, 0.01 * voxels.shape[0]))


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
