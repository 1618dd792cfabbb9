"""Options of `vertseg phantom` that cannot be: one sentence, status 2, nothing written."""

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest
import torch

from vertseg.cli import main

COHORT = ["cohort", "--output", "set"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([*COHORT, "--scans", "1"], "--scans must be 2 or more"),
        ([*COHORT, "--scans", "-4"], "--scans must be 2 or more"),
        ([*COHORT, "--scans", "4", "--workers", "0"], "--workers must be 1 or more"),
        ([*COHORT, "--scans", "4", "--seed", "-1"], "--seed must be 0 or more"),
        ([*COHORT, "--scans", "4", "--spacing", "1,1"], "three numbers"),
        ([*COHORT, "--scans", "4", "--spacing", "nan,1,1"], "between 0.3 and 10 mm"),
        (["scan", "o.nii.gz", "--spacing", "1,2"], "three numbers"),
        (["scan", "o.nii.gz", "--spacing", "0,1,1"], "between"),
        (["scan", "o.png"], "nii"),
        (["scan", "o.nii.gz", "--seed", "-1"], "seed"),
        (["show", "--output", "a.jpg"], "must end in .png"),
        (["show", "--seed", "-2"], "--seed must be 0 or more"),
        (["show", "--seed", str(2**63)], "--seed must be less than"),
        (["show", "--spacing", "20,1,1"], "between 0.3 and 10 mm"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    arguments: list[str],
    word: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["phantom", *arguments]) == 2
    error = capsys.readouterr().err
    assert word in error and error.count("\n") == 1 and error.rstrip().endswith(".")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("arguments", [[*COHORT, "--scans", "2"], ["show"]])
def test_an_absent_gpu_is_said(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["phantom", *arguments, "--device", "cuda"]) == 2
    assert "torch finds no GPU" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "set").write_text("a file")
    assert main(["phantom", "cohort", "--scans", "2", "--output", str(tmp_path / "set"), "--quiet"]) == 2
    assert "set" in capsys.readouterr().err
    assert (tmp_path / "set").read_text() == "a file"


def test_help_of_the_commands_loads_no_torch() -> None:
    code = (
        "import sys\nfrom vertseg.cli import main\n"
        "try: main(['phantom', 'cohort', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'scipy', 'matplotlib', 'rich') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert "--workers" in said.stdout and said.stdout.strip().endswith("[]")


def test_show_draws_the_patient_of_the_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.png"
    given = ["phantom", "show", "--seed", "5", "--case", "demo", "--spacing", "3,3,3", "--output", str(path)]
    assert main(given) == 0
    said = capsys.readouterr().out.splitlines()
    assert (
        said[0].startswith("L1: ")
        and "50% of height lost" in said[0]
        and said[1].startswith("L3: ")
        and said[-1] == str(path)
    )
    assert matplotlib.image.imread(path).shape[1] > 1000
