"""The vertebrae's crops put together on the scan's grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from vertseg.inference.examine import Examined
from vertseg.inference.in_threads import in_threads
from vertseg.inference.located import Located
from vertseg.inference.placing import Placing, Sampled, placed, slowest_first
from vertseg.inference.sampling import box_of, sample_channels, sub_grid
from vertseg.labels import FINDINGS, SACRUM, Tissue
from vertseg.volume import Grid, Volume

_SEEN = 0.1
_CRUMB_SHARE = 0.03
_HALF_OF_DECIDING = 0.25
_LEAST_FINDING_ML = {
    "lytic_lesion": 0.2,
    "sclerotic_lesion": 0.2,
    "posterior_wall_defect": 0.02,
    "cement": 0.03,
}
"""Smaller pieces of a finding are specks. The wall defect's is 10 mm2 of a shell 2 mm thick."""

_PART = np.array([Tissue.POSTERIOR, Tissue.BODY], dtype=np.uint8)

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Composed:
    """Labels on the scan's RAS grid.

    Attributes:
        grid: where the voxels are.
        levels: (X, Y, Z) uint8 level numbers, the sacrum included.
        tissue: (X, Y, Z) uint8 `Tissue` numbers.
        masks: one (X, Y, Z) bool for each of `FINDINGS`.
        boxes: per vertebra, the box that holds it.
        own_masks: per vertebra, (F, x, y, z) bool findings of it alone in its box.
        warnings: sentences for the reader.
        probabilities: (F, X, Y, Z) float16 of the findings, where they were asked for; 0 on other vertebrae.
    """

    grid: Grid
    levels: NDArray[np.uint8]
    tissue: NDArray[np.uint8]
    masks: list[NDArray[np.bool_]]
    boxes: list[Box]
    own_masks: list[NDArray[np.bool_]]
    warnings: list[str]
    probabilities: NDArray[np.float16] | None = None

    def part(self, index: int, level: int) -> tuple[Volume, dict[str, Volume]]:
        """Tissue and findings of one vertebra alone, in its box."""
        box = self.boxes[index]
        affine = sub_grid(self.grid, np.array([s.start for s in box]), np.array([s.stop for s in box])).affine
        tissue = np.where(self.levels[box] == level, self.tissue[box], 0).astype(np.uint8)
        own = {name: Volume(self.own_masks[index][i], affine) for i, name in enumerate(FINDINGS)}
        return Volume(tissue, affine), own


def compose(
    grid: Grid,
    examined: Sequence[Examined],
    located: Located,
    fusion: float,
    thresholds: Sequence[float],
    keep_probabilities: bool = False,
    source: Grid | None = None,
) -> Composed:
    """Labels of all examined vertebrae on the scan's RAS grid.

    Per voxel the vertebra with the highest probability wins. That probability is the examine network's,
    averaged with the locate network's by `fusion`; beyond a crop it is the locate network's alone.

    Args:
        grid: the scan's RAS grid.
        examined: crops with their outputs.
        located: for the fallback.
        fusion: weight of the locate network inside a crop, 0 to 1.
        thresholds: probability from which a voxel belongs to each of `FINDINGS`.
        keep_probabilities: whether to give the findings' probabilities beside the masks.
        source: the scan's grid as it was stored; labels then lie in memory as a NIfTI file of it has them.
    """
    source = source or grid
    levels, tissue = _zeros(source, np.uint8), _zeros(source, np.uint8)
    best = _zeros(source, np.float16)
    boxes = [_box(crop, grid) for crop in examined]
    found: list[NDArray[np.bool_]] = []
    kept: list[NDArray[np.float16]] = []
    warnings: list[str] = []
    # Where no corner reaches this nothing is decided: two parts that sum to 0.5 have one of 0.25.
    least = 0.0 if keep_probabilities or fusion > 0 else min(_HALF_OF_DECIDING, *thresholds)
    how = Placing(fusion, least, () if keep_probabilities else tuple(thresholds), slowest_first(levels))

    def sampled(task: tuple[Examined, Box]) -> tuple[NDArray[np.float32], list[Sampled], str | None]:
        return placed(task[0], located, _grid_of(grid, task[1]), how)

    tasks = zip(examined, boxes, strict=True)
    for crop, box, results in zip(examined, boxes, in_threads(sampled, tasks), strict=True):
        parts, findings, warning = results
        warnings.extend([warning] if warning else [])
        vertebra = parts[0] + parts[1]
        wins = (vertebra > 0.5) & (vertebra > best[box])
        np.copyto(best[box], vertebra, where=wins, casting="same_kind")
        np.copyto(levels[box], np.uint8(crop.vertebra.level), where=wins)
        np.copyto(tissue[box], _PART[(parts[0] >= parts[1]).view(np.uint8)], where=wins)
        found.append(_over(findings, thresholds, vertebra))
        if keep_probabilities:
            kept.append(np.stack([f for f in findings if f is not None]).astype(np.float16))
    for crop, box in zip(examined, boxes, strict=True):
        _drop_crumbs(levels[box], tissue[box], crop.vertebra.level)
    masks = [_zeros(source, np.bool_) for _ in FINDINGS]
    for crop, box, own in zip(examined, boxes, found, strict=True):
        here = [i for i, mine in enumerate(own) if mine.any()]
        free = (levels[box] == 0) | (levels[box] == crop.vertebra.level) if here else None
        for i in here:
            own[i] &= free
            _drop_specks(own[i], FINDINGS[i], grid.voxel_volume_mm3 / 1000.0)
            masks[i][box] |= own[i]
    probabilities = _merged(kept, boxes, levels, examined) if keep_probabilities else None
    return Composed(grid, levels, tissue, masks, boxes, found, warnings, probabilities)


