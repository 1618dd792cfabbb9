"""OpenVINO on the CPU, in float32 or bfloat16."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import DeviceError
from vertseg.inference.engines.base import OUTPUTS, GraphEngine
from vertseg.inference.engines.graph_files import GraphFile, graph_files, not_loaded
from vertseg.inference.engines.threads import cpu_threads
from vertseg.inference.options import Device
from vertseg.nets.meta import Task

Precision = Literal["auto", "float32", "bfloat16"]

_METADATA = "framework"
"""Where OpenVINO keeps the metadata of an ONNX file."""


class OpenVinoEngine(GraphEngine):
    """The two networks in OpenVINO on the CPU.

    Args:
        checkpoint_dir: folder with `locate.onnx` and `examine.onnx` and their JSON; None takes the default ones.
        device: "auto" or "cpu".
        threads: CPU threads, None for all that the process may use.
        precision: "auto" is bfloat16 where the CPU has instructions for it (AVX-512 BF16, AMX), else float32.

    Raises:
        CheckpointError: a graph is absent, damaged or of other weights.
        DeviceError: CUDA was asked for, or bfloat16 on a CPU without it.
    """

    name = "openvino"

    def __init__(
        self,
        checkpoint_dir: Path | None = None,
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        import openvino

        if device == "cuda":
            raise DeviceError("OpenVINO runs on the CPU; choose --device cpu, or --engine torch for CUDA.")
        core = openvino.Core()
        chosen = _precision(core, precision)
        files = graph_files(checkpoint_dir)
        super().__init__({task: file.meta for task, file in files.items()}, "cpu")
        config = {
            "INFERENCE_NUM_THREADS": cpu_threads(threads),
            "INFERENCE_PRECISION_HINT": "bf16" if chosen == "bfloat16" else "f32",
        }
        self.precision = chosen
        self._models = {task: _compiled(core, file, config) for task, file in files.items()}

    def run(self, task: Task, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Outputs of a task's graph."""
        model = self._models[task]
        out = model(list(inputs))
        given = {name for output in model.outputs for name in output.names}
        # The model's output buffers are used again by its next run.
        return tuple(np.array(out[name]) for name in OUTPUTS[task] if name in given)


def _precision(core: Any, asked: Precision) -> Literal["float32", "bfloat16"]:
    able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if asked == "bfloat16" and not able:
        raise DeviceError("bfloat16 was asked for and this CPU has no instructions for it; use float32.")
    return "bfloat16" if able and asked != "float32" else "float32"


def _compiled(core: Any, file: GraphFile, config: dict[str, Any]) -> Any:
    try:
        model = core.read_model(file.path)
    except RuntimeError as error:
        raise not_loaded(file.path, "OpenVINO", error) from None

    def metadata(key: str) -> str | None:
        place = [_METADATA, key]
        return str(model.get_rt_info(place).value) if model.has_rt_info(place) else None

    file.check(metadata)
    return core.compile_model(model, "CPU", config)
