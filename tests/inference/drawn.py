"""Spines drawn from plain shapes, with the outputs that a perfect locate network would give for them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.located import Located
from vertseg.labels import LEVEL_NUMBERS, N_LEVELS, SACRUM, LocateClass, level_number
from vertseg.phantom.patient.morphometry import LEVEL_SIZES
from vertseg.volume import Grid

SPACING_MM = 3.0
_LIVING = 1.1


@dataclass(frozen=True)
class DrawnSpine:
    """Truth on one grid: level numbers, LocateClass numbers, body centres and axes by level number."""

    grid: Grid
    level: NDArray[np.uint8]
    tissue: NDArray[np.uint8]
    centres_mm: dict[int, NDArray[np.float64]]
    axes: dict[int, NDArray[np.float64]] = field(default_factory=dict)


def draw_spine(
    names: str,
    *,
    sacrum: bool = False,
    collapsed: str | None = None,
    turn: NDArray[np.float64] | None = None,
    grid: Grid | None = None,
    lesser_field_mm: float = 0.0,
) -> DrawnSpine:
    """A spine of the named levels, head to foot ("T12 L1 L2"), with a gentle double curve.

    Args:
        names: levels, separated by blanks; each is drawn with its own level's sizes.
        sacrum: a wedge of sacrum below.
        collapsed: level whose body has 30 % of its height.
        turn: (3, 3) rotation of the whole patient about the middle of the column.
        grid: where to draw; None makes a world-aligned one that holds all.
        lesser_field_mm: how much the field of view is cut at its top.
    """
    levels = [level_number(n) for n in names.split()]
    turn = np.eye(3) if turn is None else turn
    poses = _poses(levels, collapsed)
    middle = np.mean([c for _, c, _, _ in poses], axis=0)
    poses = [(n, turn @ (c - middle), turn @ a, h) for n, c, a, h in poses]
    if grid is None:
        ends = np.array([c for _, c, _, _ in poses])
        margin = np.array([70, 60, 50 - lesser_field_mm])
        low, high = ends.min(axis=0) - np.array([70, 90, 90]), ends.max(axis=0) + margin
        affine = np.diag([SPACING_MM] * 3 + [1.0])
        affine[:3, 3] = low
        grid = Grid(tuple(int(n) for n in (high - low) / SPACING_MM), affine)
    level = np.zeros(grid.shape, dtype=np.uint8)
    tissue = np.zeros(grid.shape, dtype=np.uint8)
    points = grid.world(np.moveaxis(np.indices(grid.shape), 0, -1))
    if sacrum:
        _draw_sacrum(points, poses[-1], level, tissue)
    for number, centre, axes, height in poses:
        body, posterior = _masks((points - centre) @ axes, number, height)
        for mask, part in ((posterior, LocateClass.POSTERIOR), (body, LocateClass.BODY)):
            level[mask], tissue[mask] = number, part
    return DrawnSpine(grid, level, tissue, {n: c for n, c, _, _ in poses}, {n: a for n, _, a, _ in poses})


def _poses(levels: list[int], collapsed: str | None) -> list[tuple]:
    poses, at = [], np.zeros(3)
    for number in levels:
        sizes = LEVEL_SIZES[number]
        whole = _LIVING * sizes["height"]
        height = 0.3 * whole if collapsed and number == level_number(collapsed) else whole
        tilt = np.radians(12 * np.sin(at[2] / 90.0))
        up = np.array([0.0, np.sin(tilt), np.cos(tilt)])
        anterior = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
        axes = np.stack([np.cross(anterior, up), anterior, up], axis=1)
        centre = at - up * height / 2
        poses.append((number, centre, axes, height))
        at = centre - up * (height / 2 + sizes["disc"])
    return poses


def _masks(p: NDArray[np.float64], number: int, height: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Body and posterior elements at points p (..., 3) in the vertebra's frame."""
    s = LEVEL_SIZES[number]
    width, depth = _LIVING * s["width"], _LIVING * s["depth"]
    x, y, z = np.moveaxis(p, -1, 0)
    body = ((2 * x / width) ** 2 + (2 * y / depth) ** 2 <= 1) & (np.abs(z) <= height / 2)
    back, drop = -depth / 2, s["spinous_drop"]
    pedicle = (np.abs(np.abs(x) - 13) < 5) & (y < 0) & (y > back - 16) & (np.abs(z - 1) < 6)
    lamina = (np.abs(x) < 18) & (y < back - 15) & (y > back - 23) & (z < 6) & (z > -9)
    spinous = (
        (np.abs(x) < 4)
        & (y < back - 20)
        & (y > back - 20 - 0.5 * s["spinous_length"])
        & (z < 2)
        & (z > -12 - drop)
    )
    transverse = (
        (np.abs(x) < 0.45 * s["transverse_span"]) & (np.abs(y - back + 14) < 5) & (np.abs(z - 1) < 4.5)
    )
    return body, (pedicle | lamina | spinous | transverse) & ~body


