"""Why the levels of a scan are wrong: the column that locate gives, held against the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.evaluation.matching import FOUND_SHARE, INVENTED_SHARE
from vertseg.inference.findings import Vertebra
from vertseg.inference.postprocess import Column
from vertseg.labels import N_LEVELS, SACRUM, VERTEBRA_LEVELS, level_name
from vertseg.volume import Grid

LEAST_SACRUM_ML = 20.0
"""A scan with less of it does not show the sacrum."""


@dataclass(frozen=True)
class ColumnCheck:
    """Faults of one column by kind; all empty where every vertebra was found once and rightly named.

    Attributes:
        wanted: true levels whose body centre is in view, head to foot.
        missed: true levels that no instance covers by `FOUND_SHARE`.
        merged: pairs of true levels of which one instance covers `FOUND_SHARE` each.
        split: true levels with two instances that lie on them more than on any other.
        invented: names given to instances that lie on no true vertebra.
        misnamed: true level to the name given, of those that were found.
    """

    wanted: tuple[str, ...]
    missed: tuple[str, ...]
    merged: tuple[str, ...]
    split: tuple[str, ...]
    invented: tuple[str, ...]
    misnamed: dict[str, str]

    @property
    def right(self) -> bool:
        """Whether every wanted vertebra was found and rightly named."""
        return not self.missed and not self.misnamed

    @property
    def cause(self) -> str:
        """Empty where all is right, "instances" where vertebrae are not one to one, else "decision"."""
        if self.right and not self.invented:
            return ""
        return "instances" if self.missed or self.merged or self.split or self.invented else "decision"


def check_column(column: Column, truth: NDArray[np.integer], grid: Grid, wanted: list[int]) -> ColumnCheck:
    """Compare the column's markers with level numbers (X, Y, Z) on the locate network's grid.

    Vertebrae that are only inferred count as found where their ball lies on the level.
    """
    overlaps = [_overlap(v, truth, grid) for v in column.vertebrae]
    sizes = np.bincount(truth.ravel(), minlength=N_LEVELS).astype(np.float64)
    best: dict[int, list[Vertebra]] = {}
    merged, invented = [], []
    for vertebra, counts in zip(column.vertebrae, overlaps, strict=True):
        on_true = {n: counts[n] for n in VERTEBRA_LEVELS if counts[n]}
        if sum(on_true.values()) < INVENTED_SHARE * counts.sum():
            invented.append(vertebra.name)
            continue
        best.setdefault(max(on_true, key=lambda n: on_true[n]), []).append(vertebra)
        covered = [level_name(n) for n in on_true if n in wanted and on_true[n] >= FOUND_SHARE * sizes[n]]
        if len(covered) > 1:
            merged.append("+".join(covered))
    found = {
        n: sum(c[n] for c in overlaps) >= FOUND_SHARE * sizes[n] or _inferred(best.get(n)) for n in wanted
    }
    return ColumnCheck(
        wanted=tuple(level_name(n) for n in wanted),
        missed=tuple(level_name(n) for n in wanted if not found[n]),
        merged=tuple(merged),
        split=tuple(level_name(n) for n in wanted if len(best.get(n, [])) > 1),
        invented=tuple(invented),
        misnamed={
            level_name(n): best[n][0].name
            for n in wanted
            if found[n] and n in best and all(v.level != n for v in best[n])
        },
    )


def _inferred(vertebrae: list[Vertebra] | None) -> bool:
    return any(v.inferred for v in vertebrae or [])


def _overlap(vertebra: Vertebra, truth: NDArray[np.integer], grid: Grid) -> NDArray[np.int64]:
    """Voxels of a marker by the true level number that they lie on."""
    marker = vertebra.marker
    start = np.rint(grid.voxel(marker.affine[:3, 3])).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start, marker.array.shape, strict=True))
    return np.bincount(truth[box][marker.array].astype(np.int64), minlength=N_LEVELS)


def has_anchor(truth: NDArray[np.integer], wanted: list[int], voxel_ml: float) -> bool:
    """Whether the scan shows what levels are counted from: sacrum, first rib (T1) or T12 with L1.

    Args:
        truth: level numbers (X, Y, Z).
        wanted: true levels in view.
        voxel_ml: volume of a voxel of `truth`.
    """
    sacrum = float(np.count_nonzero(truth == SACRUM)) * voxel_ml >= LEAST_SACRUM_ML
    names = {level_name(n) for n in wanted}
    return sacrum or "T1" in names or {"T12", "L1"} <= names or {"T13", "L1"} <= names
