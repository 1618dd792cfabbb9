"""After an injection: how much cement lies in a vertebra, and where the rest of it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.inference.findings import Findings
from vertseg.labels import LEAK_ROUTES
from vertseg.planning.canal_course import CanalSection, canal_place, canal_sections
from vertseg.planning.cast_labels import without_casts
from vertseg.planning.cement_compartments import COMPARTMENTS, Compartment, Piece, leaked_pieces
from vertseg.planning.cement_voxels import CementVoxels, cement_voxels
from vertseg.planning.treated_spine import TreatedSpine, treated_spine
from vertseg.volume import Volume, box_around

__all__ = ["COMPARTMENTS", "LEAK_THRESHOLD_ML", "CementLeak", "CementSpread", "cement_spread"]

LEAK_THRESHOLD_ML: Final = 0.05
"""Cement outside of the vertebra, by one route, from which on it counts as a leak: that of the simulated injections
from which the risk was learned (`vertseg.cement.parameters`, which needs torch; a test holds them together)."""

METAL_NEAR_MM: Final = 10.0
_SLAB_MM: Final = 2.0
_MARGIN: Final = 14
_ACROSS: Final = 12


@dataclass(frozen=True)
class CementLeak:
    """One connected piece of cement outside of its vertebra.

    Attributes:
        compartment: where it lies.
        route: one of `labels.LEAK_ROUTES`; None for the cannula's track.
        volume_ml: its volume.
        length_mm: its longest extent, measured along the cast where that is bent.
        reach_mm: largest distance of its cement from the vertebral body's surface.
        centre_mm: (3,) its middle in world RAS.
        elongation: length over mean thickness; tubes in veins have high ones.
    """

    compartment: Compartment
    route: str | None
    volume_ml: float
    length_mm: float
    reach_mm: float
    centre_mm: tuple[float, float, float]
    elongation: float


@dataclass(frozen=True)
class CementSpread:
    """One vertebra's cement.

    Attributes:
        level: VerSe level number.
        cement_ml: all cement of this vertebra, wherever it lies.
        body_ml: the part of it in the vertebral body.
        posterior_ml: the part in its posterior elements (what the cannula left in the pedicle, for example).
        leaked_ml: the part outside of the vertebra.
        filled_share: share of the body's volume that is cement, 0 to 1; None without a body.
        lesion_filled_share: share of the lytic lesion that is cement now; None where its outline before the
            injection is not known.
        compartment_ml: leaked cement by each of `COMPARTMENTS`.
        route_ml: leaked cement by each of `labels.LEAK_ROUTES`.
        leak: whether that counts as a leak, by each of `labels.LEAK_ROUTES`, and "any".
        canal_narrowing_percent: largest share of the canal's cross-section that this cement takes, 0 to 100; None
            where the canal is not seen.
        plateau_hu: attenuation of solid cement.
        leaks: the pieces, largest first.
        warnings: sentences for the reader, such as metal nearby.
    """

    level: int
    cement_ml: float
    body_ml: float
    posterior_ml: float
    leaked_ml: float
    filled_share: float | None
    lesion_filled_share: float | None
    compartment_ml: dict[str, float]
    route_ml: dict[str, float]
    leak: dict[str, bool]
    canal_narrowing_percent: float | None
    plateau_hu: float
    leaks: tuple[CementLeak, ...]
    warnings: tuple[str, ...] = ()


def cement_spread(
    findings: Findings, scan: Volume, lesions: Mapping[int, Volume] | None = None
) -> dict[int, CementSpread]:
    """The cement of every vertebra that holds any, by level number; empty where there is none.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        lesions: outline of lytic lesions before the injection, moved to where they lie in this scan, by level.
    """
    spine = treated_spine(findings, scan)
    return {} if spine is None else spread_of(spine, lesions or {})[0]


def spread_of(
    spine: TreatedSpine, lesions: Mapping[int, Volume]
) -> tuple[dict[int, CementSpread], NDArray[np.uint8]]:
    """The cement of a spine by level, and (X, Y, Z) where it lies.

    The map is 1 in vertebrae, 2 + index of `COMPARTMENTS` outside of them, 0 without cement: for pictures.
    """
    cement = cement_voxels(spine)
    sections = canal_sections(spine, cement.solid)
    spine = without_casts(spine, cement, sections)
    place = np.zeros(spine.hu.shape, np.uint8)
    found = {}
    for level in cement.plateau_hu:
        mine = cement.solid & (cement.owner == level)
        if mine.any():
            box = box_around(mine | spine.own_body(level), _MARGIN)
            near, held = spine.cropped(box), cement.cropped(box)
            pieces = leaked_pieces(near, held, sections, level)
            marked = _map(mine[box], pieces)
            place[box] = np.where(marked > 0, marked, place[box])
            found[level] = _spread(near, held, sections, (level, pieces), lesions.get(level))
    return found, place


def _map(mine: NDArray[np.bool_], pieces: list[Piece]) -> NDArray[np.uint8]:
    place = mine.astype(np.uint8)
    for piece in pieces:
        place[tuple(piece.voxels.T)] = 2 + COMPARTMENTS.index(piece.compartment)
    return place


def _spread(
    spine: TreatedSpine,
    cement: CementVoxels,
    sections: dict[int, CanalSection],
    which: tuple[int, list[Piece]],
    lesion: Volume | None,
) -> CementSpread:
    level, pieces = which
    amount, part = _amounts(spine, cement, level, pieces)
    own = spine.level == level
    solid = cement.solid & (cement.owner == level)
    ml = [float(amount[part == k].sum()) * spine.voxel_ml for k in range(1, len(pieces) + 1)]
    held = np.where(part == 0, amount, 0.0)
    in_arch = _nearest_in(solid & own, own & ~spine.body)
    posterior = float(held[in_arch].sum()) * spine.voxel_ml
    body = float(held.sum()) * spine.voxel_ml - posterior
    body_ml = np.count_nonzero(own & spine.body) * spine.voxel_ml
    leaks = tuple(
        CementLeak(
            p.compartment, p.route, volume, p.length_mm, p.reach_mm,
            _triple(spine.grid.world(p.voxels.mean(axis=0))), p.elongation,
        )
        for p, volume in zip(pieces, ml, strict=True)
    )  # fmt: skip
    routes = {r: sum(k.volume_ml for k in leaks if k.route == r) for r in LEAK_ROUTES}
    leak = {r: routes[r] >= LEAK_THRESHOLD_ML for r in LEAK_ROUTES}
    return CementSpread(
        level=level,
        cement_ml=body + posterior + sum(ml),
        body_ml=body,
        posterior_ml=posterior,
        leaked_ml=sum(ml),
        filled_share=min(1.0, body / body_ml) if body_ml > 0 else None,
        lesion_filled_share=_filled(spine, amount, lesion),
        compartment_ml={c: sum(k.volume_ml for k in leaks if k.compartment == c) for c in COMPARTMENTS},
        route_ml=routes,
        leak={**leak, "any": any(leak.values())},
        canal_narrowing_percent=_narrowing(spine, sections, level, (amount, part, pieces)),
        plateau_hu=cement.plateau_hu[level],
        leaks=tuple(sorted(leaks, key=lambda k: -k.volume_ml)),
        warnings=_warnings(cement, level),
    )


def _amounts(
    spine: TreatedSpine, cement: CementVoxels, level: int, pieces: list[Piece]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Share of each voxel that is this vertebra's cement, and the number of the piece it belongs to, 0 for none.

    The partial voxels around solid cement go with the solid voxel that is nearest.
    """
    part = np.zeros(cement.solid.shape, np.uint8)
    for k, piece in enumerate(pieces[:255], start=1):
        part[tuple(piece.voxels.T)] = k
    nearest = ndimage.distance_transform_edt(~cement.solid, return_distances=False, return_indices=True)
    owner, part = cement.owner[tuple(nearest)], part[tuple(nearest)]
    amount = np.where(owner == level, cement.share, 0.0).astype(np.float32)
    return amount, part


