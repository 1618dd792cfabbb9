"""Which voxels hold cement, how much of each, and whose cement it is.

Cement is told by its attenuation around what the network marks: barium or zirconium make it far denser than bone.
A voxel's share of cement is its HU between those of what lies around (marrow or soft tissue) and those of the
solid inside (the plateau), so that edges that cut voxels count for what is in them.
"""

from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.treated_spine import SPACING_MM, TreatedSpine

LEAST_PLATEAU_HU: Final = 700.0
"""What is less dense inside is not taken for cement: cortical bone reaches 700 to 1,500 HU in thin layers, acrylic
cement with 10 % of barium sulphate or more lies above throughout."""

METAL_HU: Final = 3072.0
"""From here on it is metal, the end of the scale of 12 bits."""

SOFT_TISSUE_HU: Final = 50.0
_DENSER: Final = 1.6
"""Anything that much denser than the vertebra's cement is metal, too."""

_TREATED_ML: Final = 0.15
"""Cement in a vertebra from which on it is taken as injected; less, joined to another's cement, leaked there."""

_JOINED_ML: Final = 0.04
"""The same where the vertebra holds that much more elsewhere: two injected neighbours leaked into one disc."""

_NEAR_MM: Final = 3.0
_RING_MM: Final = (3.0, 6.0)
BRIGHT_HU: Final = 1000.0
"""From here on what the network left unmarked may be cement too, next to an injected vertebra: cortex and
calcified vessels are rarely that dense once a scanner has blurred them."""

_PEAK_SHARE: Final = 0.6
_PEAK_VOXELS: Final = 4
_REACH_MM: Final = 15.0
_EVEN: Final = 0.5
_THIN: Final = 0.3
_LEAST_CORE: Final = 20
_EVERY: Final = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class CementVoxels:
    """Cement on the grid of a `TreatedSpine`.

    Attributes:
        solid: (X, Y, Z) bool, voxels of which half or more is cement.
        share: (X, Y, Z) float32 share of each voxel that is cement, 0 to 1; beyond `solid` in its outermost layer.
        owner: (X, Y, Z) uint8 level of the vertebra that was injected, in `solid`.
        plateau_hu: attenuation of solid cement by level.
        metal_mm: distance from the cement of each level to metal; infinite where there is none.
    """

    solid: NDArray[np.bool_]
    share: NDArray[np.float32]
    owner: NDArray[np.uint8]
    plateau_hu: dict[int, float]
    metal_mm: dict[int, float]

    def cropped(self, box: tuple[slice, ...]) -> "CementVoxels":
        """The same in a box of voxels."""
        return CementVoxels(self.solid[box], self.share[box], self.owner[box], self.plateau_hu, self.metal_mm)


def cement_voxels(spine: TreatedSpine) -> CementVoxels:
    """Find the cement of a spine; without any dense enough the arrays are empty of it."""
    plateaus = _plateaus(spine)
    metal = _metal(spine, plateaus)
    if not plateaus:
        none = np.zeros(spine.hu.shape, bool)
        return CementVoxels(none, none.astype(np.float32), none.astype(np.uint8), {}, {})
    apart = np.asarray(ndimage.distance_transform_edt(~spine.marked))
    plateau, ground = _references(spine, plateaus, apart)
    share = np.clip((spine.hu - ground) / (plateau - ground), 0.0, 1.0)
    share[metal] = 0.0
    solid = _solid(spine, share, apart, list(plateaus))
    owner = _owners(spine, solid, list(plateaus))
    solid &= owner > 0
    inside = ndimage.binary_erosion(solid)
    around = ndimage.binary_dilation(solid)
    amount = np.where(inside, 1.0, np.where(around, share, 0.0)).astype(np.float32)
    far = ndimage.distance_transform_edt(~metal) if metal.any() else None
    distance = {
        n: float(far[owner == n].min()) if far is not None and (owner == n).any() else float("inf")
        for n in plateaus
    }
    return CementVoxels(solid, amount, owner, plateaus, distance)


def _plateaus(spine: TreatedSpine) -> dict[int, float]:
    """Attenuation of solid cement by level of the vertebrae in which enough of it is marked, head to foot."""
    found = {}
    core = ndimage.binary_erosion(spine.marked)
    for level in spine.frames:
        own = spine.marked & (spine.level == level)
        if np.count_nonzero(own) * spine.voxel_ml < 0.03:
            continue
        inner = own & core
        if np.count_nonzero(inner) >= _LEAST_CORE:
            value = float(np.median(spine.hu[inner]))
        else:
            value = float(np.percentile(spine.hu[own], 85))
        if value >= LEAST_PLATEAU_HU:
            found[level] = value
    return found


def _metal(spine: TreatedSpine, plateaus: dict[int, float]) -> NDArray[np.bool_]:
    """Metal and what it brightens around it; what the network marks as cement stays cement."""
    limit = min(METAL_HU, _DENSER * max(plateaus.values(), default=METAL_HU))
    dense = (spine.hu >= limit) & ~spine.marked
    dense = cc3d.dust(dense, threshold=30, connectivity=26).astype(bool)
    return np.asarray(ndimage.binary_dilation(dense, _EVERY, iterations=2) & ~spine.marked)


