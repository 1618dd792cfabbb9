"""Where the posterior wall of a body runs: its surface between the pedicles, and its corners at the endplates."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.planning.body_surfaces import BodySurfaces
from vertseg.planning.trimmed_fit import trimmed_fit
from vertseg.planning.upright import UprightVertebra

_BEHIND_WALL_MM: Final = 4.0
_MIN_CANAL_MM: Final = 8.0
_MAX_CANAL_MM: Final = 40.0
_DIP_MM: Final = 1.5
_SMOOTH_MM: Final = 1.2
_FIT_ROUNDS: Final = 5
_MIN_PLACES: Final = 40
_RIM_ROWS: Final = 3
_FALLBACK_HALF_SHARE: Final = 0.27


@dataclass(frozen=True, eq=False)
class PosteriorWall:
    """The canal side of a body between the pedicles; mm from the body centre in the vertebra's frame.

    Attributes:
        right_mm: (X,) places of the grid's columns.
        up_mm: (Z,) the same.
        wall_mm: (X, Z) anterior place of the wall, as a sound wall would go on over holes; NaN outside of the body.
        front_mm: (X, Z) anterior place where the body itself begins, seen from the canal; NaN outside.
        middle_mm: right place of the canal's middle.
        half_width_mm: from there to the pedicles.
        sides_seen: whether the pedicles gave that width, and not the body's.
    """

    right_mm: NDArray[np.float64]
    up_mm: NDArray[np.float64]
    wall_mm: NDArray[np.float64]
    front_mm: NDArray[np.float64]
    middle_mm: float
    half_width_mm: float
    sides_seen: bool

    @property
    def between(self) -> NDArray[np.bool_]:
        """(X, Z) places of the wall between the pedicles."""
        near = np.abs(self.right_mm - self.middle_mm) <= self.half_width_mm
        return np.asarray(np.isfinite(self.wall_mm) & near[:, None])

    def corner_mm(self, upper: bool) -> NDArray[np.float64] | None:
        """(3,) the wall's upper or lower corner in the midline; None where it is not seen."""
        near = np.abs(self.right_mm - self.middle_mm) <= self.half_width_mm / 2
        column = self.wall_mm[near]
        seen = np.isfinite(column).any(axis=0)
        if np.count_nonzero(seen) < 4:
            return None
        heights = np.flatnonzero(seen)
        # Rims are round: the wall's own course begins a little beyond them.
        skip = min(_RIM_ROWS, heights.size // 4)
        rows = heights[-skip - 5 : -skip] if upper else heights[skip : skip + 5]
        step = self.up_mm[1] - self.up_mm[0]
        end = self.up_mm[heights[-1]] + step / 2 if upper else self.up_mm[heights[0]] - step / 2
        return np.array([self.middle_mm, float(np.nanmedian(column[:, rows])), end])


def posterior_wall(vertebra: UprightVertebra, surfaces: BodySurfaces) -> PosteriorWall | None:
    """The posterior wall of a body; None where too little of it is seen.

    Args:
        vertebra: in its own frame.
        surfaces: of its body.
    """
    places = vertebra.places_mm
    seen = _first_surface(vertebra.shares, places[1])
    # The wall faces backward: columns beside it begin farther in front, on the body's flanks.
    depth = float(np.percentile(surfaces.anterior_mm, 98) - np.percentile(surfaces.anterior_mm, 2))
    back = float(np.percentile(surfaces.anterior_mm, 2))
    seen[seen > back + 0.45 * depth] = np.nan
    width = float(np.percentile(surfaces.right_mm, 98) - np.percentile(surfaces.right_mm, 2))
    found = _pedicle_borders(vertebra, seen, (places[0], places[1]))
    middle, half = found or (float(np.median(surfaces.right_mm)), _FALLBACK_HALF_SHARE * width)
    near = np.abs(places[0] - middle) <= half
    seen[~near] = np.nan
    if np.count_nonzero(np.isfinite(seen)) < _MIN_PLACES:
        return None
    return PosteriorWall(
        places[0],
        places[2],
        _smoothed(seen, places, vertebra.spacing_mm),
        seen,
        middle,
        half,
        found is not None,
    )


def _first_surface(share: NDArray[np.float32], anterior_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(X, Z) anterior place (mm) where the body begins as seen from behind; NaN where there is none."""
    inside = share >= 0.5
    first = inside.argmax(axis=1)
    x, z = np.indices(first.shape)
    here = share[x, first, z].astype(np.float64)
    behind = np.where(first > 0, share[x, np.maximum(first - 1, 0), z], 0.0)
    beyond = np.clip((here - 0.5) / np.maximum(here - behind, 1e-6), 0.0, 1.0)
    step = anterior_mm[1] - anterior_mm[0]
    return np.where(inside.any(axis=1), anterior_mm[first] - beyond * step, np.nan)


def _pedicle_borders(
    vertebra: UprightVertebra,
    seen: NDArray[np.float64],
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[float, float] | None:
    """Right place of the canal's middle and half its width (mm), from the pedicles; None where they are not seen."""
    right, anterior = places
    near = np.abs(right) < 6.0
    wall = np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in seen[near].T])
    sides = []
    for z in np.flatnonzero(np.isfinite(wall)):
        slab = (anterior < wall[z] - 0.5) & (anterior > wall[z] - _BEHIND_WALL_MM)
        bone = vertebra.posterior[:, slab, z].sum(axis=1) >= 1
        rights, lefts = right[bone & (right > 0)], right[bone & (right < 0)]
        if rights.size and lefts.size and _MIN_CANAL_MM <= rights.min() - lefts.max() <= _MAX_CANAL_MM:
            sides.append((lefts.max(), rights.min()))
    if len(sides) < 3:
        return None
    left, rightmost = np.median(np.array(sides), axis=0)
    step = float(right[1] - right[0])
    return float(left + rightmost) / 2, float(rightmost - left - step) / 2


def _smoothed(
    seen: NDArray[np.float64],
    places: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    spacing_mm: float,
) -> NDArray[np.float64]:
    """The surface without voxel steps, holes bridged by a curved surface fitted to the rest."""
    known = np.isfinite(seen)
    x, z = np.meshgrid(places[0] / 10, places[2] / 10, indexing="ij")
    terms = np.stack([np.ones_like(x), x, z, x * x, x * z, z * z, x * x * x * x], axis=-1)
    # Only what lies too far in front is a hole; bone behind the surface is there.
    surface = terms @ trimmed_fit(terms[known], seen[known], _DIP_MM, _FIT_ROUNDS, both_sides=False)
    filled = np.where(known & (seen - surface <= _DIP_MM), seen, surface)
    smooth = ndimage.gaussian_filter(filled - surface, _SMOOTH_MM / spacing_mm) + surface
    return np.where(known, smooth, np.nan)
