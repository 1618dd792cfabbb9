"""torch on the CPU or on CUDA."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import DeviceError
from vertseg.inference.engines.base import GraphEngine
from vertseg.inference.options import Device
from vertseg.nets.meta import TASKS, Meta, Task, check_task, weights_path

Precision = Literal["float32", "bfloat16", "float16"]


class TorchEngine(GraphEngine):
    """The two networks in torch on one device; equal inputs give equal bytes there, on CUDA too.

    Args:
        checkpoint_dir: folder with `locate.safetensors` and `examine.safetensors`; None takes the default ones.
        device: where to run.
        threads: CPU threads, None for torch's own choice.
        precision: of convolutions and products; others than float32 run under autocast.

    Raises:
        CheckpointError: a checkpoint is absent, damaged or of another version.
        DeviceError: CUDA was asked for and is not there.
    """

    name = "torch"

    def __init__(
        self,
        checkpoint_dir: Path | None = None,
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "float32",
    ) -> None:
        import torch

        from vertseg.nets.checkpoint import load_checkpoint
        from vertseg.nets.outputs import with_outputs

        chosen = pick_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        self.precision = precision
        self._nets: dict[Task, Any] = {}
        metas: dict[Task, Meta] = {}
        for task in TASKS:
            path = weights_path(task, checkpoint_dir)
            net, meta = load_checkpoint(path)
            check_task(meta, task, path)
            self._nets[task] = with_outputs(net).to(chosen).eval()
            metas[task] = meta
        super().__init__(metas, chosen)

    def run(self, task: Task, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Outputs of a task's graph."""
        import torch

        dtype = getattr(torch, self.precision)
        with (
            torch.inference_mode(),
            torch.autocast(self.device, dtype=dtype, enabled=dtype != torch.float32),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            out = self._nets[task](*(torch.from_numpy(array).to(self.device) for array in inputs))
        return tuple(tensor.float().cpu().numpy() for tensor in out)


def pick_device(device: Device) -> str:
    """Name of the torch device: "cpu" or "cuda".

    Raises:
        DeviceError: CUDA was asked for and is not there.
    """
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise DeviceError(
            "A CUDA device was asked for and torch sees none; choose --device cpu or install a CUDA build of torch."
        )
    return "cuda" if device != "cpu" and available else "cpu"
