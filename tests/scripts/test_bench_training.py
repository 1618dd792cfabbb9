import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import bench_training
from vertseg.errors import ConfigError


def _times(*seconds: float) -> list[dict[str, float]]:
    return [{"seconds": s, "core": s / 2} for s in seconds]


def test_others_are_told_as_multiples_of_our_median(tmp_path: Path) -> None:
    recipe = bench_training.recipe_of(tmp_path, tmp_path / "run", 4)
    times = {"vertseg": _times(2, 1, 9), "plain": _times(1, 1, 1), "nnunet": _times(3, 3, 8, 3)}
    found = bench_training.compared(recipe, times, {"torch": "x"})
    assert found["times_of_vertseg"] == {
        "plain": {"wall": 0.5, "core": 0.5},
        "nnunet": {"wall": 1.5, "core": 1.5},
    }
    assert found["steps"]["vertseg"]["samples_per_s"] == 1.0  # two samples in two seconds
    assert found["steps"]["nnunet"]["n"] == 4


def test_an_environment_that_cannot_be_made_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        refused = "pip" in command
        return subprocess.CompletedProcess(command, int(refused), "", "ERROR: a\nERROR: no torch here")

    monkeypatch.setattr(bench_training, "NNUNET_ENVIRONMENT", tmp_path / "own")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ConfigError, match="could not be made: ERROR: no torch here"):
        bench_training.nnunet_python()
    # torch comes first, alone and pinned, by the new environment's own interpreter.
    assert asked[1][0] == str(tmp_path / "own" / "bin" / "python")
    assert asked[1][-1].startswith("torch==")
    assert len(asked) == 2
