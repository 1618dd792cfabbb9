"""`vertseg predict` needs neither torch nor MONAI nor Lightning."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vertseg import predict
from vertseg.inference.engines import open_engine
from vertseg.io import read_labels, write_nifti
from vertseg.phantom import ScanConfig, render_scan
from vertseg.volume import Volume

SEED = 900_301
_HIDDEN = ("torch", "monai", "lightning", "pytorch_lightning", "safetensors", "onnx")
_RUN = f"""
import sys

def hiding(finder):
    class Hiding:
        def find_spec(self, name, path=None, target=None):
            return None if name.partition(".")[0] in {_HIDDEN} else finder.find_spec(name, path, target)
    return Hiding()

sys.meta_path[:] = [hiding(finder) for finder in sys.meta_path]
from vertseg.cli import main
status = main(sys.argv[1:])
assert not set(sys.modules) & set({_HIDDEN}), sys.modules.keys()
sys.exit(status)
"""


@pytest.fixture(scope="module")
def scan() -> Volume:
    """Few vertebrae of a phantom: one window of the locate network."""
    rendered = render_scan(SEED, ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0), appearance=0.3))
    centres = np.array([v.centroid_mm for v in rendered.vertebrae if v.level in (21, 22, 23)])
    middle = np.rint(rendered.hu.grid.voxel(centres.mean(axis=0))).astype(int)
    half = np.array([24, 32, 24])
    start = np.maximum(middle - half, 0)
    return rendered.hu.cropped(start, np.minimum(start + 2 * half, rendered.hu.array.shape))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _RUN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_predict_without_torch_gives_what_torch_gives(engine: str, scan: Volume, tmp_path: Path) -> None:
    write_nifti(tmp_path / "scan.nii.gz", scan)
    result = run(
        "predict", str(tmp_path / "scan.nii.gz"), "--output", str(tmp_path / "out"), "--threads", "1",
        "--engine", engine, "--quiet",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    wanted = predict(scan, engine=open_engine("torch", device="cpu", threads=1))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [v.name for v in wanted.vertebrae] == [v["level"] for v in report["vertebrae"]]
    assert len(wanted.vertebrae) >= 2
    levels = read_labels(tmp_path / "out" / "levels.nii.gz").array
    assert (levels == wanted.levels.array).mean() > 0.999


def test_torch_as_an_engine_is_refused_with_what_to_install(scan: Volume, tmp_path: Path) -> None:
    write_nifti(tmp_path / "scan.nii.gz", scan)
    result = run(
        "predict", str(tmp_path / "scan.nii.gz"), "--output", str(tmp_path / "out"), "--engine", "torch"
    )
    assert result.returncode == 2
    assert "vertseg[torch]" in result.stderr
    assert not (tmp_path / "out").exists()
