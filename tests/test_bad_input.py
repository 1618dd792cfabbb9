"""Whatever cannot be used: one sentence on stderr, status 2, nothing written."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg.cli import main
from vertseg.inference import command
from vertseg.report import writer


@pytest.fixture(scope="module")
def hu() -> np.ndarray:
    return hu_of(draw_spine("L1")).array


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine for the tests that are about scans and files, not weights."""
    monkeypatch.setattr(command, "open_engine", lambda *_: Oracle(["L1"]))


def nifti(array: np.ndarray, path: Path, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(array, np.diag([3.0, 3, 3, 1]) if affine is None else affine), path)
    return path


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which the command is refused, as it should be: one line, status 2, nothing written."""
    before = sorted(folder.rglob("*"))
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.err.rstrip().endswith("."), captured.err
    assert "Traceback" not in captured.err and captured.out == ""
    assert sorted(folder.rglob("*")) == before
    return captured.err


def _zero_affine(array: np.ndarray, path: Path) -> Path:
    """A NIfTI whose sform and qform say nothing."""
    nifti(array, path)
    content = bytearray(path.read_bytes())
    content[252:256] = b"\x00\x00\x01\x00"
    content[280:328] = bytes(48)
    content[76:108] = bytes(32)
    path.write_bytes(bytes(content))
    return path


BAD: dict[str, tuple[Callable[[np.ndarray, Path], Path], str]] = {
    "no image": (lambda hu, p: _text(p / "scan.nii.gz", b"this is no image at all" * 40), "scan.nii.gz"),
    "text": (lambda hu, p: _text(p / "notes.txt", b"hello"), "not an image"),
    "truncated": (lambda hu, p: _truncated(hu, p / "scan.nii.gz"), "scan.nii.gz"),
    "two-dimensional": (lambda hu, p: nifti(hu[:, :, 20], p / "scan.nii.gz"), "two-dimensional"),
    "four-dimensional": (lambda hu, p: nifti(np.stack([hu, hu], -1), p / "scan.nii.gz"), "series of volumes"),
    "NaN": (lambda hu, p: nifti(np.where(hu > 300, np.nan, hu), p / "scan.nii.gz"), "not numbers"),
    "constant": (lambda hu, p: nifti(np.full_like(hu, 7), p / "scan.nii.gz"), "same value"),
    "zero affine": (lambda hu, p: _zero_affine(hu, p / "scan.nii"), "affine"),
    "not CT": (lambda hu, p: nifti(np.clip(hu, 0, 255), p / "scan.nii.gz"), "HU"),
    "empty folder": (lambda hu, p: _folder(p / "series"), "no DICOM"),
    "absent": (lambda hu, p: p / "nowhere.nii.gz", "does not exist"),
}


def _text(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _truncated(hu: np.ndarray, path: Path) -> Path:
    nifti(hu, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(EOFError):
        gzip.decompress(path.read_bytes())
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("oracle")
def test_bad_scans(case: str, hu: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, word = BAD[case]
    scan = make(hu, tmp_path)
    assert word in refused(["predict", str(scan), "--output", str(tmp_path / "out")], tmp_path, capsys)


@pytest.mark.usefixtures("oracle")
def test_a_folder_of_mr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pydicom = pytest.importorskip("pydicom")
    folder = _folder(tmp_path / "mr")
    for k in range(3):
        _mr_slice(pydicom, k).save_as(folder / f"{k}.dcm", enforce_file_format=True)
    said = refused(["predict", str(folder), "--output", str(tmp_path / "out")], tmp_path, capsys)
    assert "MR" in said and "not CT" in said


def _mr_slice(pydicom, k: int):  # type: ignore[no-untyped-def]
    slice_ = pydicom.Dataset()
    slice_.file_meta = pydicom.dataset.FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    slice_.SOPClassUID = slice_.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k + 1}"
    slice_.SeriesInstanceUID, slice_.StudyInstanceUID, slice_.Modality = "1.2.3.100", "1.2.3.200", "MR"
    slice_.Rows = slice_.Columns = 16
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 12, 11, 0
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.PixelSpacing, slice_.ImageOrientationPatient = [2, 2], [1, 0, 0, 0, 1, 0]
    slice_.ImagePositionPatient = [0, 0, 3 * k]
    slice_.PixelData = np.arange(256, dtype=np.uint16).tobytes()
    return slice_


@pytest.mark.usefixtures("oracle")
def test_no_vertebra_is_a_warning_and_an_empty_result(
    hu: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = nifti(
        np.where(hu > 100, 60, hu) + np.pad([[[900.0]]], [(0, n - 1) for n in hu.shape]),
        tmp_path / "s.nii.gz",
    )
    assert main(["predict", str(scan), "--output", str(tmp_path / "out"), "--quiet"]) == 0
    assert "No vertebra was found" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "report.json").read_text())["vertebrae"] == []
    assert not np.asarray(nib.load(tmp_path / "out" / "levels.nii.gz").dataobj).any()


@pytest.mark.usefixtures("oracle")
def test_a_full_disk(
    hu: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "draw_preview", full)
    scan = nifti(hu, tmp_path / "scan.nii.gz")
    arguments = ["predict", str(scan), "--output", str(tmp_path / "out"), "--quiet"]
    assert "disk is full" in refused(arguments, tmp_path, capsys)


@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--levels", "L1,Q7", "Q7"), ("--viscosity", "runny", "runny"), ("--approach", "front", "front"),
        ("--cement-ml", "-3", "-3"), ("--threads", "0", "threads"), ("--series", "1.2.3", "series"),
    ],
)  # fmt: skip
def test_unknown_options(
    option: str, value: str, word: str, hu: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = nifti(hu, tmp_path / "scan.nii.gz")
    arguments = ["predict", str(scan), "--output", str(tmp_path / "out"), option, value]
    assert word in refused(arguments, tmp_path, capsys)


def test_a_gpu_that_is_not_there(
    hu: np.ndarray,
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    scan = nifti(hu, tmp_path / "scan.nii.gz")
    arguments = ["predict", str(scan), "--output", str(tmp_path / "out"), "--checkpoint-dir", str(weights)]
    said = refused([*arguments, "--device", "cuda"], tmp_path, capsys)
    assert "CUDA" in said and "--device cpu" in said


def _other_version(folder: Path) -> None:
    path = folder / "examine.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))


def _damaged(folder: Path) -> None:
    path = folder / "locate.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def _swapped(folder: Path) -> None:
    for ending in (".json", ".safetensors"):
        shutil.copy(folder / f"locate{ending}", folder / f"examine{ending}")


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_other_version, "version 99"), (_damaged, "sha256"), (_swapped, "not examine"),
        (lambda f: (f / "examine.safetensors").unlink(), "does not exist"),
        (lambda f: (f / "locate.json").unlink(), "locate.json"),
    ],
    ids=["other version", "damaged", "swapped", "absent weights", "absent json"],
)  # fmt: skip
def test_checkpoints_that_cannot_be_used(
    spoil: Callable[[Path], object], word: str, hu: np.ndarray, weights: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    spoil(folder)
    scan = nifti(hu, tmp_path / "scan.nii.gz")
    arguments = ["predict", str(scan), "--output", str(tmp_path / "out"), "--checkpoint-dir", str(folder)]
    assert word in refused(arguments, tmp_path, capsys)


def test_untrained_networks_run_the_whole_path(hu: np.ndarray, weights: Path, tmp_path: Path) -> None:
    scan = nifti(hu, tmp_path / "scan.nii.gz")
    arguments = ["predict", str(scan), "--output", str(tmp_path / "out"), "--checkpoint-dir", str(weights)]
    assert main([*arguments, "--device", "cpu", "--quiet"]) == 0
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(content["checkpoints"]["locate"]["sha256"]) == 64
