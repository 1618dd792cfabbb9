"""Three lumbar vertebrae of plain shapes with cement of known volume, as a scan and its findings."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.labels import FINDINGS, LEAK_OUTCOMES, Tissue, level_number
from vertseg.planning.measures import measure
from vertseg.volume import Grid, Volume

AIR, SOFT, MARROW, ARCH, CEMENT = -1000.0, 40.0, 160.0, 450.0, 2000.0
APART_MM = 35.0
HALF = np.array([22.0, 16.0, 13.0])
WALL, LAMINA, CANAL = -16.0, -33.0, 10.0
NAMES = ("L1", "L2", "L3")
FINE_MM = 0.5

Points = NDArray[np.float64]
LOW, SIZE = np.array([-38.0, -58.0, -50.0]), (76, 86, 100)


@dataclass(frozen=True)
class Tube:
    """A chain of round bars, or a ball where there is one point only; mm."""

    radius: float
    points: tuple[tuple[float, float, float], ...]

    def inside(self, p: Points) -> NDArray[np.bool_]:
        found = np.zeros(p.shape[:-1], bool)
        for a, b in zip(
            self.points[: max(1, len(self.points) - 1)], self.points[1:] or self.points, strict=True
        ):
            start, way = np.array(a), np.array(b) - np.array(a)
            t = np.clip(((p - start) @ way) / max(way @ way, 1e-9), 0, 1)
            found |= np.linalg.norm(p - start - t[..., None] * way, axis=-1) <= self.radius
        return found

    def drawn(self) -> NDArray[np.bool_]:
        """On the fine grid; looked at only where it can be."""
        mask = np.zeros([2 * n for n in SIZE], bool)
        ends = np.array(self.points)
        start = np.floor((ends.min(axis=0) - self.radius - 1 - LOW) / FINE_MM).astype(int).clip(0, mask.shape)
        stop = np.ceil((ends.max(axis=0) + self.radius + 1 - LOW) / FINE_MM).astype(int).clip(0, mask.shape)
        index = np.moveaxis(np.indices(stop - start), 0, -1) + start
        mask[tuple(slice(i, j) for i, j in zip(start, stop, strict=True))] = self.inside(
            index * FINE_MM + LOW + FINE_MM / 2
        )
        return mask


def ball(centre: tuple[float, float, float], radius: float) -> Tube:
    return Tube(radius, (centre,))


def tube(radius: float, *points: tuple[float, float, float]) -> Tube:
    return Tube(radius, points)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A scan, its findings, and the true ml of each cement shape: in all, and outside of the drawn bones."""

    scan: Volume
    findings: Findings
    whole_ml: float
    outside_ml: tuple[float, ...]


def bones(p: Points) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Level numbers and tissue of points (..., 3) in patient mm, L2's centre at the origin."""
    level, tissue = np.zeros(p.shape[:-1], np.uint8), np.zeros(p.shape[:-1], np.uint8)
    for k, name in enumerate(NAMES):
        x, y, z = np.moveaxis(p - np.array([0, 0, APART_MM * (1 - k)]), -1, 0)
        body = ((x / HALF[0]) ** 2 + (y / HALF[1]) ** 2 <= 1) & (np.abs(z) <= HALF[2])
        flat = (np.abs(x) <= 12) & (y <= 0) & (y >= WALL) & (np.abs(z) <= HALF[2])
        body |= flat
        pedicle = (np.abs(x) > CANAL) & (np.abs(x) < 18) & (y < -8) & (y > LAMINA - 1) & (np.abs(z - 4) < 7)
        lamina = (np.abs(x) < 18) & (y <= LAMINA) & (y > LAMINA - 6) & (np.abs(z) < 11)
        own = body | pedicle | lamina
        level[own] = level_number(name)
        tissue[own] = np.where(body, Tissue.BODY, Tissue.POSTERIOR)[own]
    return level, tissue


def draw(
    *shapes: Tube,
    turn: NDArray[np.float64] | None = None,
    cement_hu: float = CEMENT,
    extra: Tube | None = None,
) -> Drawn:
    """The scan at 1 mm with every voxel's HU averaged over eight points, and labels as the points' majority.

    Args:
        shapes: of cement, in patient mm.
        turn: (3, 3) rotation of the patient on the table.
        cement_hu: of the cement.
        extra: shape of metal, 9,000 HU, not in any label.
    """
    turn = np.eye(3) if turn is None else turn
    low, size = LOW, SIZE
    level, tissue = _cached_bones()
    hu = np.select([tissue == Tissue.BODY, tissue == Tissue.POSTERIOR], [MARROW, ARCH], SOFT).astype(
        np.float32
    )
    each = [shape.drawn() for shape in shapes]
    cement = np.any(each, axis=0) if each else np.zeros(hu.shape, bool)
    hu[cement] = cement_hu
    if extra is not None:
        hu[extra.drawn()] = 9000.0
    affine = np.eye(4)
    affine[:3, :3] = turn
    affine[:3, 3] = turn @ (low + 0.5)
    grid = Grid(size, affine)

    def pooled(values: NDArray[np.float32]) -> NDArray[np.float32]:
        x, y, z = size
        return values.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5))

    def volume(values: NDArray[np.generic]) -> Volume:
        return Volume(np.ascontiguousarray(values), grid.affine)

    image = pooled(hu)
    image[:, -3:] = AIR
    mask = pooled(cement.astype(np.float32)) >= 0.5
    masks = {name: volume(np.zeros(size, np.uint8)) for name in FINDINGS}
    masks["cement"] = volume(mask.astype(np.uint8))
    labels, parts = level[::2, ::2, ::2], tissue[::2, ::2, ::2]
    vertebrae = tuple(_vertebra(n, turn, volume(labels), volume(parts), masks) for n in NAMES)
    provenance = Provenance("drawn", "0" * 64, {}, {}, {}, "cpu", "drawn")
    findings = Findings(volume(labels), volume(parts), masks, vertebrae, {}, provenance)
    voxel_ml = FINE_MM**3 / 1000.0
    return Drawn(
        volume(image), findings, float(cement.sum()) * voxel_ml,
        tuple(float((e & (level == 0)).sum()) * voxel_ml for e in each),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _cached_bones() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    fine = np.moveaxis(np.indices([2 * n for n in SIZE]), 0, -1) * FINE_MM + LOW + FINE_MM / 2
    return bones(fine)


def _vertebra(
    name: str, turn: NDArray[np.float64], level: Volume, tissue: Volume, masks: dict[str, Volume]
) -> VertebraFindings:
    number = level_number(name)
    centre = turn @ np.array([0.0, 0.0, APART_MM * (1 - NAMES.index(name))])
    own = level.array == number
    mine = {n: v.with_array(np.where(own, v.array, 0).astype(np.uint8)) for n, v in masks.items()}
    measures = measure(tissue.with_array(np.where(own, tissue.array, 0).astype(np.uint8)), mine, centre, turn)
    leak = {outcome: 0.1 * (i + 1) for i, outcome in enumerate(LEAK_OUTCOMES)}
    return VertebraFindings(
        number, 0.9, (float(centre[0]), float(centre[1]), float(centre[2])), turn, False, measures, leak,
        leak_confidence=0.6, leak_abstained=False,
    )  # fmt: skip
