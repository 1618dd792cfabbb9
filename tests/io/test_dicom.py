"""DICOM series against the equal NIfTI: same HU at the same places, or a sentence."""

import sys
import zipfile
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.io.multi_frame import enhanced
from vertseg import io
from vertseg.errors import InputError
from vertseg.volume import restore

pydicom = pytest.importorskip("pydicom")


def assert_same_scan(dicom: io.Scan, nifti: io.Scan) -> None:
    """HU equal and every corner of the grid at the same world position."""
    np.testing.assert_array_equal(dicom.volume.array, nifti.volume.array)
    np.testing.assert_allclose(dicom.volume.grid.corners_mm(), nifti.volume.grid.corners_mm(), atol=1e-3)
    assert dicom.volume.array.dtype == np.float32


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


def test_copies_are_dropped_and_a_second_phase_is_refused(tmp_path, small_scan) -> None:
    scan = small_scan()
    folder = scan.write_dicom(tmp_path / "series")
    nifti = io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz"))
    first = min(folder.iterdir())
    (folder / "again").mkdir()
    (folder / "again" / first.name).write_bytes(first.read_bytes())
    other_uid = pydicom.dcmread(first)
    other_uid.SOPInstanceUID = other_uid.file_meta.MediaStorageSOPInstanceUID = "1.2.3.77"
    other_uid.save_as(folder / "copy.dcm")
    assert_same_scan(io.read_scan(folder), nifti)
    other_uid.RescaleIntercept = -1000
    other_uid.save_as(folder / "copy.dcm")
    with pytest.raises(InputError, match="different images at one place"):
        io.read_scan(folder)


def test_several_series_are_listed_and_one_is_chosen(tmp_path, small_scan) -> None:
    soft, bone = small_scan(), small_scan()
    bone.hu = bone.hu[::-1].copy()
    soft.write_dicom(tmp_path / "study" / "a", series=2)
    bone.write_dicom(tmp_path / "study" / "b", series=3)
    with pytest.raises(InputError, match=r"2 CT series: 2 'Spine 2' .*10 images.* 3 'Spine 3' .*--series"):
        io.read_scan(tmp_path / "study")
    expected = io.read_scan(bone.write_nifti(tmp_path / "bone.nii.gz"))
    for wanted in ("3", "1.2.3.3", "spine 3"):
        assert_same_scan(io.read_scan(tmp_path / "study", series=wanted), expected)
    with pytest.raises(InputError, match="no series '4'; it holds 2 'Spine 2'"):
        io.read_scan(tmp_path / "study", series="4")


def test_named_files_are_read_without_a_look_at_the_others(tmp_path, small_scan) -> None:
    scan = small_scan()
    folder = scan.write_dicom(tmp_path / "series")
    named = sorted(folder.iterdir())
    scan.write_dicom(folder, series=3)
    (folder / "damaged.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL")
    assert_same_scan(
        io.read_scan(folder, files=named), io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz"))
    )


def test_two_series_of_one_name_need_the_uid(tmp_path, small_scan) -> None:
    for series in (2, 3):
        small_scan().write_dicom(tmp_path / "study", series=series, SeriesDescription="Spine")
    with pytest.raises(InputError, match=r"several series 'Spine'.*UID"):
        io.read_scan(tmp_path / "study", series="Spine")


def test_the_only_ct_is_taken_and_a_scout_left_out(tmp_path, small_scan) -> None:
    scan = small_scan()
    folder = scan.write_dicom(tmp_path / "study" / "ct")
    scan.write_dicom(tmp_path / "study" / "mr", series=5, Modality="MR")
    scout = scan.slices(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])[0]
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = "1.2.3.88"
    scout.save_as(folder / "scout.dcm", enforce_file_format=True)
    (tmp_path / "study" / "README.txt").write_text("No image.")
    (tmp_path / "study" / "empty").write_bytes(b"")
    expected = io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz"))
    assert_same_scan(io.read_scan(tmp_path / "study"), expected)


