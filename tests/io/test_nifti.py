"""NIfTI in and out: voxel-exact, at the same place, or a sentence."""

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vertseg import io
from vertseg.errors import InputError, OutputError
from vertseg.volume import Volume, restore

SIGNED_PERMUTATIONS = [
    np.array(order, dtype=float).T * np.array(signs)
    for order in permutations(np.eye(3).tolist())
    for signs in product((1, -1), repeat=3)
]


@settings(max_examples=96, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axes=st.sampled_from(SIGNED_PERMUTATIONS),
    rotation=st.tuples(*[st.floats(-44, 44)] * 3) | st.just((0.0, 0.0, 0.0)),
    shear=st.floats(-0.5, 0.5) | st.just(0.0),
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
    ending=st.sampled_from([".nii", ".nii.gz"]),
)
def test_label_files_come_back_voxel_exact(tmp_path, axes, rotation, shear, spacing, ending) -> None:
    labels = (np.arange(5 * 4 * 3) % 29).astype(np.uint8).reshape(5, 4, 3)
    sheared = np.eye(3)
    sheared[1, 2] = shear
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix() @ sheared @ axes * spacing
    affine[:3, 3] = (12.5, -300.25, 1100)
    stored = nib.Nifti1Image(labels, affine)
    nib.save(stored, tmp_path / f"in{ending}")
    read = io.read_labels(tmp_path / f"in{ending}")
    assert read.array.dtype == np.uint8
    source = Volume(labels, nib.load(tmp_path / f"in{ending}").affine).grid
    io.write_nifti(tmp_path / f"out{ending}", restore(read, source))
    written = nib.load(tmp_path / f"out{ending}")
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), labels)
    np.testing.assert_array_equal(written.affine, source.affine)
    # Some readers (ITK among them) look at the qform first: where it is set, it must agree.
    qform = written.get_qform(coded=True)[0]
    if qform is not None:
        np.testing.assert_allclose(qform, source.affine, atol=0.01)