def _over(findings: Sequence[Sampled], thresholds: Sequence[float], like: NDArray[Any]) -> NDArray[np.bool_]:
    """Which voxels (F, x, y, z) have each finding, in memory in the order of `like` (x, y, z)."""
    slowest = slowest_first(like)
    shape = [like.shape[axis] for axis in slowest]
    back = np.argsort(slowest)
    over = np.zeros((len(FINDINGS), *shape), dtype=np.bool_).transpose(0, *(back + 1))
    for mask, values, threshold in zip(over, findings, thresholds, strict=True):
        if values is not None:
            np.greater(values, np.float32(threshold), out=mask)
    return over


def _zeros(source: Grid, dtype: type[Any]) -> NDArray[Any]:
    """RAS zeros that lie in memory as in a file of `source`, x fastest; they take no memory until they are written."""
    return (
        Volume(np.zeros(source.shape, dtype=dtype, order="F"), source.affine)
        .oriented("RAS", copy=False)
        .array
    )


def _merged(
    kept: Sequence[NDArray[np.float16]],
    boxes: Sequence[Box],
    levels: NDArray[np.uint8],
    examined: Sequence[Examined],
) -> NDArray[np.float16]:
    """The highest probability (F, X, Y, Z) that a vertebra gives for each finding, none on another vertebra."""
    merged = np.zeros((len(FINDINGS), *levels.shape), dtype=np.float16)
    for crop, box, own in zip(examined, boxes, kept, strict=True):
        own[:, (levels[box] != 0) & (levels[box] != crop.vertebra.level)] = 0
        np.maximum(merged[(slice(None), *box)], own, out=merged[(slice(None), *box)])
    return merged


def add_sacrum(composed: Composed, sacrum: Volume) -> None:
    """Write the sacrum where no vertebra is; `sacrum` is its mask on the locate grid."""
    points = sacrum.grid.world(np.argwhere(sacrum.array))
    box = box_of(_margin(points, sacrum.grid.spacing_mm[0]), composed.grid)
    if box is None:
        return
    mask = sacrum.array[None].astype(np.float32)
    sampled = sample_channels(mask, sacrum.affine, sub_grid(composed.grid, *box))[0]
    levels = composed.levels[_slices(*box)]
    levels[(sampled > 0.5) & (levels == 0)] = SACRUM


def _box(crop: Examined, grid: Grid) -> Box:
    """The box of the scan's grid that holds all that the crop and the marker say of this vertebra."""
    seen = (crop.tissue[Tissue.BODY] + crop.tissue[Tissue.POSTERIOR] > _SEEN) | (
        crop.findings.max(axis=0) > _SEEN
    )
    marker = crop.vertebra.marker
    points = [
        _margin(marker.grid.world(np.argwhere(marker.array)), marker.grid.spacing_mm[0]),
        _margin(crop.grid.world(np.argwhere(seen)), crop.grid.spacing_mm[0]),
    ]
    box = box_of(np.concatenate(points), grid)
    return _slices(*box) if box is not None else (slice(0, 1), slice(0, 1), slice(0, 1))


def _margin(points_mm: NDArray[np.float64], margin_mm: float) -> NDArray[np.float64]:
    """The two corners (2, 3) of the points' world box, widened; no points give no corners (0, 3)."""
    if points_mm.shape[0] == 0:
        return points_mm
    low, high = points_mm.min(axis=0) - margin_mm, points_mm.max(axis=0) + margin_mm
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )


def _slices(start: NDArray[np.int64], stop: NDArray[np.int64]) -> Box:
    x, y, z = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return x, y, z


def _grid_of(grid: Grid, box: Box) -> Grid:
    return sub_grid(grid, np.array([s.start for s in box]), np.array([s.stop for s in box]))


def _drop_specks(mask: NDArray[np.bool_], name: str, voxel_ml: float) -> None:
    """Clear pieces of a finding (x, y, z) that are smaller than `_LEAST_FINDING_ML`."""
    if mask.any():
        least = max(2, int(np.ceil(_LEAST_FINDING_ML[name] / voxel_ml)))
        mask[...] = cc3d.dust(mask, threshold=least, connectivity=26)


def _drop_crumbs(levels: NDArray[np.uint8], tissue: NDArray[np.uint8], level: int) -> None:
    """Clear pieces of a vertebra that hang on nothing and are small beside its largest piece."""
    mask = levels == level
    if not mask.any():
        return
    pieces, n = cc3d.connected_components(mask, connectivity=26, return_N=True)
    if n < 2:
        return
    sizes = np.bincount(pieces.ravel(), minlength=n + 1)
    sizes[0] = 0
    crumbs = np.flatnonzero(sizes < _CRUMB_SHARE * sizes.max())
    gone = np.isin(pieces, crumbs[crumbs > 0])
    levels[gone] = 0
    tissue[gone] = 0
