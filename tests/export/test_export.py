"""Exported networks say what they are and give what torch gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vertseg.cli import main
from vertseg.errors import ConfigError, OutputError
from vertseg.export.bundle import export_bundle
from vertseg.export.onnx import OPSET, export_onnx
from vertseg.inference.engines import open_engine
from vertseg.io.nifti import write_nifti
from vertseg.nets.checkpoint import save_checkpoint
from vertseg.nets.meta import Meta, Task
from vertseg.nets.unet import NetSpec, build_network
from vertseg.phantom import ScanConfig, render_scan

FILTERS = (8, 8, 8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    tasks: tuple[Task, ...] = ("locate", "examine")
    for task in tasks:
        crop_shape = None if task == "locate" else (16, 16, 16)
        meta = Meta(task, FILTERS, 3.0, crop_shape, {"phantom_seeds": [0, 1]})
        save_checkpoint(folder / task, build_network(NetSpec(task, FILTERS)).state_dict(), meta)
    return folder


@pytest.fixture(scope="module")
def exported(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(folder, weights)
    return folder


@pytest.mark.slow
def test_onnx_says_what_it_is(exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for task in ("locate", "examine"):
        model = onnx.load(exported / f"{task}.onnx")
        onnx.checker.check_model(model, full_check=True)
        said = {p.key: p.value for p in model.metadata_props}
        assert [o.version for o in model.opset_import if o.domain == ""] == [OPSET]
        assert (said["vertseg.task"], json.loads(said["vertseg.spacing_mm"])) == (task, 3.0)
        assert said["vertseg.weights_sha256"] == json.loads((exported / f"{task}.json").read_text())["sha256"]
    assert json.loads(said["vertseg.crop_shape"]) == [16, 16, 16]
    assert json.loads(said["vertseg.leak_routes"]) == ["B", "S", "C", "D"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_other_weights_run_on_every_engine(name: str, weights: Path, exported: Path) -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(size=(3, 1, 8, 12, 4)).astype(np.float32)
    crops = rng.normal(size=(3, 2, 16, 16, 16)).astype(np.float32)
    plan = np.array([[2, 0, 1], [np.nan] * 3, [8, np.nan, 0]], np.float32)
    reference, engine = open_engine("torch", weights, "cpu"), open_engine(name, exported, "cpu")
    pairs = (
        (reference.locate(image), engine.locate(image)),
        (reference.examine(crops, plan), engine.examine(crops, plan)),
    )
    for wanted, got in pairs:
        for output, values in wanted.items():
            np.testing.assert_allclose(got[output], values, atol=2e-3, err_msg=output)


@pytest.mark.slow
def test_openvino_ir_gives_what_the_onnx_file_gives(weights: Path, exported: Path, tmp_path: Path) -> None:
    import openvino

    assert main(["export", "openvino", "--output", str(tmp_path), "--checkpoint-dir", str(weights)]) == 0
    image = np.random.default_rng(3).normal(size=(1, 1, 8, 8, 8)).astype(np.float32)
    core = openvino.Core()
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    both = [core.compile_model(core.read_model(p), "CPU", config)(image) for p in (
        tmp_path / "locate.xml", exported / "locate.onnx",
    )]  # fmt: skip
    np.testing.assert_allclose(both[0]["tissue"], both[1]["tissue"], atol=1e-5)


def test_a_bundle_is_read_and_run_by_monai(weights: Path, tmp_path: Path) -> None:
    from monai.bundle import ConfigParser

    bundle = export_bundle(tmp_path / "bundles", weights)
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    parser.read_meta(bundle / "configs" / "metadata.json")
    net = parser.get_parsed_content("network_def")
    net.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    image = torch.randn(1, 1, 8, 8, 8)
    with torch.inference_mode():
        found = net(image)["tissue"].softmax(1)
    wanted = open_engine("torch", weights, "cpu").locate(image.numpy())["tissue"]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
    assert found.shape[1] == parser["_meta_"]["network_data_format"]["outputs"]["pred"]["num_channels"]
    with pytest.raises(OutputError, match="is there already"):
        export_bundle(tmp_path / "bundles", weights)


@pytest.mark.slow
def test_monai_runs_the_bundle_from_the_command_line(weights: Path, tmp_path: Path) -> None:
    bundle = export_bundle(tmp_path, weights)
    scan = render_scan(900_500, ScanConfig(field="lumbar", spacing_mm=(4.0, 4.0, 4.0)))
    write_nifti(tmp_path / "scans" / "one.nii.gz", scan.hu)
    command = [
        sys.executable, "-m", "monai.bundle", "run", "--bundle_root", ".", "--meta_file", "configs/metadata.json",
        "--config_file", "configs/inference.json", "--dataset_dir", str(tmp_path / "scans"),
        "--output_dir", str(tmp_path / "out"),
    ]  # fmt: skip
    subprocess.run(command, cwd=bundle, check=True, capture_output=True)
    report = json.loads((tmp_path / "out" / "one" / "report.json").read_text())
    assert (
        report["checkpoints"]["locate"]["sha256"]
        == json.loads((weights / "locate.json").read_text())["sha256"]
    )


def test_a_linked_graph_lies_beside_its_weights(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lies beside its weights"):
        export_onnx(tmp_path, weights, linked=True)


def test_bundles_are_not_linked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "bundle", "--linked", "--output", str(tmp_path / "x")]) == 2
    assert "--linked is for vertseg export onnx" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
