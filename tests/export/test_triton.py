"""The configuration that NVIDIA Triton reads, checked with its own parser where it is installed."""

from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from vertseg.export.triton import configuration


@pytest.fixture
def graph() -> Any:
    def value(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    image, plan = value("image", "batch", 2, 64, 64, 64), value("plan", "batch", 3)
    outputs = [value("tissue", "batch", 3, "x", 64, 64), value("leak_oddness", "batch")]
    nodes = [helper.make_node("Identity", ["plan"], ["leak_oddness"])]
    return onnx.helper.make_graph(nodes, "g", [image, plan], outputs)


def test_configuration_says_the_graph_s_tensors(graph: Any) -> None:
    text = configuration("vertseg_examine", graph, 16)
    assert 'name: "image"\n  data_type: TYPE_FP32\n  dims: [ 2, 64, 64, 64 ]' in text
    assert 'name: "tissue"\n  data_type: TYPE_FP32\n  dims: [ 3, -1, 64, 64 ]' in text
    assert 'name: "leak_oddness"\n  data_type: TYPE_FP32\n  dims: [ 1 ]\n  reshape { shape: [ ] }' in text
    assert "max_queue_delay_microseconds" in text
    assert "dynamic_batching" not in configuration("vertseg_locate", graph, 1)


def test_triton_s_own_parser_reads_it(graph: Any) -> None:
    pb2 = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs tritonclient[grpc]")
    from google.protobuf import text_format

    config = text_format.Parse(configuration("vertseg_examine", graph, 16), pb2.ModelConfig())
    assert config.platform == "onnxruntime_onnx" and config.max_batch_size == 16
    assert [(t.name, list(t.dims)) for t in config.input] == [("image", [2, 64, 64, 64]), ("plan", [3])]
    assert list(config.output[1].reshape.shape) == [] and config.output[1].HasField("reshape")
