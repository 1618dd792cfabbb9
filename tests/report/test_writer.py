"""Outputs appear whole or not at all."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from vertseg import Volume
from vertseg.errors import OutputError
from vertseg.inference.findings import Findings
from vertseg.labels import FINDINGS
from vertseg.report import writer

FILES = {
    "levels.nii.gz", "tissue.nii.gz", *(f"{name}.nii.gz" for name in FINDINGS), "preview.png", "vertebrae.csv",
    "report.json",
}  # fmt: skip


def test_all_files_are_there_on_the_scan_s_own_grid(findings: Findings, scan: Volume, tmp_path: Path) -> None:
    folder = writer.write_outputs(findings, scan, tmp_path / "deep" / "out")
    assert {p.name for p in folder.iterdir()} == FILES
    for path in folder.glob("*.nii.gz"):
        image = nib.load(path)
        assert image.shape == scan.array.shape
        np.testing.assert_allclose(image.affine, scan.affine, atol=1e-4)
    written = np.asarray(nib.load(folder / "levels.nii.gz").dataobj)
    np.testing.assert_array_equal(written, findings.levels.array)


def test_an_existing_folder_keeps_its_other_files(findings: Findings, scan: Volume, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.json").write_text("old")
    writer.write_outputs(findings, scan, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == FILES | {"notes.txt"}
    assert json.loads((tmp_path / "report.json").read_text())["vertebrae"]


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_nothing_and_says_so(
    findings: Findings, scan: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    folder = tmp_path / "out"
    if exists:
        folder.mkdir()
        (folder / "report.json").write_text("old")
    monkeypatch.setattr(writer, "draw_preview", _full)
    with pytest.raises(OutputError, match="disk is full"):
        writer.write_outputs(findings, scan, folder)
    assert [p.name for p in tmp_path.rglob("*")] == (["out", "report.json"] if exists else [])


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_inside_a_nifti_names_the_folder(
    findings: Findings, scan: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, volume: Volume, threads: int = 1) -> None:
        from vertseg.io.atomic import output_error

        cause = OSError(errno.ENOSPC, "No space left on device")
        raise output_error(path, cause) from cause

    monkeypatch.setattr(writer, "write_nifti", full)
    with pytest.raises(OutputError, match=r"out' could not be written: the disk is full"):
        writer.write_outputs(findings, scan, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_folder_s_place_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(OutputError, match="another kind"):
            writer.check_output(folder)
    writer.check_output(tmp_path / "new" / "deeper")
    assert not (tmp_path / "new").exists()


_SLOW = """
import sys, time
from pathlib import Path
from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg import predict
from vertseg.report import writer

scan = hu_of(draw_spine("L1"))
findings = predict(scan, engine=Oracle(["L1"]))

def slow(*_):
    print("writing", flush=True)
    time.sleep(60)

{patch}
writer.write_outputs(findings, scan, Path(sys.argv[1]))
"""


def _kill_while_writing(folder: Path, patch: str) -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW.format(patch=patch), str(folder)],
        cwd=root, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "writing"
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


def test_a_killed_run_leaves_no_output_and_the_next_one_cleans_up(
    findings: Findings, scan: Volume, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    _kill_while_writing(folder, "writer.draw_preview = slow")
    assert not folder.exists()
    left = [p.name for p in tmp_path.iterdir()]
    assert len(left) == 1 and left[0].startswith(".vertseg-partial-")
    writer.write_outputs(findings, scan, folder)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_run_killed_while_replacing_leaves_whole_files_and_no_report(
    findings: Findings, scan: Volume, tmp_path: Path
) -> None:
    folder = writer.write_outputs(findings, scan, tmp_path / "out")
    patch = "import os; replace = os.replace; count = [0]\n" + (
        "def stop(a, b):\n"
        "    if '.vertseg-partial' in str(a) and '.vertseg-partial' not in str(b):\n"
        "        count[0] += 1\n"
        "        slow() if count[0] == 4 else None\n"
        "    replace(a, b)\n"
        "os.replace = stop"
    )
    _kill_while_writing(folder, patch)
    assert not (folder / "report.json").exists()
    for path in folder.glob("*.nii.gz"):
        assert np.asarray(nib.load(path).dataobj).size > 0
    time.sleep(0)
    writer.write_outputs(findings, scan, folder)
    assert {p.name for p in folder.iterdir()} == FILES
