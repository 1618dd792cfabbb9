"""Files appear whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from vertseg import io
from vertseg.errors import OutputError
from vertseg.io.atomic import atomic_path, write_text
from vertseg.volume import Volume


def test_a_file_is_written_into_a_new_folder_and_nothing_else_stays(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "er" / "report.json", "{}")
    assert (tmp_path / "deep" / "er" / "report.json").read_text() == "{}"
    assert [p.name for p in (tmp_path / "deep" / "er").iterdir()] == ["report.json"]


def test_the_partial_name_keeps_its_ending(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "preview.png") as partial:
        assert partial.suffix == ".png"
        assert partial.parent == tmp_path
        partial.write_bytes(b"x")


def test_an_error_leaves_the_earlier_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("earlier")
    with pytest.raises(KeyError), atomic_path(target) as partial:
        partial.write_text("half")
        raise KeyError("something went wrong")
    assert target.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "no permission"), (errno.EROFS, "no permission")],
)
def test_refusals_of_the_file_system_are_sentences(tmp_path, number, advice) -> None:
    with pytest.raises(OutputError, match=advice), atomic_path(tmp_path / "a.nii.gz") as partial:
        partial.write_text("half")
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_while_writing_nifti(tmp_path, monkeypatch) -> None:
    opened = Path.open

    def full(self: Path, *args, **kwargs):
        return opened(Path("/dev/full"), *args, **kwargs) if ".partial-" in self.name else opened(self, *args)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match=r"labels\.nii\.gz.*disk is full"):
        io.write_nifti(tmp_path / "labels.nii.gz", Volume(np.ones((64, 64, 64), dtype=np.uint8), np.eye(4)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OutputError, match="another kind"):
        write_text(tmp_path / "report.json", "{}")
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_process_killed_while_writing_leaves_the_earlier_file(tmp_path: Path) -> None:
    target = tmp_path / "labels.nii.gz"
    io.write_nifti(target, Volume(np.full((4, 4, 4), 7, dtype=np.uint8), np.eye(4)))
    code = f"""
import os, signal
from vertseg.io.atomic import atomic_path
with atomic_path({str(target)!r}) as partial:
    partial.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    result = subprocess.run([sys.executable, "-c", code], check=False)
    assert result.returncode == -signal.SIGKILL
    assert (np.asanyarray(nib.load(target).dataobj) == 7).all()
