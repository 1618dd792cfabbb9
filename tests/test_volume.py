"""Geometry: every number here is known from the drawing, not from the code."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vertseg.errors import InputError
from vertseg.volume import Grid, Volume, crop_grid, restore

ORIENTATIONS = [
    "".join(codes) for axes in permutations(("RL", "AP", "SI")) for codes in product(*axes)
]  # 6 orders x 8 signs


def affine_for(
    axcodes: str,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    shear: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> NDArray[np.float64]:
    """Affine of a grid: axes along `axcodes`, then sheared and rotated in the world."""
    directions = {
        "R": (1, 0, 0),
        "L": (-1, 0, 0),
        "A": (0, 1, 0),
        "P": (0, -1, 0),
        "S": (0, 0, 1),
        "I": (0, 0, -1),
    }
    axes = np.array([directions[c] for c in axcodes], dtype=float).T
    sheared = np.array([[1, shear[0], shear[1]], [0, 1, shear[2]], [0, 0, 1]], dtype=float)
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", rotation_deg, degrees=True).as_matrix()
    affine[:3, :3] = turn @ sheared @ axes * np.array(spacing)
    affine[:3, 3] = (-31.5, 12.25, 140.0)
    return affine


def test_there_are_48_orientations() -> None:
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_orienting_keeps_every_voxel_at_its_place(axcodes: str) -> None:
    shape = (3, 4, 5)
    volume = Volume(np.arange(60, dtype=np.uint8).reshape(shape), affine_for(axcodes, (0.7, 0.9, 2.5)))
    assert "".join(volume.grid.axcodes) == axcodes
    oriented = volume.oriented()
    assert oriented.grid.axcodes == ("R", "A", "S")
    assert (np.diag(oriented.affine)[:3] > 0).all()
    places = {int(volume.array[v]): volume.grid.world(v) for v in np.ndindex(shape)}
    for vox in np.ndindex(*oriented.array.shape):
        np.testing.assert_allclose(oriented.grid.world(vox), places[int(oriented.array[vox])], atol=1e-9)
    back = restore(oriented, volume.grid)
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_array_equal(back.affine, volume.affine)


def test_a_lps_volume_turns_as_computed_by_hand() -> None:
    array = np.zeros((4, 3, 2), dtype=np.uint8)
    array[0, 1, 1] = 7
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])
    affine[:3, 3] = (10, 20, 30)
    ras = Volume(array, affine).oriented()
    assert ras.array[3, 1, 1] == 7
    np.testing.assert_allclose(
        ras.affine, [[1, 0, 0, 7], [0, 2, 0, 16], [0, 0, 3, 30], [0, 0, 0, 1]], atol=1e-12
    )


@given(
    axcodes=st.sampled_from(ORIENTATIONS),
    wanted=st.sampled_from(ORIENTATIONS),
    rotation=st.tuples(*[st.floats(-44, 44)] * 3),
    shear=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 10)] * 3),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
)
def test_label_maps_come_back_voxel_exact(axcodes, wanted, rotation, shear, spacing, shape) -> None:
    labels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    volume = Volume(labels, affine_for(axcodes, spacing, rotation, shear))
    oriented = volume.oriented(wanted)
    back = restore(oriented, volume.grid)
    np.testing.assert_array_equal(back.array, labels)
    np.testing.assert_array_equal(back.affine, volume.affine)
    assert oriented.array.sum() == labels.sum()
    assert oriented.grid.voxel_volume_mm3 == pytest.approx(volume.grid.voxel_volume_mm3)
    again = oriented.oriented(wanted)
    np.testing.assert_array_equal(again.array, oriented.array)
    for vox in [(0, 0, 0), tuple(n - 1 for n in shape)]:
        there = np.rint(oriented.grid.voxel(volume.grid.world(vox))).astype(int)
        assert oriented.array[tuple(there)] == labels[vox]


@given(
    axcodes=st.sampled_from(ORIENTATIONS),
    rotation=st.tuples(*[st.floats(-25, 25)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 10)] * 3),
)
def test_orientation_is_the_one_that_nibabel_names(axcodes, rotation, spacing) -> None:
    affine = affine_for(axcodes, spacing, rotation)
    assert Grid((2, 2, 2), affine).axcodes == nib.aff2axcodes(affine)


def test_world_and_voxel_are_inverse_and_known() -> None:
    grid = Grid((10, 10, 10), affine_for("LPS", (0.5, 0.5, 2.0)))
    np.testing.assert_allclose(grid.world([[0, 0, 0], [2, 4, 3]]), [[-31.5, 12.25, 140], [-32.5, 10.25, 146]])
    np.testing.assert_allclose(grid.voxel([-32.5, 10.25, 146]), [2, 4, 3], atol=1e-12)
    assert grid.spacing_mm == pytest.approx((0.5, 0.5, 2.0))
    assert grid.voxel_volume_mm3 == pytest.approx(0.5)


def test_a_shear_changes_the_spacing_but_not_the_volume_of_a_voxel() -> None:
    grid = Grid((4, 4, 4), affine_for("RAS", (1, 1, 2), shear=(0, 0, 0.75)))
    assert grid.spacing_mm == pytest.approx((1, 1, 2.5))
    assert grid.voxel_volume_mm3 == pytest.approx(2.0)


def test_covering_grid_of_an_aligned_scan_has_known_numbers() -> None:
    grid = Grid((100, 50, 20), affine_for("LPS", (0.8, 0.8, 5.0))).covering(3.0)
    assert grid.shape == (27, 14, 34)  # 80, 40 and 100 mm
    np.testing.assert_allclose(grid.affine[:3, :3], np.eye(3) * 3)
    # lower outer corner: x = -31.5 - 99.5 * 0.8, y = 12.25 - 49.5 * 0.8, z = 140 - 2.5; plus half a voxel
    np.testing.assert_allclose(grid.affine[:3, 3], [-111.1 + 1.5, -27.35 + 1.5, 137.5 + 1.5])


def test_covering_at_its_own_spacing_is_the_same_lattice() -> None:
    grid = Grid((12, 10, 11), affine_for("RAS", (3, 3, 3)))
    assert grid.covering(3.0).matches(grid)


@given(
    axcodes=st.sampled_from(ORIENTATIONS),
    rotation=st.tuples(*[st.floats(-40, 40)] * 3),
    shear=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_covering_holds_every_corner(axcodes, rotation, shear) -> None:
    grid = Grid((9, 14, 6), affine_for(axcodes, (0.9, 0.7, 4.0), rotation, shear))
    corners = grid.covering(2.0, margin_mm=1.0).voxel(grid.corners_mm())
    assert (corners >= -0.01).all()
    assert (corners <= np.array(grid.covering(2.0, margin_mm=1.0).shape) - 0.99).all()


def linear_field(grid: Grid) -> Volume:
    """3 + 2x - y + 0.5z in world mm, at the voxels of the grid."""
    vox = np.moveaxis(np.indices(grid.shape), 0, -1)
    return Volume((grid.world(vox) @ [2.0, -1.0, 0.5] + 3).astype(np.float32), grid.affine)


@given(
    axcodes=st.sampled_from(ORIENTATIONS),
    rotation=st.tuples(*[st.floats(-40, 40)] * 3) | st.just((0.0, 0.0, 0.0)),
    shear=st.tuples(*[st.floats(-0.4, 0.4)] * 3) | st.just((0.0, 0.0, 0.0)),
)
def test_a_linear_field_is_resampled_exactly_through_any_grid(axcodes, rotation, shear) -> None:
    source = Grid((24, 24, 24), affine_for(axcodes, (2.0, 1.5, 2.5), rotation, shear))
    centre = source.world([11.5, 11.5, 11.5])
    target = crop_grid(centre, np.eye(3), (6, 7, 5), 1.5)
    got = linear_field(source).resampled_to(target, 1, -9999)
    np.testing.assert_allclose(got.array, linear_field(target).array, atol=2e-3)


def test_parallel_and_turned_grids_agree(rng: np.random.Generator) -> None:
    source = Volume(rng.normal(size=(30, 28, 26)).astype(np.float32), affine_for("LPS", (0.8, 0.9, 2.0)))
    target = source.oriented().grid.covering(2.4)
    turned = Grid(target.shape, affine_for("RAS", rotation_deg=(0.02, 0, 0)) @ np.eye(4))
    nudged = target.affine.copy()
    nudged[:3, :3] = turned.affine[:3, :3] @ nudged[:3, :3]  # turned just enough to need the general way
    parallel = source.resampled_to(target, 1, 0).array
    general = source.resampled_to(Grid(target.shape, nudged), 1, 0).array
    assert np.abs(parallel - general)[2:-2, 2:-2, 2:-2].max() < 0.02


def test_resampling_to_itself_changes_nothing(rng: np.random.Generator) -> None:
    source = Volume(
        rng.normal(size=(7, 8, 9)).astype(np.float32), affine_for("PIR", (0.8, 0.9, 2.0), (10, 20, 5))
    )
    np.testing.assert_array_equal(source.resampled_to(source.grid, 1, 0).array, source.array)
    ras = source.oriented()
    np.testing.assert_array_equal(source.resampled_to(ras.grid, 0, 0).array, ras.array)
    np.testing.assert_array_equal(source.resampled_to(ras.grid, 1, 0).array, ras.array)


def test_outside_is_filled_and_half_a_voxel_around_belongs_to_the_source() -> None:
    source = Volume(np.full((4, 4, 4), 5, dtype=np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))
    # the source reaches from -1 to 7 mm: 8 voxels of 1 mm in each direction
    target = Grid((12, 12, 12), affine := np.eye(4))
    affine[:3, 3] = -2.5
    for order, dtype in ((0, np.uint8), (1, np.float32)):
        result = source.resampled_to(Grid(target.shape, affine), order, 9)
        assert result.array.dtype == dtype
        assert int((result.array == 5).sum()) == 8**3
        assert int((result.array == 9).sum()) == 12**3 - 8**3


def test_a_grid_elsewhere_is_all_fill() -> None:
    source = Volume(np.ones((4, 4, 4), dtype=np.float32), np.eye(4))
    far = np.eye(4)
    far[0, 3] = 100
    assert (source.resampled_to(Grid((3, 3, 3), far), 1, -1024).array == -1024).all()


@pytest.mark.parametrize("rotation", [(0, 0, 0), (20, 10, 5)])
def test_fine_stripes_do_not_alias_on_a_coarser_grid(rotation: tuple[float, float, float]) -> None:
    stripes = np.where(np.indices((64, 64, 64)).sum(axis=0) % 2 == 0, 1.0, -1.0).astype(np.float32)
    source = Volume(stripes, affine_for("RAS"))
    middle = source.grid.world([31.5, 31.5, 31.5])
    axes = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix()
    coarse = source.resampled_to(crop_grid(middle, axes, (10, 10, 10), 4.0), 1, 0)
    assert np.abs(coarse.array).max() < 0.01


@pytest.mark.parametrize("rotation", [(0, 0, 0), (25, 15, 35)])
def test_a_spheres_volume_survives_resampling(rotation: tuple[float, float, float]) -> None:
    grid = Grid((48, 48, 24), affine_for("LPS", (1.0, 1.0, 2.0)))
    centre = grid.world([23.3, 24.1, 11.7])
    vox = np.moveaxis(np.indices(grid.shape), 0, -1)
    inside = np.linalg.norm(grid.world(vox) - centre, axis=-1) < 15
    axes = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix()
    target = crop_grid(centre, axes, (28, 28, 28), 1.5)
    got = Volume(inside, grid.affine).resampled_to(target, 1, 0)
    expected = 4 / 3 * np.pi * 15**3
    assert got.array.sum() * target.voxel_volume_mm3 == pytest.approx(expected, rel=0.01)
    nearest = Volume(inside, grid.affine).resampled_to(target, 0, 0)
    assert nearest.array.dtype == np.bool_
    assert nearest.array.sum() * target.voxel_volume_mm3 == pytest.approx(expected, rel=0.01)


def test_smoothing_matches_the_footprint_of_the_target() -> None:
    # A point of 1 at 1 mm seen at 4 mm: FWHM^2 = 4^2 - 1, so its sigma is sqrt(15) / 2.3548 = 1.6447 mm.
    line = np.zeros((65, 3, 3), dtype=np.float32)
    line[32] = 1
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    target = np.diag([4.0, 1.0, 1.0, 1.0])
    got = Volume(line, affine).resampled_to(Grid((17, 3, 3), target), 1, 0).array[:, 1, 1]
    assert got[8] == pytest.approx(1 / (1.6447 * np.sqrt(2 * np.pi)), rel=0.01)
    # Poisson's sum of that Gaussian at steps of 4: 1 + 2 exp(-2 pi^2 sigma^2 / 16).
    assert got.sum() * 4 == pytest.approx(1.0711, abs=0.004)


def test_a_crop_keeps_its_place() -> None:
    volume = Volume(np.arange(120).reshape(4, 5, 6), affine_for("PIR", (0.8, 0.9, 2.0), (10, 20, 5)))
    crop = volume.cropped((1, 2, 3), (3, 5, 6))
    assert crop.array.shape == (2, 3, 3)
    assert crop.array[0, 0, 0] == volume.array[1, 2, 3]
    np.testing.assert_allclose(crop.grid.world((1, 1, 1)), volume.grid.world((2, 3, 4)))


def test_a_crop_grid_stands_by_its_own_axes() -> None:
    axes = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # right is +y, anterior is -x
    grid = crop_grid((10, 20, 30), axes, (65, 33, 17), 1.5)
    np.testing.assert_allclose(grid.world((32, 16, 8)), (10, 20, 30))
    np.testing.assert_allclose(grid.world((33, 16, 8)), (10, 21.5, 30))
    np.testing.assert_allclose(grid.world((32, 17, 8)), (8.5, 20, 30))
    np.testing.assert_allclose(grid.world((32, 16, 9)), (10, 20, 31.5))


@pytest.mark.parametrize(
    "affine", [np.zeros((4, 4)), np.diag([1.0, 0, 1, 1]), np.full((4, 4), np.nan), np.eye(3), np.ones((4, 4))]
)
def test_an_affine_that_says_nothing_is_refused(affine: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="affine"):
        Volume(np.zeros((2, 2, 2)), affine)


def test_wrong_shapes_boxes_and_orientations_are_refused() -> None:
    volume = Volume(np.zeros((4, 4, 4)), np.eye(4))
    with pytest.raises(InputError, match="three-dimensional"):
        Volume(np.zeros((4, 4)), np.eye(4))
    with pytest.raises(InputError, match="not inside"):
        volume.cropped((0, 0, 0), (5, 4, 4))
    with pytest.raises(InputError, match="not inside"):
        volume.cropped((2, 2, 2), (2, 3, 3))
    with pytest.raises(InputError, match="no orientation"):
        volume.oriented("RAL")
    with pytest.raises(InputError, match="does not fit"):
        volume.with_array(np.zeros((4, 4, 5)))


def test_labels_of_another_lattice_are_not_silently_restored() -> None:
    source = Grid((4, 4, 4), np.eye(4))
    turned = Volume(np.zeros((4, 4, 4)), affine_for("RAS", rotation_deg=(40, 40, 0)))
    with pytest.raises(InputError, match="resample"):
        restore(turned, source)
    shifted = np.eye(4)
    shifted[0, 3] = 1.0
    with pytest.raises(InputError, match="resample"):
        restore(Volume(np.zeros((4, 4, 4)), shifted), source)
