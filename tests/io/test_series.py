"""Which DICOM series is read: the one that is wanted, the only CT, or a sentence that lists them."""

import pytest

from tests.io.comparison import assert_same_scan
from vertseg import io
from vertseg.errors import InputError

pydicom = pytest.importorskip("pydicom")


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


def test_the_description_says_nothing_of_the_person(tmp_path, small_scan) -> None:
    description = io.read_scan(small_scan().write_dicom(tmp_path / "series")).description
    assert description == {
        "format": "DICOM", "series_description": "Spine 2", "manufacturer": "Drawn", "series_uid": "1.2.3.2",
    }  # fmt: skip
