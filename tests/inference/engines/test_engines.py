"""Every engine gives what torch gives, and one that cannot run says what to do."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vertseg.errors import CheckpointError, ConfigError, DeviceError
from vertseg.inference.engines import Engine, choice, open_engine
from vertseg.inference.engines.graph_files import (
    LAYOUT_KEY,
    WEIGHTS_KEY,
    GraphFile,
    graph_files,
    layout_digest,
)
from vertseg.nets.meta import TASKS, default_checkpoint, load_meta
from vertseg.phantom import render_crop
from vertseg.preprocess import stack_examine

OTHERS = ("onnxruntime", "openvino")
PLANS = np.array([[4.0, 1.0, 0.0], [np.nan, np.nan, np.nan]], np.float32)


@cache
def crop() -> NDArray[np.float32]:
    """A phantom crop with and without its left-right mirror: (2, 2, X, Y, Z)."""
    rendered = render_crop(910_000, inject=False)
    one = stack_examine(rendered.image, rendered.marker)
    return np.ascontiguousarray(np.stack([one, one[:, ::-1]]))


@cache
def engine(name: str) -> Engine:
    return open_engine(name, device="cpu", threads=1)


@pytest.mark.parametrize("name", OTHERS)
def test_examine_is_that_of_torch(name: str) -> None:
    wanted, got = engine("torch").examine(crop(), PLANS), engine(name).examine(crop(), PLANS)
    assert wanted["tissue"].argmax(1).any()
    for output in ("tissue", "findings", "leak", "any_leak", "leak_confidence", "leak_abstained"):
        assert got[output].shape == wanted[output].shape
        np.testing.assert_allclose(got[output], wanted[output], atol=5e-3, err_msg=output)
    same = got["tissue"].argmax(1) == wanted["tissue"].argmax(1)
    assert same.mean() > 0.9999


@pytest.mark.parametrize("name", OTHERS)
def test_locate_takes_any_size_and_is_that_of_torch(name: str) -> None:
    image = crop()[:, :1, :48, :, :32]
    wanted, got = engine("torch").locate(image), engine(name).locate(image)
    assert got["level"].shape == (2, 29, 48, 64, 32)
    for output, tolerance in (("tissue", 5e-3), ("level", 5e-3), ("offset_mm", 0.1)):
        np.testing.assert_allclose(got[output], wanted[output], atol=tolerance, err_msg=output)


@pytest.mark.parametrize("name", ("torch", *OTHERS))
def test_two_runs_give_the_same_bytes(name: str) -> None:
    first, second = (engine(name).examine(crop()[:1], PLANS[:1]) for _ in range(2))
    assert all(first[output].tobytes() == second[output].tobytes() for output in first)


def test_the_graphs_beside_the_default_weights_refer_to_them() -> None:
    onnx = pytest.importorskip("onnx")
    for task in TASKS:
        weights = default_checkpoint(task)
        content = weights.read_bytes()
        model = onnx.load(weights.with_suffix(".onnx"), load_external_data=False)
        assert {p.key: p.value for p in model.metadata_props}[LAYOUT_KEY] == layout_digest(weights)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        linked = [i for i in model.graph.initializer if i.external_data]
        assert len(linked) == len([name for name in header if name != "__metadata__"])
        assert all({e.key: e.value for e in i.external_data}["location"] == weights.name for i in linked)


def test_a_graph_of_other_weights_is_refused(tmp_path: Path) -> None:
    meta = load_meta(default_checkpoint("locate"))
    for ending in (".safetensors", ".json", ".onnx"):
        shutil.copy(default_checkpoint("locate").with_suffix(ending), tmp_path)
    file = GraphFile(tmp_path / "locate.onnx", meta)
    file.check({LAYOUT_KEY: layout_digest(tmp_path / "locate.safetensors")}.get)
    file.check({WEIGHTS_KEY: meta.sha256}.get)
    for metadata in ({}, {LAYOUT_KEY: "0" * 64}, {WEIGHTS_KEY: "0" * 64}):
        with pytest.raises(CheckpointError, match="export it again"):
            file.check(metadata.get)
    weights = tmp_path / "locate.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"spam")
    with pytest.raises(CheckpointError, match="sha256"):
        file.check({LAYOUT_KEY: layout_digest(weights)}.get)


def test_a_folder_without_graphs_is_refused_or_runs_on_torch(tmp_path: Path) -> None:
    for task in TASKS:
        for ending in (".safetensors", ".json"):
            shutil.copy(default_checkpoint(task).with_suffix(ending), tmp_path)
    with pytest.raises(CheckpointError, match="vertseg export onnx"):
        graph_files(tmp_path)
    assert open_engine("auto", tmp_path, "cpu").name == "torch"


def test_auto_takes_the_fastest_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_engine("auto", device="cpu").name == "openvino"
    monkeypatch.setattr(choice, "_installed", lambda name: name != "openvino")
    assert open_engine("auto", device="cpu").name == "onnxruntime"
    monkeypatch.setattr(choice, "_installed", lambda name: name == "torch")
    assert open_engine("auto", device="cpu").name == "torch"
    monkeypatch.setattr(choice, "_installed", lambda name: False)
    with pytest.raises(ConfigError, match="pip install"):
        open_engine("auto", device="cpu")
    with pytest.raises(ConfigError, match="onnxruntime is not installed; get it with"):
        open_engine("onnxruntime")


def test_what_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigError, match="'caffe' is no engine"):
        open_engine("caffe")
    with pytest.raises(DeviceError, match="TensorRT was asked for"):
        open_engine("tensorrt")
    with pytest.raises(DeviceError, match="onnxruntime-gpu"):
        open_engine("onnxruntime", device="cuda")
    with pytest.raises(DeviceError, match="OpenVINO runs on the CPU"):
        open_engine("openvino", device="cuda")
