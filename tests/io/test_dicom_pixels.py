"""DICOM pixels: HU whatever the rescale and the transfer syntax, and damaged files refused."""

import zipfile

import numpy as np
import pytest

from tests.io.comparison import assert_same_scan
from vertseg import io
from vertseg.errors import InputError

pydicom = pytest.importorskip("pydicom")


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