def _nearest_in(solid: NDArray[np.bool_], region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels whose nearest solid one lies in a region; without solid ones none."""
    if not solid.any():
        return np.zeros(solid.shape, bool)
    nearest = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
    return np.asarray(region[tuple(nearest)])


def _filled(spine: TreatedSpine, amount: NDArray[np.float32], lesion: Volume | None) -> float | None:
    if lesion is None:
        return None
    shares = Volume((lesion.array > 0).astype(np.float32), lesion.affine).resampled_to(spine.grid, 1, 0.0)
    whole = float(shares.array.sum())
    return float((shares.array * amount).sum()) / whole if whole > 0 else None


def _narrowing(
    spine: TreatedSpine,
    sections: dict[int, CanalSection],
    level: int,
    what: tuple[NDArray[np.float32], NDArray[np.uint8], list[Piece]],
) -> float | None:
    """Largest share of the canal's cross-section, over slabs of 2 mm along it, that the cement in it takes."""
    if level not in sections or not sections[level].seen:
        return None
    amount, part, pieces = what
    numbers = [k for k, p in enumerate(pieces, start=1) if p.compartment == "canal"]
    if not numbers:
        return 0.0
    at = np.argwhere(np.isin(part, numbers) & (amount > 0))
    along = canal_place(sections, spine.grid.world(at), 0.0).along_mm
    low, high = np.maximum(at.min(axis=0) - _ACROSS, 0), at.max(axis=0) + _ACROSS + 1
    room = np.argwhere(spine.level[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] == 0) + low
    canal = canal_place(sections, spine.grid.world(room), 0.0)
    first = float(along.min())
    edges = np.arange(first, float(along.max()) + _SLAB_MM, _SLAB_MM)
    if len(edges) < 2:
        edges = np.array([first, first + _SLAB_MM])
    taken, _ = np.histogram(along, edges, weights=amount[tuple(at.T)])
    whole, _ = np.histogram(canal.along_mm[canal.inside], edges)
    shares = taken / np.maximum(whole, 1)
    return float(np.clip(100.0 * shares[whole > 20].max(), 0.0, 100.0)) if (whole > 20).any() else None


def _triple(point: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])


def _warnings(cement: CementVoxels, level: int) -> tuple[str, ...]:
    apart = cement.metal_mm[level]
    if apart < METAL_NEAR_MM:
        return (
            f"Metal lies {apart:.0f} mm from this cement: streaks may change its volume, and what it touches.",
        )
    return ()
