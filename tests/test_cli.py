"""The command line, in processes of its own where start-up matters."""

import json
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg import __version__, cli
from vertseg.cli import main, parse_levels
from vertseg.errors import ConfigError
from vertseg.inference import command
from vertseg.io import write_nifti
from vertseg.labels import level_number

NAMES = "L1 L2"
HEAVY = ("torch", "monai", "lightning", "matplotlib", "scipy", "nibabel", "rich")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A drawn scan on disk."""
    path = tmp_path / "patient.nii.gz"
    write_nifti(path, hu_of(draw_spine(NAMES)))
    return path


@pytest.fixture(autouse=True)
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawn scans' own engine instead of the networks."""
    monkeypatch.setattr(command, "open_engine", lambda *_: Oracle(NAMES.split()))


@pytest.mark.parametrize(
    "code", ["import vertseg", "from vertseg.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"]
)
def test_import_and_help_load_no_large_library(code: str) -> None:
    check = f"import sys\n{code}\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    assert python("-c", check).stdout.strip().endswith("[]")


def test_help_and_import_answer_in_half_a_second() -> None:
    def fastest(*arguments: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            assert python(*arguments).returncode == 0
            times.append(time.perf_counter() - start)
        return min(times)

    assert fastest("-m", "vertseg", "--help") < 0.5
    assert fastest("-c", "import vertseg") < 0.5


def test_help_names_the_commands_and_version_the_version() -> None:
    text = python("-m", "vertseg", "--help").stdout
    assert all(name in text for name in ("predict", "train", "phantom", "version"))
    assert python("-m", "vertseg", "version").stdout.strip() == f"vertseg {__version__}"
    assert python("-m", "vertseg", "--version").stdout.strip() == f"vertseg {__version__}"


def test_predict_writes_everything_and_shows_a_table(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(scan), "--output", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "L1" in shown and "L2" in shown and "preview.png" in shown
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [v["level"] for v in content["vertebrae"]] == NAMES.split()
    assert content["input"]["path"] == str(scan)
    assert {"read", "locate", "examine"} <= set(content["seconds"])


def test_several_scans_get_a_folder_each_and_a_bad_one_stops_no_other(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, other = tmp_path / "bad.nii.gz", tmp_path / "other.nii"
    bad.write_bytes(b"no image")
    nib.save(nib.load(scan), other)
    out = tmp_path / "out"
    assert main(["predict", str(bad), str(scan), str(other), "--output", str(out), "--quiet"]) == 2
    assert sorted(p.name for p in out.iterdir()) == ["other", "patient"]
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "bad.nii.gz" in error


def test_levels_choose_what_is_reported(scan: Path, tmp_path: Path) -> None:
    assert main(["predict", str(scan), "--output", str(tmp_path / "out"), "--levels", "l2", "--quiet"]) == 0
    written = np.asarray(nib.load(tmp_path / "out" / "levels.nii.gz").dataobj)
    assert set(np.unique(written)) == {0, level_number("L2")}


def test_level_names_are_read_in_any_case() -> None:
    assert parse_levels("l1, T12,sacrum") == tuple(level_number(n) for n in ("L1", "T12", "sacrum"))
    assert parse_levels(None) is None
    with pytest.raises(ConfigError, match="names no level"):
        parse_levels(" , ")


def test_two_scans_of_one_name_are_refused(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b").mkdir()
    twin = tmp_path / "b" / scan.name
    twin.write_bytes(scan.read_bytes())
    assert main(["predict", str(scan), str(twin), "--output", str(tmp_path / "out")]) == 2
    assert "overwrite" in capsys.readouterr().err


def test_a_package_that_is_not_installed_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(_: str) -> None:
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

    monkeypatch.setattr(cli, "import_module", absent)
    assert main(["phantom", "scan"]) == 2
    assert "pip install 'vertseg[torch]'" in capsys.readouterr().err


def test_a_point_is_three_numbers() -> None:
    assert cli.parse_point("-12.5,30,55") == (-12.5, 30.0, 55.0)
    assert cli.parse_point(None) is None
    for text in ("1,2", "1,2,x", "1,2,3,4", ""):
        with pytest.raises(ConfigError, match="three numbers"):
            cli.parse_point(text)


def test_a_point_in_several_scans_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = [str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz")]
    assert main(["predict", *scans, "--output", str(tmp_path / "out"), "--point=1,2,3"]) == 2
    assert "place in one scan" in capsys.readouterr().err
