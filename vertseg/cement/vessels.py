"""Veins and occult gaps of one vertebra: what the scan does not show, drawn from a seed."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.site import FORAMEN_MM

Array = NDArray[np.float64]

MAX_SEGMENTAL: Final = 8
MAX_OCCULT: Final = 6
_STEP_MM: Final = 0.25


@dataclass(frozen=True)
class Vessel:
    """A tube from the marrow through the shell to the outside.

    Attributes:
        route: index into `routes.ROUTES`, or -1 where the place on the surface decides (an occult gap).
        start_mm: (3,) where its channel through the marrow begins; equal to `wall_mm` without a channel.
        wall_mm: (3,) where it leaves the body.
        radius_mm: radius at the wall.
        length_mm: way beyond the wall until it opens into something much wider.
    """

    route: int
    start_mm: Array
    wall_mm: Array
    radius_mm: float
    length_mm: float


@dataclass(frozen=True)
class BodyFrame:
    """A body's mask with its middle and size, in mm of the site's own coordinates (index x spacing)."""

    body: NDArray[np.bool_]
    spacing_mm: float
    centre_mm: Array
    size_mm: Array

    @staticmethod
    def of(body: NDArray[np.bool_], spacing_mm: float) -> "BodyFrame":
        """Frame of a body mask (X, Y, Z)."""
        inside = np.argwhere(body)
        centre = inside.mean(axis=0) * spacing_mm
        # The width of a box is the root of twelve times the SD of the points in it; unlike the extent, that does
        # not hang on single voxels.
        size = np.sqrt(12.0) * inside.std(axis=0) * spacing_mm
        return BodyFrame(body, spacing_mm, centre, size)

    def wall(self, start_mm: Array, direction: Array) -> Array:
        """Point (3,) where a ray from inside leaves the body for good."""
        reach = float(np.linalg.norm(self.size_mm)) + 10.0
        steps = np.arange(0.0, reach, _STEP_MM)[:, None]
        path = start_mm + steps * direction / np.linalg.norm(direction)
        inside = map_coordinates(self.body.astype(np.float32), path.T / self.spacing_mm, order=1) >= 0.5
        last = int(np.flatnonzero(inside).max()) if inside.any() else 0
        return np.asarray(path[last])


def draw_vessels(
    frame: BodyFrame, foramen_mm: float, rng: np.random.Generator, parameters: InjectionParameters
) -> list[Vessel]:
    """Basivertebral veins (route 0), segmental veins (route 1) and occult gaps (route -1) of a vertebra.

    The basivertebral vein gathers from a plexus in the middle of the body and leaves through the foramen, a little
    above the middle of the posterior wall; segmental veins run from the plexus to the anterior and lateral wall
    at mid-height (Groen 2004, Spine 29:257-61). The same random numbers are used whatever the grid.
    """
    u, n = rng.random((3, MAX_SEGMENTAL)), rng.normal(0, 1, (6, MAX_SEGMENTAL))
    width, depth, height = frame.size_mm
    plexus = frame.centre_mm + np.array([0.0, -0.08 * depth, 0.03 * height])
    vessels = []
    double = u[0, 0] < parameters.second_basivertebral
    median, spread = parameters.basivertebral_mm
    for i, side in enumerate((-1.0, 1.0) if double else (0.0,)):
        aim = np.array([side * 0.09 * width + 0.02 * width * n[0, i], -depth, 0.05 * height * n[1, i]])
        radius = median * foramen_mm / FORAMEN_MM * np.exp(spread * n[2, i]) * (0.8 if double else 1.0)
        wall = frame.wall(plexus, aim)
        radius = float(min(radius, 0.9 * foramen_mm))
        vessels.append(Vessel(0, plexus, wall, radius, parameters.vein_mm))
    count = min(MAX_SEGMENTAL, 1 + _poisson(parameters.segmental_count, u[0, 1]))
    median, spread = parameters.segmental_mm
    for i in range(count):
        angle = np.deg2rad(-25.0 + 230.0 * u[1, i])
        aim = np.array([np.cos(angle) * width, np.sin(angle) * depth, 0.15 * height * n[3, i]])
        radius = float(median * np.exp(spread * n[4, i]))
        vessels.append(Vessel(1, plexus, frame.wall(plexus, aim), radius, parameters.vein_mm))
    return vessels + _occult_gaps(frame, rng, parameters)


def _occult_gaps(frame: BodyFrame, rng: np.random.Generator, parameters: InjectionParameters) -> list[Vessel]:
    u, n = rng.random(), rng.normal(0, 1, (4, MAX_OCCULT))
    median, spread = parameters.occult_gap_mm
    gaps = []
    for i in range(min(MAX_OCCULT, _poisson(parameters.occult_gaps, u))):
        wall = frame.wall(frame.centre_mm, n[:3, i] * frame.size_mm)
        radius = float(median * np.exp(spread * n[3, i]))
        gaps.append(Vessel(-1, wall, wall, radius, parameters.gap_length_mm))
    return gaps


def _poisson(mean: float, u: float) -> int:
    """Poisson count from one uniform number, so that the draws that follow stay the same."""
    term = total = float(np.exp(-mean))
    k = 0
    while u > total and k < 50:
        k += 1
        term *= mean / k
        total += term
    return k