def _draw_sacrum(
    points: NDArray[np.float64], last: tuple, level: NDArray[np.uint8], tissue: NDArray[np.uint8]
) -> None:
    number, centre, axes, height = last
    x, y, z = np.moveaxis((points - centre) @ axes, -1, 0)
    depth_below = -z - height / 2 - LEVEL_SIZES[number]["disc"]
    mask = (
        (depth_below > 0)
        & (depth_below < 60)
        & (np.abs(x) < 50 - 0.6 * depth_below)
        & (np.abs(y + 15 + 0.4 * depth_below) < 18)
    )
    level[mask], tissue[mask] = SACRUM, LocateClass.SACRUM


def perfect(spine: DrawnSpine, source: Grid | None = None) -> Located:
    """One-hot probabilities and exact offsets."""
    tissue = np.stack([spine.tissue == c for c in LocateClass]).astype(np.float32)
    level = np.stack([spine.level == n for n in range(N_LEVELS)]).astype(np.float32)
    offset = np.zeros((3, *spine.grid.shape), dtype=np.float32)
    for number, centre in spine.centres_mm.items():
        at = np.argwhere(spine.level == number)
        offset[(slice(None), *at.T)] = (centre - spine.grid.world(at)).T
    return Located(spine.grid, tissue, level, offset, source or spine.grid)


def imperfect(
    spine: DrawnSpine, rng: np.random.Generator, *, blur: float = 0.5, offset_mm: float = 4.0
) -> Located:
    """What a network in training gives: soft levels that lean to neighbours, noisy offsets, holes, crumbs."""
    clean = perfect(spine)
    noise = rng.random(clean.tissue.shape).astype(np.float32)
    tissue = 0.75 * clean.tissue + 0.25 * noise / noise.sum(axis=0)
    holes = rng.random(spine.grid.shape) < 0.08
    tissue[:, holes] = np.eye(len(LocateClass), dtype=np.float32)[LocateClass.BACKGROUND][:, None]
    # Neighbours in the column are neighbours in number, but for the passage from T12 to L1 and T13.
    level = np.array(clean.level)
    spill = np.zeros_like(level)
    spill[1:] += 0.5 * level[:-1]
    spill[:-1] += 0.5 * level[1:]
    level = (1 - blur) * level + blur * spill
    offset = clean.offset_mm + rng.normal(0, offset_mm, clean.offset_mm.shape).astype(np.float32)
    offset += np.repeat(np.repeat(np.repeat(
        rng.normal(0, offset_mm / 2, (3, *(-(-np.array(spine.grid.shape) // 8)))), 8, 1), 8, 2), 8, 3
    )[:, : spine.grid.shape[0], : spine.grid.shape[1], : spine.grid.shape[2]].astype(np.float32)  # fmt: skip
    return Located(spine.grid, tissue.astype(np.float32), level, offset, spine.grid)


LUMBAR = "T11 T12 L1 L2 L3 L4 L5"
THORACIC = "T3 T4 T5 T6 T7 T8 T9 T10"
WHOLE = " ".join(n for n in (
    *(f"C{i}" for i in range(3, 8)), *(f"T{i}" for i in range(1, 13)), *(f"L{i}" for i in range(1, 6)),
))  # fmt: skip
L5 = LEVEL_NUMBERS["L5"]
