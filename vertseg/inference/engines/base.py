"""The interface of an engine, and all of it that does not depend on what runs the graph."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import CheckpointError
from vertseg.inference.leak_risk import LeakRule, leak_risk
from vertseg.nets.meta import TASKS, Meta, Task
from vertseg.preprocess import CropSpec

Arrays = dict[str, NDArray[np.float32]]

OUTPUTS: Mapping[Task, tuple[str, ...]] = {
    "locate": ("tissue", "level", "offset_mm"),
    "examine": ("tissue", "findings", "leak_logits", "leak_oddness", "leak_features"),
}
"""Outputs of each graph in order, see `vertseg.nets.outputs`; graphs exported before it was one lack the last."""

INPUTS: Mapping[Task, tuple[str, ...]] = {"locate": ("image",), "examine": ("image", "plan")}


class Engine(Protocol):
    """Runs locate and examine.

    Attributes:
        name: of the engine, such as "openvino".
        locate_spacing_mm: spacing of the locate network's grid.
        locate_multiple: sizes of its input are multiples of this.
        crop: crop that the examine network takes.
        device: name of where it runs.
        checkpoints: task -> what its checkpoint says of itself, for the report.
    """

    name: str
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
            `leak_risk.leak_risk` gives: `leak` (N, 4), `any_leak`, `leak_confidence`, `leak_abstained` (N,);
            `leak_features` (N, D) where the graph gives them.
        """
        ...


class GraphEngine(ABC):
    """An engine whose graphs give `OUTPUTS`; subclasses only run them."""

    name: str

    def __init__(self, metas: Mapping[Task, Meta], device: str) -> None:
        examine = metas["examine"]
        if examine.crop_shape is None:
            raise CheckpointError(
                "The examine checkpoint does not say its crop shape; train or copy it again."
            )
        self.device = device
        self._leak_rule = LeakRule.of(examine.leak)
        self.locate_spacing_mm = float(metas["locate"].spacing_mm)
        self.locate_multiple = int(2 ** (len(metas["locate"].filters) - 1))
        self.crop = CropSpec(examine.crop_shape, float(examine.spacing_mm))
        self.checkpoints: dict[str, dict[str, object]] = {task: _described(metas[task]) for task in TASKS}

    @abstractmethod
    def run(self, task: Task, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Those of `OUTPUTS` that a task's graph has, in this order, for inputs in the order of `INPUTS`."""

    def locate(self, image: NDArray[np.float32]) -> Arrays:
        """Outputs for normalised windows, see `Engine.locate`."""
        return dict(zip(OUTPUTS["locate"], self.run("locate", image), strict=True))

    def examine(self, crops: NDArray[np.float32], plan: NDArray[np.float32]) -> Arrays:
        """Outputs for crops and plans, see `Engine.examine`."""
        out = dict(zip(OUTPUTS["examine"], self.run("examine", crops, plan), strict=False))
        logits, oddness = out.pop("leak_logits"), out.pop("leak_oddness")
        return {**out, **leak_risk(logits, oddness, self._leak_rule)}


def _described(meta: Meta) -> dict[str, Any]:
    """The part of a checkpoint's description that a report repeats."""
    return {
        "sha256": meta.sha256,
        "spacing_mm": meta.spacing_mm,
        "steps": meta.steps,
        "trained_on": dict(meta.trained_on),
    }
