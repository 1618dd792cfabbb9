"""Where DICOM slices lie: every plane, direction, tilt and distance against the equal NIfTI, or a sentence."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.io.comparison import assert_same_scan
from vertseg import io
from vertseg.errors import InputError
from vertseg.volume import restore

pydicom = pytest.importorskip("pydicom")

RIGHT_ANGLED = [
    np.array(order, dtype=float).T * np.array(signs)
    for order in permutations(np.eye(3).tolist())
    for signs in product((1, -1), repeat=3)
]


@pytest.mark.parametrize("directions", RIGHT_ANGLED)
def test_every_acquisition_plane_and_direction_lies_where_the_nifti_lies(
    tmp_path, small_scan, directions
) -> None:
    scan = small_scan(directions)
    dicom = io.read_scan(scan.write_dicom(tmp_path / "series"))
    assert_same_scan(dicom, io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))
    back = restore(dicom.volume, dicom.source)
    assert back.array.shape == (26, 24, 10)


def test_turned_series(tmp_path, small_scan) -> None:
    turn = Rotation.from_euler("xyz", (12, -8, 20), degrees=True).as_matrix()
    scan = small_scan(turn @ np.diag([-1.0, -1, 1]))
    dicom = io.read_scan(scan.write_dicom(tmp_path / "series"))
    assert_same_scan(dicom, io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))
    assert "gantry_tilt_deg" not in dicom.description


@pytest.mark.parametrize("tilt_deg", [-20, 7.5, 25])
def test_gantry_tilt_is_kept_as_a_shear(tmp_path, small_scan, tilt_deg) -> None:
    # Planes turned about the left-right axis, the table moving straight along z.
    plane = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix() @ np.diag([-1.0, -1, 1])
    plane[:, 2] = (0, 0, 1)
    scan = small_scan(plane)
    dicom = io.read_scan(scan.write_dicom(tmp_path / "series"))
    assert_same_scan(dicom, io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))
    assert dicom.description["gantry_tilt_deg"] == f"{abs(tilt_deg):.1f}"
    np.testing.assert_allclose(dicom.source.affine[:3, 2], (0, 0, 3), atol=1e-6)


@pytest.mark.parametrize("tilt_deg", [0, 15])
def test_uneven_slices_are_interpolated_to_their_true_places(tmp_path, small_scan, tilt_deg) -> None:
    plane = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix() @ np.diag([-1.0, -1, 1])
    plane[:, 2] = (0, 0, 1)
    scan = small_scan(plane)
    heights = np.array([0, 3, 6, 9, 11, 13, 15, 18, 21, 24.0])
    slices = scan.slices()
    row, column, _ = plane.T
    for height, dataset in zip(heights, slices, strict=True):
        i, j = np.meshgrid(np.arange(26), np.arange(24), indexing="ij")
        world = (
            scan.affine[:3, 3]
            + np.multiply.outer(i, row)
            + np.multiply.outer(j * 1.25, column)
            + (0, 0, height)
        )
        hu = 8 * (world - scan.affine[:3, 3]) @ (1, 2, 3) - 400
        dataset.ImagePositionPatient = (scan.affine[:3, 3] * (-1, -1, 1) + (0, 0, height)).tolist()
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.05", "-1500"
        dataset.set_pixel_data(
            np.rint((hu.T + 1500) / 0.05).astype(np.uint16), "MONOCHROME2", 16, generate_instance_uid=False
        )
        dataset.save_as(tmp_path / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
    result = io.read_scan(tmp_path)
    volume = result.volume
    vox = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    expected = 8 * (volume.grid.world(vox) - scan.affine[:3, 3]) @ (1, 2, 3) - 400
    np.testing.assert_allclose(volume.array, expected, atol=0.06)
    # 24 mm at the smallest distance, 2 mm.
    assert result.description["slices"] == "10 uneven, interpolated to 13"
    heights_mm = volume.grid.world([[0, 0, 0], [0, 0, 12]])[:, 2]
    assert heights_mm[1] - heights_mm[0] == pytest.approx(24)


def test_a_missing_slice_is_refused_with_its_place(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    next(p for p in folder.iterdir() if pydicom.dcmread(p).SOPInstanceUID == "1.2.3.2.5").unlink()
    with pytest.raises(InputError, match=r"gap of 6\.0 mm after slice 4 of 9, where 3\.0 mm"):
        io.read_scan(folder)


def test_a_shift_that_changes_on_the_way_is_refused(tmp_path, small_scan) -> None:
    for k, dataset in enumerate(small_scan().slices()):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + 0.1 * k * k, z]
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match="shifted against each other"):
        io.read_scan(tmp_path)


def test_a_tilt_that_changes_on_the_way_is_refused(tmp_path, small_scan) -> None:
    for k, dataset in enumerate(small_scan().slices()):
        angle = np.radians(2 * k)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, round(np.cos(angle), 9), round(-np.sin(angle), 9)]
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match="not parallel"):
        io.read_scan(tmp_path)


def test_slices_of_two_sizes_are_refused(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    path = sorted(folder.iterdir())[3]
    dataset = pydicom.dcmread(path)
    dataset.PixelSpacing = [2, 2]
    dataset.save_as(path)
    with pytest.raises(InputError, match="several sizes or pixel spacings"):
        io.read_scan(folder)


def test_a_real_tilted_series_with_uneven_slices(shared_data: Path) -> None:
    scan = io.read_scan(shared_data / "dicom_tilt")
    assert scan.description["gantry_tilt_deg"] == "18.5"
    assert scan.description["slices"] == "28 uneven, interpolated to 73"
    assert scan.volume.grid.axcodes == ("R", "A", "S")
    # First pixel of the lowest slice: ImagePositionPatient (-125, -123.54, 5.84) in LPS.
    np.testing.assert_allclose(scan.source.affine[:3, 3], (125, 123.5404569, 5.8360586), atol=1e-6)
    np.testing.assert_allclose(scan.source.world((0, 0, 72)), (125, 123.5404569, 157.7760586), atol=1e-4)
    # Down a column (0, 0.9483, -0.3173) in LPS, 0.4883 mm a row.
    np.testing.assert_allclose(scan.source.affine[:3, 1], (0, -0.46304, -0.15493), atol=1e-4)
    stored = pydicom.dcmread(shared_data / "dicom_tilt" / "01.dcm")
    first = restore(scan.volume, scan.source).array[:, :, 0]
    hu = stored.pixel_array.T.astype(np.float32) * stored.RescaleSlope + stored.RescaleIntercept
    inside = stored.PixelPaddingValue != stored.pixel_array.T
    np.testing.assert_array_equal(first[inside], hu[inside])
