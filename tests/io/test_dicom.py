"""DICOM files, zips and copies against the equal NIfTI: same HU at the same places, or a sentence."""

import sys
import zipfile

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.io.comparison import assert_same_scan
from tests.io.multi_frame import enhanced
from vertseg import io
from vertseg.errors import InputError

pydicom = pytest.importorskip("pydicom")


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


def test_without_pydicom_the_extra_is_named(tmp_path, small_scan, monkeypatch) -> None:
    folder = small_scan().write_dicom(tmp_path / "series")
    for name in [n for n in sys.modules if n.split(".")[0] == "pydicom" or n in _DICOM_MODULES]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(io, "dicom", raising=False)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"needs pydicom.*vertseg\[dicom\]"):
        io.read_scan(folder)


_DICOM_MODULES = ("vertseg.io.dicom", "vertseg.io.series", "vertseg.io.stacking")
