"""A model repository for NVIDIA Triton: both networks as ONNX, each with the `config.pbtxt` that describes it.

Layout: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md; the configuration
is a `ModelConfig` in protobuf's text format (triton-inference-server/common, protobuf/model_config.proto).
"""

import tempfile
from pathlib import Path
from typing import Any, Final

from vertseg.export.onnx import export_onnx
from vertseg.io.atomic import atomic_path, write_text
from vertseg.nets.meta import TASKS, Task

_MOST: Final[dict[Task, int]] = {"locate": 1, "examine": 16}
"""Batch sizes: a scan's windows differ in size, crops are alike."""
_DELAY_US: Final = 5000


def export_triton(output: Path, checkpoint_dir: Path | None = None) -> dict[Task, Path]:
    """Write `vertseg_locate` and `vertseg_examine`, each with `config.pbtxt` and `1/model.onnx`; their configurations.

    Crops of several requests are batched. Normalisation, crops and the way back stay the caller's, see the metadata
    inside the ONNX files.

    Args:
        output: the repository's folder, made when absent.
        checkpoint_dir: folder of the weights; None takes the default ones.

    Raises:
        CheckpointError: the weights are absent, damaged or of another version.
        OutputError: the folder cannot be written.
    """
    import onnx

    written: dict[Task, Path] = {}
    with tempfile.TemporaryDirectory() as folder:
        graphs = export_onnx(Path(folder), checkpoint_dir)
        for task in TASKS:
            model = output / f"vertseg_{task}"
            with atomic_path(model / "1" / "model.onnx") as partial:
                partial.write_bytes(graphs[task].read_bytes())
            graph = onnx.load(graphs[task], load_external_data=False).graph
            written[task] = model / "config.pbtxt"
            write_text(written[task], configuration(f"vertseg_{task}", graph, _MOST[task]))
    return written


def configuration(name: str, graph: Any, most: int) -> str:
    """`config.pbtxt` of a graph whose first axis is the batch; -1 is any length.

    Args:
        name: of the model, which is its folder's too.
        graph: an `onnx.GraphProto` with float32 inputs and outputs.
        most: crops in a batch.
    """
    batching = f"dynamic_batching {{\n  max_queue_delay_microseconds: {_DELAY_US}\n}}\n" if most > 1 else ""
    return (
        f'name: "{name}"\nplatform: "onnxruntime_onnx"\nmax_batch_size: {most}\n'
        f"{_tensors('input', graph.input)}{_tensors('output', graph.output)}{batching}"
    )


def _tensors(kind: str, values: Any) -> str:
    parts = []
    for value in values:
        lengths = [
            d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim[1:]
        ]
        # Without the batch a value per crop has no axis left, which Triton writes as one that is reshaped away.
        shape = f"  dims: [ {', '.join(str(n) for n in lengths or [1])} ]\n"
        reshape = "" if lengths else "  reshape { shape: [ ] }\n"
        parts.append(f'{kind} {{\n  name: "{value.name}"\n  data_type: TYPE_FP32\n{shape}{reshape}}}\n')
    return "".join(parts)
