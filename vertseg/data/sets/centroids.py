"""VerSe's centroid files: `_ctd.json` of the subject-based data, `_iso-ctd.json` of the 2020 challenge."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import InputError
from vertseg.volume import Grid

_AXES: Final = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
_ISO: Final = ("P", "I", "R")
"""Axes of the challenge's centroids: 1 mm steps from the anterior, superior, left corner (VerSe 2020's wiki)."""


@dataclass(frozen=True, eq=False)
class Centroids:
    """Centres of vertebral bodies as the file has them.

    Attributes:
        direction: patient direction to which each coordinate grows, such as ("P", "I", "R").
        unit: whether coordinates are voxels of the stored image or mm.
        positions: (3,) by level number.
    """

    direction: tuple[str, str, str]
    unit: Literal["voxel", "mm"]
    positions: dict[int, NDArray[np.float64]]

    def world_mm(self, grid: Grid) -> dict[int, NDArray[np.float64]]:
        """World positions (3,) in mm by level.

        Args:
            grid: of the scan, reordered to RAS.
        """
        axes = [_AXES[code] for code in self.direction]
        ends = np.array(grid.shape) - 1
        world = {}
        for level, position in self.positions.items():
            steps = np.empty(3)
            steps[axes] = position
            if self.unit == "mm":
                steps /= grid.spacing_mm
            backward = np.array([code in self.direction for code in "LPI"])
            world[level] = grid.world(np.where(backward, ends - steps, steps))
        return world


def read_centroids(path: Path) -> Centroids | None:
    """Centroids of a file; None where it does not say what its coordinates mean (VerSe 2019's challenge).

    Labels without numbers (NaN) are left out, as the set's own tools do.

    Raises:
        InputError: it cannot be read, or is no list of centroids.
    """
    try:
        entries = json.loads(path.read_text())
        direction = next((tuple(e["direction"]) for e in entries if "direction" in e), None)
        positions = dict(_position(e) for e in entries if "direction" not in e)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"'{path}' is no list of VerSe's centroids ({error!r}); download it again."
        ) from None
    positions = {level: place for level, place in positions.items() if np.isfinite(place).all()}
    if path.name.endswith("_iso-ctd.json"):
        return Centroids(_ISO, "mm", positions)
    if direction is None:
        return None
    if len(direction) != 3 or sorted(_AXES.get(code, -1) for code in direction) != [0, 1, 2]:
        raise InputError(f"'{path}' gives the direction {direction}, which is not three patient axes.")
    return Centroids((direction[0], direction[1], direction[2]), "voxel", positions)


def _position(entry: dict[str, Any]) -> tuple[int, NDArray[np.float64]]:
    coordinates = [float(entry[axis]) if entry[axis] is not None else math.nan for axis in "XYZ"]
    return int(entry["label"]), np.array(coordinates)
