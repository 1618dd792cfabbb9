"""A fresh environment with `vertseg[runtime]` alone predicts: no torch in it at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import hu_of
from vertseg.io import write_nifti

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_runtime_install_predicts_without_torch(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*install, f"{ROOT}[runtime]"], check=True, cwd=tmp_path)
    frozen = subprocess.run(
        [str(python), "-m", "pip", "freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert "openvino" in frozen
    assert not any(line.startswith(("torch", "monai", "lightning")) for line in frozen.splitlines())

    write_nifti(tmp_path / "scan.nii.gz", hu_of(draw_spine("L1 L2 L3", sacrum=False)))
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        [str(python), "-m", "vertseg", "predict", "scan.nii.gz", "--output", "out", "--quiet"],
        check=False, cwd=tmp_path, env=clean, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["engine"] == "openvino"
