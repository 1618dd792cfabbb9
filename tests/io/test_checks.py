"""Bad input: each gets one sentence that names the file and says what to do."""

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from vertseg import io
from vertseg.errors import InputError


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(array, np.diag([2.0, 2, 2, 1]) if affine is None else affine), path)
    return path


def refused(path: Path) -> str:
    """The sentence with which the scan is refused."""
    with pytest.raises(InputError) as caught:
        io.read_scan(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def ct(rng: np.random.Generator, shape: tuple[int, ...] = (20, 20, 20)) -> np.ndarray:
    return rng.uniform(-1000, 1000, size=shape).astype(np.float32)


def test_a_ct_passes(tmp_path, rng) -> None:
    assert io.read_scan(save(tmp_path / "a.nii.gz", ct(rng))).volume.array.shape == (20, 20, 20)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(tmp_path, rng, value) -> None:
    array = ct(rng)
    array[3, 4, 5:7] = value
    assert "2 voxels that are not numbers" in refused(save(tmp_path / "a.nii.gz", array))


def test_one_value_everywhere(tmp_path) -> None:
    array = np.full((20, 20, 20), -1000, dtype=np.int16)
    assert "same value (-1000)" in refused(save(tmp_path / "a.nii.gz", array))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 255), (0, 1800), (-3, 3), (-1000, 100), (-90000, 3000), (-1000, 200000)]
)
def test_values_that_are_not_hu(tmp_path, rng, low, high) -> None:
    array = rng.uniform(low, high, size=(20, 20, 20)).astype(np.float32)
    sentence = refused(save(tmp_path / "a.nii.gz", array))
    assert "does not look like a CT in HU" in sentence
    assert "intercept" in sentence


@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 1), (1, 40, 40)])
def test_two_dimensions(tmp_path, rng, shape) -> None:
    assert "two-dimensional (shape 40x40" in refused(save(tmp_path / "a.nii.gz", ct(rng, shape))).replace(
        "1x40x40", "40x40x1"
    )


def test_four_dimensions(tmp_path, rng) -> None:
    assert "series of volumes (shape 20x20x20x3)" in refused(
        save(tmp_path / "a.nii.gz", ct(rng, (20, 20, 20, 3)))
    )


def test_colours(tmp_path) -> None:
    rgb = np.zeros((20, 20, 20), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert "colours" in refused(save(tmp_path / "a.nii.gz", rgb))


def test_a_field_too_small_for_a_vertebra(tmp_path, rng) -> None:
    path = save(tmp_path / "a.nii.gz", ct(rng), np.diag([0.002, 0.002, 0.002, 1]))
    assert "covers only 0.0 x 0.0 x 0.0 mm" in refused(path)


@pytest.mark.parametrize("name", ["zero", "one axis zero", "nan"])
def test_an_affine_that_says_nothing(tmp_path, rng, name) -> None:
    image = nib.Nifti1Image(ct(rng), np.eye(4))
    image.set_qform(None, code=0)
    for row in range(3):
        numbers = {"zero": [0] * 4, "one axis zero": [1, 0, 0, 0], "nan": [np.nan] * 4}[name]
        image.header[f"srow_{'xyz'[row]}"] = numbers
    data = image.header.binaryblock + bytes(4) + ct(rng).tobytes(order="F")
    path = tmp_path / "a.nii"
    path.write_bytes(data)
    assert "affine is zero or singular" in refused(path)


def test_unknown_orientation(tmp_path, rng) -> None:
    nib.save(nib.Nifti1Image(ct(rng), None), tmp_path / "a.nii.gz")
    assert "left and right are unknown" in refused(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_gz_cut_short(tmp_path, rng, cut) -> None:
    path = save(tmp_path / "a.nii.gz", ct(rng))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    assert "damaged or cut short" in refused(path)


def test_a_gz_with_flipped_bits(tmp_path, rng) -> None:
    path = save(tmp_path / "a.nii.gz", ct(rng))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    path.write_bytes(data)
    assert "damaged" in refused(path)


def test_a_nii_cut_short(tmp_path, rng) -> None:
    path = save(tmp_path / "a.nii", ct(rng))
    path.write_bytes(path.read_bytes()[:20000])
    assert "cut short" in refused(path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.txt", "a.png", "scan"])
def test_not_an_image(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_text("This is a letter to the patient's doctor. " * 50)
    assert "not an image" in refused(path) or "not a NIfTI image" in refused(path)


def test_a_gz_of_something_else(tmp_path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"A letter. " * 100))
    assert "not a NIfTI image" in refused(path)


def test_empty_files(tmp_path) -> None:
    for name in ("a.nii.gz", "a.dcm"):
        (tmp_path / name).write_bytes(b"")
        assert "is empty" in refused(tmp_path / name)


def test_an_absent_path(tmp_path) -> None:
    assert "does not exist" in refused(tmp_path / "nowhere.nii.gz")
    with pytest.raises(InputError, match="does not exist"):
        io.read_labels(tmp_path / "nowhere.nii.gz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path, rng) -> None:
    path = save(tmp_path / "a.nii.gz", ct(rng))
    path.chmod(0)
    assert "permission" in refused(path)


def test_a_series_of_what_is_not_dicom(tmp_path, rng) -> None:
    path = save(tmp_path / "a.nii.gz", ct(rng))
    with pytest.raises(InputError, match="not DICOM, so it has no series '2'"):
        io.read_scan(path, series="2")