def _references(
    spine: TreatedSpine, plateaus: dict[int, float], apart: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """HU of full and of no cement at each voxel: those of the nearest injected vertebra."""
    ground = np.full(spine.hu.shape, SOFT_TISSUE_HU, np.float32)
    seeds = np.zeros(spine.hu.shape, np.uint8)
    for level in plateaus:
        own = spine.level == level
        ring = own & (apart > _RING_MM[0]) & (apart < _RING_MM[1])
        marrow = float(np.median(spine.hu[ring])) if np.count_nonzero(ring) >= _LEAST_CORE else 200.0
        ground[own] = np.clip(marrow, 0.0, 0.4 * plateaus[level])
        seeds[own & spine.marked] = level
    nearest = ndimage.distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
    whose = seeds[tuple(nearest)]
    table = np.zeros(256, np.float32)
    for level, value in plateaus.items():
        table[level] = value
    return table[whose], ground


def _solid(
    spine: TreatedSpine, share: NDArray[np.float32], apart: NDArray[np.float64], levels: list[int]
) -> NDArray[np.bool_]:
    """Voxels of cement: dense and joined to what the network marks, or so bright that it can be nothing else.

    In bone, a dense cortex or a sclerotic rim must not be taken along, so there cement is followed near the marks only,
    unless it is bright; beside the bones hardly anything else is as dense.
    """
    outside, injected = spine.level == 0, np.isin(spine.level, levels)
    dense = share >= _EVEN
    bright = dense & (spine.hu >= BRIGHT_HU) & injected
    thin = (share >= _THIN) & spine.marked & outside
    allowed = (dense & ((apart <= _NEAR_MM) | outside)) | bright | thin
    pieces = cc3d.connected_components(allowed, connectivity=26)
    count = int(pieces.max()) + 1
    marked = np.bincount(pieces[spine.marked & allowed], minlength=count) > 0
    peak = allowed & (share >= _PEAK_SHARE) & (spine.hu >= BRIGHT_HU)
    peaks = np.bincount(pieces[peak], minlength=count)
    away = ndimage.distance_transform_edt(~(injected & spine.body))
    near = np.bincount(pieces[allowed & (away * SPACING_MM <= _REACH_MM)], minlength=count)
    size = np.maximum(np.bincount(pieces.ravel(), minlength=count), 1)
    taken = marked | ((peaks >= _PEAK_VOXELS) & (near / size > 0.5))
    taken[0] = False
    return np.asarray(taken[pieces])


def _owners(spine: TreatedSpine, solid: NDArray[np.bool_], levels: list[int]) -> NDArray[np.uint8]:
    """Level of the injected vertebra for each solid voxel.

    Joined cement belongs to the vertebra in which it lies, outside of bones to the one from which the way through
    the cement is shortest; loose cement to the nearest injected vertebra.
    """
    pieces, count = cc3d.connected_components(solid, connectivity=26, return_N=True)
    owner = np.zeros(solid.shape, np.uint8)
    amount = {n: float(np.count_nonzero(solid & (spine.level == n)) * spine.voxel_ml) for n in levels}
    for k, box in enumerate(ndimage.find_objects(pieces, max_label=count), start=1):
        if box is None:
            continue
        mine = pieces[box] == k
        inside = {n: np.count_nonzero(mine & (spine.level[box] == n)) * spine.voxel_ml for n in levels}
        full = [n for n in levels if inside[n] >= (_JOINED_ML if amount[n] >= _TREATED_ML else _TREATED_ML)]
        held = full or [n for n in levels if inside[n] > 0 and inside[n] == max(inside.values())][:1]
        if len(held) == 1:
            owner[box][mine] = held[0]
        elif held:
            seeds = np.where(mine & np.isin(spine.level[box], held), spine.level[box], 0)
            owner[box] = np.where(mine, _grown(seeds.astype(np.uint8), mine), owner[box])
        else:
            owner[box][mine] = _nearest(spine, np.argwhere(mine) + [s.start for s in box], amount)
    return owner


def _grown(seeds: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Seeds grown through a mask step by step, all at once."""
    grown = seeds
    while True:
        wider = np.where((grown == 0) & mask, ndimage.grey_dilation(grown, footprint=_EVERY), grown)
        if np.array_equal(wider, grown):
            return grown
        grown = wider.astype(np.uint8)


def _nearest(spine: TreatedSpine, voxels: NDArray[np.intp], amount: dict[int, float]) -> int:
    """The injected vertebra nearest to loose cement."""
    middle = spine.grid.world(voxels.mean(axis=0))
    injected = [n for n, ml in amount.items() if ml >= _TREATED_ML] or list(amount)
    return min(injected, key=lambda n: float(np.linalg.norm(spine.frames[n].centre_mm - middle)))
