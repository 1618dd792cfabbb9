"""Areas of holes drawn in a posterior wall."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vertseg.planning.wall import wall_defect_area_mm2
from vertseg.volume import Grid, Volume

SHELL_MM = 2.0


def hole(
    area_mm2: float, spacing_mm: tuple[float, float, float], axes: np.ndarray, bend: float = 0.0
) -> Volume:
    """A round hole of a given area in a wall 2 mm thick; `bend` in 1/mm curves the wall."""
    shape = tuple(int(30 / s) for s in spacing_mm)
    affine = np.diag([*spacing_mm, 1.0])
    grid = Grid(shape, affine)
    middle = grid.world((np.array(shape) - 1) / 2)
    # Voxels hold a share of the hole; as a network does, more than half makes a voxel.
    fine = np.zeros(shape)
    points = grid.world(np.moveaxis(np.indices(shape), 0, -1)) - middle
    offsets = [(np.arange(3) - 1) * s / 3 for s in spacing_mm]
    for dx in offsets[0]:
        for dy in offsets[1]:
            for dz in offsets[2]:
                p = points + np.array([dx, dy, dz])
                r, a, u = np.moveaxis(p @ axes, -1, 0)
                wall = a - 0.5 * bend * r**2
                fine += (np.hypot(r, u) < np.sqrt(area_mm2 / np.pi)) & (np.abs(wall) < SHELL_MM / 2)
    return Volume(fine >= 14, affine)


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5, 0.5), (0.8, 0.8, 1.0), (1.0, 1.0, 2.0)])
def test_a_hole_of_40_mm2(spacing_mm: tuple[float, float, float]) -> None:
    assert wall_defect_area_mm2(hole(40, spacing_mm, np.eye(3)), np.eye(3)) == pytest.approx(40, rel=0.12)


@settings(max_examples=10)
@given(st.tuples(*[st.integers(-40, 40)] * 3), st.sampled_from([40.0, 90.0]))
def test_turning_the_vertebra_does_not_change_the_area(angles: tuple[int, int, int], area: float) -> None:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    assert wall_defect_area_mm2(hole(area, (0.7, 0.7, 0.7), axes), axes) == pytest.approx(area, rel=0.15)


def test_a_bent_wall_counts_by_its_surface() -> None:
    radius, bend = np.sqrt(150 / np.pi), 0.08
    r = np.linspace(-radius, radius, 4001)
    chord = 2 * np.sqrt(np.maximum(radius**2 - r**2, 0))
    surface = np.trapezoid(chord * np.sqrt(1 + (bend * r) ** 2), r)
    found = wall_defect_area_mm2(hole(150, (0.6, 0.6, 0.6), np.eye(3), bend), np.eye(3))
    assert found == pytest.approx(surface, rel=0.06)


def test_no_defect_has_no_area() -> None:
    assert wall_defect_area_mm2(Volume(np.zeros((9, 9, 9), bool), np.eye(4)), np.eye(3)) == 0
