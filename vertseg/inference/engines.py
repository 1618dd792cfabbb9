"""What runs the two networks: numpy arrays go in, probabilities come out."""

from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import CheckpointError, DeviceError
from vertseg.inference.leak_risk import LeakRule, leak_risk
from vertseg.inference.options import Device
from vertseg.preprocess import CropSpec

Arrays = dict[str, NDArray[np.float32]]


class Engine(Protocol):
    """Runs locate and examine.

    Attributes:
        locate_spacing_mm: spacing of the locate network's grid.
        locate_multiple: sizes of its input are multiples of this.
        crop: crop that the examine network takes.
        device: name of where it runs.
        checkpoints: task -> what its checkpoint says of itself, for the report.
    """

    locate_spacing_mm: float
    locate_multiple: int
    crop: CropSpec
    device: str
    checkpoints: dict[str, dict[str, object]]

    def locate(self, image: NDArray[np.float32]) -> Arrays:
        """Outputs for normalised windows (N, 1, X, Y, Z).

        Returns:
            `tissue` (N, 5, X, Y, Z) and `level` (N, 29, X, Y, Z) probabilities, `offset_mm` (N, 3, X, Y, Z).
        """
        ...

    def examine(self, crops: NDArray[np.float32], plan: NDArray[np.float32]) -> Arrays:
        """Outputs for crops (N, 2, X, Y, Z) and plans (N, 3).

        Returns:
            `tissue` (N, 3, X, Y, Z) and `findings` (N, 4, X, Y, Z) probabilities, and what
            `leak_risk.leak_risk` gives: `leak` (N, 4), `any_leak`, `leak_confidence`, `leak_abstained` (N,).
        """
        ...


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


class TorchEngine:
    """The two networks in torch, float32, on one device.

    Args:
        checkpoint_dir: folder with `locate.safetensors` and `examine.safetensors`; None takes the default ones.
        device: where to run.
        threads: CPU threads, None for torch's own choice.

    Raises:
        CheckpointError: a checkpoint is absent, damaged or of another version.
        DeviceError: CUDA was asked for and is not there.
    """

    def __init__(
        self, checkpoint_dir: Path | None = None, device: Device = "auto", threads: int | None = None
    ) -> None:
        import torch

        from vertseg.nets.checkpoint import Meta, default_checkpoint, load_checkpoint

        self.device = pick_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        self._nets: dict[str, Any] = {}
        self.checkpoints: dict[str, dict[str, object]] = {}
        metas: dict[str, Meta] = {}
        tasks: tuple[Literal["locate", "examine"], ...] = ("locate", "examine")
        for task in tasks:
            path = (
                default_checkpoint(task) if checkpoint_dir is None else checkpoint_dir / f"{task}.safetensors"
            )
            net, meta = load_checkpoint(path)
            if meta.task != task:
                raise CheckpointError(
                    f"'{path}' holds the {meta.task} network, not {task}; name the right folder."
                )
            self._nets[task] = net.to(self.device).eval()
            metas[task] = meta
            self.checkpoints[task] = _described(meta)
        self._leak_rule = LeakRule.of(metas["examine"].leak)
        self.locate_spacing_mm = float(metas["locate"].spacing_mm)
        self.locate_multiple = int(self._nets["locate"].spec.multiple)
        shape = metas["examine"].crop_shape
        if shape is None:
            raise CheckpointError(
                "The examine checkpoint does not say its crop shape; train or copy it again."
            )
        self.crop = CropSpec(shape, float(metas["examine"].spacing_mm))

    def locate(self, image: NDArray[np.float32]) -> Arrays:
        """Outputs for normalised windows, see `Engine.locate`."""
        import torch

        from vertseg.nets.unet import OFFSET_SCALE_MM

        with torch.inference_mode():
            out = self._nets["locate"](torch.from_numpy(image).to(self.device))
            return {
                "tissue": out["tissue"].softmax(1).cpu().numpy(),
                "level": out["level"].softmax(1).cpu().numpy(),
                "offset_mm": (out["offset"] * OFFSET_SCALE_MM).cpu().numpy(),
            }

    def examine(self, crops: NDArray[np.float32], plan: NDArray[np.float32]) -> Arrays:
        """Outputs for crops and plans, see `Engine.examine`."""
        import torch

        with torch.inference_mode():
            x, p = torch.from_numpy(crops).to(self.device), torch.from_numpy(plan).to(self.device)
            out = self._nets["examine"](x, p)
            return {
                "tissue": out["tissue"].softmax(1).cpu().numpy(),
                "findings": out["findings"].sigmoid().cpu().numpy(),
                **leak_risk(out["leak"].cpu().numpy(), out["leak_oddness"].cpu().numpy(), self._leak_rule),
            }


def _described(meta: Any) -> dict[str, object]:
    """The part of a checkpoint's description that a report repeats."""
    return {
        "sha256": meta.sha256,
        "spacing_mm": meta.spacing_mm,
        "steps": meta.steps,
        "trained_on": dict(meta.trained_on),
    }
