"""From the locate network's voxels to the vertebrae of a column, each with level, axes and a marker."""

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.frames import column_axes, forward
from vertseg.inference.column import CUT_FACTOR, Labelled, SacrumSeen, chain, label
from vertseg.inference.evidence import ribs_ml
from vertseg.inference.findings import Vertebra
from vertseg.inference.gaps import fill_gaps
from vertseg.inference.instances import Instance, find_instances, make_instance
from vertseg.inference.located import Located
from vertseg.inference.splitting import split_merged
from vertseg.labels import SACRUM, LocateClass
from vertseg.volume import Grid, Volume

_MIN_SACRUM_ML = 8.0
_SPINE = 0.5
_MOST_BELOW = 0.3
"""Share of the vertebrae's voxels below what was taken for a sacrum, from which on it is none."""
_FEW = 2
_LEAST_PROBABILITY_OF_FEW = 0.25
_MARKER_MARGIN_VOX = 2


@dataclass(frozen=True, eq=False)
class Column:
    """The vertebrae of a scan, from head to foot, and the sacrum's mask on the locate grid (None: not seen)."""

    vertebrae: tuple[Vertebra, ...]
    sacrum: Volume | None


def read_column(located: Located) -> Column:
    """The column in the locate network's outputs.

    Raises nothing for an empty scan: the column then has no vertebrae.
    """
    sacrum_mask = _sacrum_mask(located)
    sacrum = SacrumSeen(located.grid.world(np.argwhere(sacrum_mask))) if sacrum_mask is not None else None
    instances = chain(split_merged(find_instances(located), located), sacrum)
    labelled = label(instances, sacrum, ribs_ml(instances, located)) if instances else Labelled([], [])
    # A lump of skull or hip looks like every level a little; a lone vertebra looks like its own.
    if len(instances) <= _FEW and max(labelled.probabilities, default=0.0) < _LEAST_PROBABILITY_OF_FEW:
        instances = []
    if instances:
        instances, labelled, fallen = _joined(instances, labelled, located)
        for instance in fallen if instances else []:
            sacrum_mask = np.zeros(located.grid.shape, dtype=bool) if sacrum_mask is None else sacrum_mask
            sacrum_mask[tuple(instance.voxels.T)] = True
    vertebrae = _vertebrae(instances, labelled, located) if instances else ()
    return Column(vertebrae, None if sacrum_mask is None else Volume(sacrum_mask, located.grid.affine))


def _sacrum_mask(located: Located) -> NDArray[np.bool_] | None:
    """The largest piece of sacrum that can be one; None where each is too small or has most of the spine below it."""
    mask = located.tissue.argmax(axis=0) == LocateClass.SACRUM
    if not mask.any():
        return None
    pieces, n = cc3d.connected_components(mask, connectivity=26, return_N=True)
    sizes = np.bincount(pieces.ravel(), minlength=n + 1)
    sizes[0] = 0
    large = np.flatnonzero(sizes * located.grid.voxel_volume_mm3 / 1000.0 >= _MIN_SACRUM_ML)
    spine = located.grid.world(np.argwhere(located.vertebra > _SPINE))[:, 2]
    for number in large[np.argsort(-sizes[large], kind="stable")]:
        piece = pieces == number
        # A shoulder blade taken for a sacrum would make all the spine below it disappear.
        height = np.median(located.grid.world(np.argwhere(piece))[:, 2])
        if not len(spine) or np.mean(spine < height) <= _MOST_BELOW:
            return np.asarray(piece)
    return None


def _joined(
    instances: list[Instance], labelled: Labelled, located: Located
) -> tuple[list[Instance], Labelled, list[Instance]]:
    """Pieces that got one level joined to one vertebra; those that are sacrum apart, as the third value."""
    groups: dict[int, list[int]] = {}
    for i, level in enumerate(labelled.levels):
        groups.setdefault(level, []).append(i)
    fallen = [instances[i] for i in groups.pop(SACRUM, [])]
    joined, levels, probabilities = [], [], []
    for level, members in groups.items():
        if len(members) == 1:
            joined.append(instances[members[0]])
        else:
            parts = [instances[i] for i in members]
            voxels = np.concatenate([p.voxels for p in parts])
            is_body = np.concatenate([p.is_body for p in parts])
            joined.append(make_instance(located, voxels, is_body, None))
        levels.append(level)
        probabilities.append(max(labelled.probabilities[i] for i in members))
    return joined, Labelled(levels, probabilities), fallen


def _vertebrae(seen: list[Instance], labels: Labelled, located: Located) -> tuple[Vertebra, ...]:
    grid = located.grid
    instances, labelled, inferred = fill_gaps(seen, labels, located)
    owned = np.zeros(grid.shape, dtype=bool)
    for instance in seen:
        owned[tuple(instance.voxels.T)] = True
    frames = column_axes(
        np.stack([i.centre_mm for i in instances]), [_forward(instance, grid) for instance in instances]
    )
    return tuple(
        Vertebra(
            level=level,
            confidence=float(probability * instance.certainty * (CUT_FACTOR if instance.cut else 1.0)),
            centroid_mm=instance.centre_mm,
            axes=axes,
            marker=_marker(instance, owned, grid),
            cut_by_field=instance.cut,
            inferred=level in inferred,
        )
        for instance, level, probability, axes in zip(
            instances, labelled.levels, labelled.probabilities, frames, strict=True
        )
    )


def _forward(instance: Instance, grid: Grid) -> NDArray[np.float64] | None:
    body, posterior = (instance.voxels[mask] for mask in (instance.is_body, ~instance.is_body))
    return forward(grid.world(body), grid.world(posterior), instance.voxel_ml)


def _marker(instance: Instance, owned: NDArray[np.bool_], grid: Grid) -> Volume:
    """The instance's mask, small gaps and inner holes filled where no other vertebra is, cropped to it."""
    start = np.maximum(instance.voxels.min(axis=0) - _MARKER_MARGIN_VOX, 0)
    stop = np.minimum(instance.voxels.max(axis=0) + 1 + _MARKER_MARGIN_VOX, grid.shape)
    mask = np.zeros(stop - start, dtype=bool)
    mask[tuple((instance.voxels - start).T)] = True
    others = owned[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] & ~mask
    body = np.zeros_like(mask)
    body[tuple((instance.voxels[instance.is_body] - start).T)] = True
    filled = ndimage.binary_closing(body, iterations=1) | ndimage.binary_fill_holes(body) | mask
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world(start)
    return Volume(filled & ~others, affine)
