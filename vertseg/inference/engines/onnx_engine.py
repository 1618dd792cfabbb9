"""ONNX Runtime: CPU, CUDA and TensorRT."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import DeviceError
from vertseg.inference.engines.base import INPUTS, OUTPUTS, GraphEngine
from vertseg.inference.engines.graph_files import GraphFile, graph_files, not_loaded
from vertseg.inference.engines.threads import cpu_threads
from vertseg.inference.options import Device
from vertseg.nets.meta import Task

_PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}


class OnnxEngine(GraphEngine):
    """The two networks in ONNX Runtime, float32.

    Args:
        checkpoint_dir: folder with `locate.onnx` and `examine.onnx` and their JSON; None takes the default ones.
        device: where to run; "auto" takes CUDA where the installed ONNX Runtime has it.
        threads: CPU threads, None for all that the process may use.
        tensorrt: build TensorRT engines (float16 where the GPU prefers it) and keep them in `checkpoint_dir`.

    Raises:
        CheckpointError: a graph is absent, damaged or of other weights.
        DeviceError: CUDA or TensorRT was asked for and this ONNX Runtime has none.
    """

    name = "onnxruntime"

    def __init__(
        self,
        checkpoint_dir: Path | None = None,
        device: Device = "auto",
        threads: int | None = None,
        tensorrt: bool = False,
    ) -> None:
        provider = _provider(device, tensorrt)
        files = graph_files(checkpoint_dir)
        super().__init__({task: file.meta for task, file in files.items()}, provider)
        self._sessions = {task: _session(file, provider, threads) for task, file in files.items()}

    def run(self, task: Task, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Outputs of a task's graph."""
        feed = dict(zip(INPUTS[task], inputs, strict=True))
        session = self._sessions[task]
        given = {output.name for output in session.get_outputs()}
        return tuple(session.run([name for name in OUTPUTS[task] if name in given], feed))


def _provider(device: Device, tensorrt: bool) -> str:
    import onnxruntime

    available = set(onnxruntime.get_available_providers())
    if tensorrt:
        if "TensorrtExecutionProvider" not in available:
            raise DeviceError(
                "TensorRT was asked for and this ONNX Runtime has none; install onnxruntime-gpu and TensorRT, or "
                "choose --engine onnxruntime."
            )
        return "tensorrt"
    has_cuda = "CUDAExecutionProvider" in available
    if device == "cuda" and not has_cuda:
        raise DeviceError(
            "A CUDA device was asked for and this ONNX Runtime has none; install onnxruntime-gpu or choose "
            "--device cpu."
        )
    return "cuda" if device != "cpu" and has_cuda else "cpu"


def _session(file: GraphFile, provider: str, threads: int | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_threads(threads)
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(file.path, options, providers=list(_PROVIDERS[provider]))
    except Exception as error:
        raise not_loaded(file.path, "ONNX Runtime", error) from None
    file.check(session.get_modelmeta().custom_metadata_map.get)
    return session
