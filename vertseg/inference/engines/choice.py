"""Which engine runs: the one that was asked for, or the fastest that is there."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args

from vertseg.errors import ConfigError
from vertseg.inference.engines.base import Engine
from vertseg.inference.options import Device

EngineName = Literal["auto", "torch", "onnxruntime", "openvino", "tensorrt"]
ENGINES: Final[tuple[str, ...]] = get_args(EngineName)

_PACKAGE: Final = {
    "torch": "torch",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "tensorrt": "onnxruntime",
}
_INSTALL: Final = {
    "torch": "pip install 'vertseg[torch]'",
    "onnxruntime": "pip install onnxruntime",
    "openvino": "pip install openvino",
    "tensorrt": "pip install onnxruntime-gpu, with TensorRT",
}


def open_engine(
    name: str = "auto",
    checkpoint_dir: Path | None = None,
    device: Device = "auto",
    threads: int | None = None,
) -> Engine:
    """The engine of a name, with both networks loaded.

    "auto" takes torch where it sees a CUDA device; on a CPU, OpenVINO, then ONNX Runtime, then torch, of those
    that are installed (in this order of speed, see `benchmarks/predict.json`). Checkpoints without ONNX files
    beside them run on torch.

    Raises:
        ConfigError: no such engine, or it is not installed.
        CheckpointError: the weights are absent, damaged or of another version.
        DeviceError: a device was asked for that is not there.
    """
    if name not in ENGINES:
        raise ConfigError(f"'{name}' is no engine; it is one of {', '.join(ENGINES)}.")
    if name == "auto":
        return _fastest(checkpoint_dir, device, threads)
    if not _installed(name):
        raise ConfigError(f"The engine {name} is not installed; get it with: {_INSTALL[name]}.")
    return _open(name, checkpoint_dir, device, threads)


def _fastest(checkpoint_dir: Path | None, device: Device, threads: int | None) -> Engine:
    if _installed("torch") and device != "cpu":
        import torch

        if device == "cuda" or torch.cuda.is_available():
            return _open("torch", checkpoint_dir, device, threads)
    order = [name for name in ("openvino", "onnxruntime", "torch") if _installed(name)]
    if device == "cuda":
        order = [name for name in order if name != "openvino"]
    if not order:
        raise ConfigError(
            f"No engine is installed; get one with: {_INSTALL['openvino']}, or {_INSTALL['torch']}."
        )
    has_graphs = checkpoint_dir is None or all(
        (checkpoint_dir / f"{task}.onnx").exists() for task in ("locate", "examine")
    )
    if not has_graphs and "torch" in order:
        order = ["torch"]
    return _open(order[0], checkpoint_dir, device, threads)


def _installed(name: str) -> bool:
    return find_spec(_PACKAGE[name]) is not None


def _open(name: str, checkpoint_dir: Path | None, device: Device, threads: int | None) -> Engine:
    if name == "torch":
        from vertseg.inference.engines.torch_engine import TorchEngine

        return TorchEngine(checkpoint_dir, device, threads)
    if name == "openvino":
        from vertseg.inference.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(checkpoint_dir, device, threads)
    from vertseg.inference.engines.onnx_engine import OnnxEngine

    return OnnxEngine(checkpoint_dir, device, threads, tensorrt=name == "tensorrt")