def test_mr_is_refused(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(
        tmp_path / "mr", Modality="MR", RescaleIntercept=None, PixelRepresentation=1
    )
    with pytest.raises(InputError, match="holds MR, not CT"):
        io.read_scan(folder)
    with pytest.raises(InputError, match="holds MR, not CT"):
        io.read_scan(folder, series="2")


def test_one_slice_is_no_volume(tmp_path, small_scan) -> None:
    small_scan().slices()[0].save_as(tmp_path / "one.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match="fewer than two slices"):
        io.read_scan(tmp_path / "one.dcm")


@pytest.mark.parametrize("names", [[], ["notes.txt"]])
def test_a_folder_without_dicom_is_refused(tmp_path, names) -> None:
    for name in names:
        (tmp_path / name).write_text("Nothing here is an image. " * 20)
    with pytest.raises(InputError, match="holds no DICOM image"):
        io.read_scan(tmp_path)


def test_hu_stored_without_slope_are_read_as_they_are(tmp_path, small_scan) -> None:
    scan = small_scan()
    folder = scan.write_dicom(
        tmp_path / "series", RescaleSlope=None, RescaleIntercept=None, PixelRepresentation=1
    )
    assert_same_scan(io.read_scan(folder), io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))


def test_a_lost_intercept_is_noticed(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.RescaleIntercept
        dataset.save_as(path)
    with pytest.raises(InputError, match=r"values run from 24 to 2024.*intercept"):
        io.read_scan(folder)


def test_each_slice_has_its_own_rescale(tmp_path, small_scan) -> None:
    scan = small_scan()
    scan.hu = scan.hu // 4 * 4
    for k, dataset in enumerate(scan.slices()):
        if k % 2:
            stored = (scan.hu[:, :, k].T.astype(int) + 2000) // 4
            dataset.RescaleSlope, dataset.RescaleIntercept = 4, -2000
            dataset.set_pixel_data(stored.astype(np.uint16), "MONOCHROME2", 16, generate_instance_uid=False)
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    assert_same_scan(io.read_scan(tmp_path), io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))


def test_padding_outside_the_scanners_circle_becomes_air(tmp_path, small_scan) -> None:
    scan = small_scan()
    for k, dataset in enumerate(scan.slices()):
        stored = dataset.pixel_array.copy()
        stored[0, 0] = 63536
        dataset.set_pixel_data(stored, "MONOCHROME2", 16, generate_instance_uid=False)
        dataset.PixelPaddingValue = 63536
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    volume = io.read_scan(tmp_path).volume
    assert volume.array.max() <= 1000
    assert int((volume.array == -1024).sum()) == 10


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless", "DeflatedExplicitVRLittleEndian"])
def test_compressed_syntaxes(tmp_path, small_scan, syntax) -> None:
    pytest.importorskip("openjpeg")
    scan = small_scan(shape=(40, 36, 10))
    for k, dataset in enumerate(scan.slices()):
        uid = getattr(pydicom.uid, syntax)
        if syntax.startswith("Deflated"):
            dataset.file_meta.TransferSyntaxUID = uid
        else:
            dataset.compress(uid, generate_instance_uid=False)
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    assert_same_scan(io.read_scan(tmp_path), io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEGLSLossless"])
def test_jpeg_lossless_syntaxes(tmp_path, small_scan, syntax) -> None:
    gdcm = pytest.importorskip("gdcm")
    scan = small_scan()
    plain = scan.write_dicom(tmp_path / "plain")
    (tmp_path / "compressed").mkdir()
    for path in plain.iterdir():
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(tmp_path / "compressed" / path.name))
        assert writer.Write()
    assert pydicom.dcmread(tmp_path / "compressed" / path.name).file_meta.TransferSyntaxUID.is_compressed
    expected = io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz"))
    assert_same_scan(io.read_scan(tmp_path / "compressed"), expected)


@pytest.mark.parametrize("shared_orientation", [True, False])
def test_a_multi_frame_file(tmp_path, small_scan, shared_orientation) -> None:
    turn = Rotation.from_euler("xyz", (5, -8, 10), degrees=True).as_matrix()
    scan = small_scan(turn @ np.diag([-1.0, -1, 1]))
    enhanced(scan, shared_orientation).save_as(tmp_path / "enhanced", enforce_file_format=True)
    expected = io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz"))
    assert_same_scan(io.read_scan(tmp_path / "enhanced"), expected)


def test_a_zip_is_the_same_scan_with_the_same_hash(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for index, path in enumerate(folder.iterdir()):
            archive.write(path, f"deep/er/IM{index}")
    zipped, plain = io.read_scan(tmp_path / "scan.zip"), io.read_scan(folder)
    assert_same_scan(zipped, plain)
    assert zipped.sha256 == plain.sha256
    assert len(plain.sha256) == 64


def test_a_damaged_zip_is_refused(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    data = bytearray((tmp_path / "scan.zip").read_bytes())
    data[900:1100] = bytes(200)
    (tmp_path / "scan.zip").write_bytes(data)
    with pytest.raises(InputError, match="could not be unpacked"):
        io.read_scan(tmp_path / "scan.zip")


def test_a_slice_cut_short_is_refused_by_name(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    path = sorted(folder.iterdir())[3]
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match=path.name):
        io.read_scan(folder)


def test_a_slice_cut_anywhere_is_never_left_out(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    path = sorted(folder.iterdir())[3]
    whole = path.read_bytes()
    for length in (140, 142, 153, 171, 337, 675, 699, 790, *range(200, len(whole), 200)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            io.read_scan(folder)


def test_a_dicomdir_and_a_report_beside_the_slices_are_passed_over(tmp_path, small_scan) -> None:
    scan = small_scan()
    folder = scan.write_dicom(tmp_path / "series")
    report = scan.slices(series=4, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR")[0]
    for name in ("Rows", "Columns", "PixelData"):
        delattr(report, name)
    report.save_as(folder / "report.dcm", enforce_file_format=True)
    directory = pydicom.Dataset()
    directory.file_meta = pydicom.dataset.FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3.77"
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    assert_same_scan(io.read_scan(folder), io.read_scan(scan.write_nifti(tmp_path / "scan.nii.gz")))


def test_slices_of_two_sizes_are_refused(tmp_path, small_scan) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    path = sorted(folder.iterdir())[3]
    dataset = pydicom.dcmread(path)
    dataset.PixelSpacing = [2, 2]
    dataset.save_as(path)
    with pytest.raises(InputError, match="several sizes or pixel spacings"):
        io.read_scan(folder)


def test_the_description_says_nothing_of_the_person(tmp_path, small_scan) -> None:
    description = io.read_scan(small_scan().write_dicom(tmp_path / "series")).description
    assert description == {
        "format": "DICOM", "series_description": "Spine 2", "manufacturer": "Drawn", "series_uid": "1.2.3.2",
    }  # fmt: skip


def test_without_pydicom_the_extra_is_named(tmp_path, small_scan, monkeypatch) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    for name in [n for n in sys.modules if n.split(".")[0] == "pydicom" or n in _DICOM_MODULES]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(io, "dicom", raising=False)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"needs pydicom.*vertseg\[dicom\]"):
        io.read_scan(folder)


_DICOM_MODULES = ("vertseg.io.dicom", "vertseg.io.series", "vertseg.io.stacking")


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