def test_a_sheared_grid_is_written_without_a_qform(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[1, 2] = 0.3
    io.write_nifti(tmp_path / "a.nii.gz", Volume(np.zeros((30, 30, 30), dtype=np.uint8), affine))
    header = nib.load(tmp_path / "a.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    io.write_nifti(tmp_path / "b.nii.gz", Volume(np.zeros((30, 30, 30), dtype=np.uint8), np.eye(4)))
    header = nib.load(tmp_path / "b.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)


def test_a_scan_is_ras_float32_with_its_source_grid_and_hash(tmp_path, small_scan) -> None:
    scan = small_scan()
    path = scan.write_nifti(tmp_path / "scan.nii")
    read = io.read_scan(path)
    assert read.volume.array.dtype == np.float32
    assert read.volume.grid.axcodes == ("R", "A", "S")
    assert read.source.axcodes == ("L", "P", "S")
    np.testing.assert_array_equal(restore(read.volume, read.source).array, scan.hu)
    import hashlib

    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_scl_slope_and_inter_are_applied(tmp_path, small_scan) -> None:
    scan = small_scan()
    image = nib.Nifti1Image(scan.hu // 2, scan.affine)
    image.header.set_slope_inter(2.0, -5.0)
    nib.save(image, tmp_path / "scan.nii.gz")
    # nibabel stores so that the values stay; write the header's numbers over the stored halves by hand.
    data = bytearray(gzip.decompress((tmp_path / "scan.nii.gz").read_bytes()))
    data[112:120] = np.array([2.0, -5.0], dtype="<f4").tobytes()
    data[352:] = (scan.hu // 2).astype("<i2").tobytes(order="F")
    (tmp_path / "scan.nii.gz").write_bytes(gzip.compress(bytes(data)))
    read = io.read_scan(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(restore(read.volume, read.source).array, (scan.hu // 2) * 2.0 - 5.0)


def test_the_sform_is_used_and_a_conflict_is_said(tmp_path, small_scan, caplog) -> None:
    scan = small_scan()
    image = nib.Nifti1Image(scan.hu, scan.affine)
    moved = scan.affine.copy()
    moved[2, 3] += 7
    image.set_qform(moved, code=1)
    image.set_sform(scan.affine, code=1)
    nib.save(image, tmp_path / "scan.nii.gz")
    read = io.read_scan(tmp_path / "scan.nii.gz")
    np.testing.assert_allclose(read.source.affine, scan.affine, atol=1e-4)
    assert read.description["affine_from"] == "sform; the qform differs by up to 7.0 mm"
    assert "differ by up to 7.0 mm" in caplog.text


def test_the_qform_is_used_where_there_is_no_sform(tmp_path, small_scan) -> None:
    scan = small_scan()
    image = nib.Nifti1Image(scan.hu, None)
    image.set_qform(scan.affine, code=1)
    nib.save(image, tmp_path / "scan.nii.gz")
    read = io.read_scan(tmp_path / "scan.nii.gz")
    np.testing.assert_allclose(read.source.affine, scan.affine, atol=1e-4)
    assert read.description["affine_from"] == "qform"


def test_metres_are_turned_into_millimetres(tmp_path, small_scan) -> None:
    scan = small_scan()
    image = nib.Nifti1Image(scan.hu, np.diag([1e-3, 1e-3, 1e-3, 1]) @ scan.affine)
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "scan.nii.gz")
    assert io.read_scan(tmp_path / "scan.nii.gz").source.spacing_mm == pytest.approx((1, 1.25, 3), rel=1e-5)


def test_a_fourth_axis_of_length_one_is_dropped(tmp_path, small_scan) -> None:
    scan = small_scan()
    nib.save(nib.Nifti1Image(scan.hu[..., np.newaxis], scan.affine), tmp_path / "scan.nii.gz")
    assert io.read_scan(tmp_path / "scan.nii.gz").volume.array.shape == (26, 24, 10)


def test_masks_and_wide_integers_are_written_in_types_that_everyone_reads(tmp_path: Path) -> None:
    for values, expected in ((np.eye(3, dtype=bool), np.uint8), (np.eye(3, dtype=np.int64) * 300, np.int32)):
        io.write_nifti(tmp_path / "m.nii.gz", Volume(np.stack([values] * 3), np.eye(4)))
        image = nib.load(tmp_path / "m.nii.gz")
        assert image.get_data_dtype() == expected
        np.testing.assert_array_equal(np.asanyarray(image.dataobj)[0], values)
        assert image.header.get_xyzt_units()[0] == "mm"


def test_equal_volumes_give_equal_bytes(tmp_path: Path) -> None:
    volume = Volume(np.arange(27, dtype=np.uint8).reshape(3, 3, 3), np.eye(4))
    io.write_nifti(tmp_path / "a.nii.gz", volume)
    io.write_nifti(tmp_path / "b.nii.gz", volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.nii\.gz"):
        io.write_nifti(tmp_path / "a.mha", Volume(np.zeros((3, 3, 3)), np.eye(4)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array", [np.full((3, 3, 3), 0.5), np.full((3, 3, 3), -1.0), np.full((3, 3, 3), np.nan)]
)
def test_what_is_no_label_map_is_refused(tmp_path, array) -> None:
    nib.save(nib.Nifti1Image(array.astype(np.float32), np.eye(4)), tmp_path / "labels.nii.gz")
    with pytest.raises(InputError, match=r"labels\.nii\.gz.*(label map|whole numbers)"):
        io.read_labels(tmp_path / "labels.nii.gz")


def test_labels_stored_as_floats_are_taken(tmp_path: Path) -> None:
    array = (np.arange(27) * 20).reshape(3, 3, 3).astype(np.float32)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "labels.nii.gz")
    labels = io.read_labels(tmp_path / "labels.nii.gz")
    assert labels.array.dtype == np.uint16
    np.testing.assert_array_equal(labels.array, array)


def test_a_unit_that_nifti_does_not_know_is_a_damaged_header(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((30, 30, 30), np.int16), np.eye(4))
    image.header["xyzt_units"] = 7
    nib.save(image, tmp_path / "units.nii")
    with pytest.raises(InputError, match="damaged header"):
        io.read_scan(tmp_path / "units.nii")
