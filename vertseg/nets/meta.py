"""What a checkpoint's JSON says of its weights; read without loading any network library."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import vertseg
from vertseg.errors import CheckpointError
from vertseg.preprocess import NORMALISATION

Task = Literal["locate", "examine"]
TASKS: Final[tuple[Task, ...]] = ("locate", "examine")

FORMAT_VERSION: Final = 1
LABEL_SCHEME: Final = "verse-2020"
_FOLDER: Final = "checkpoints"


@dataclass(frozen=True)
class Meta:
    """What a checkpoint's JSON says.

    Attributes:
        task: "locate" or "examine".
        filters: feature channels of the U-Net.
        spacing_mm: edge of the voxels it was trained on.
        crop_shape: (X, Y, Z) of the examine network's crop; None for locate, which takes any size.
        trained_on: seed ranges and sets.
        steps: optimiser steps.
        metrics: last validation figures.
        git_commit: commit of the training code, "" if unknown.
        normalisation: name of the intensity mapping (`preprocess.NORMALISATION`).
        label_scheme: numbering of levels.
        sha256: digest of the weights file.
        leak: of the examine network's leak head, what it was fitted to, its figures and the "rule" by which its
            logits become risks (`inference.leak_risk.LeakRule`); empty where the head is untrained or not calibrated.
    """

    task: Task
    filters: tuple[int, ...]
    spacing_mm: float
    crop_shape: tuple[int, int, int] | None = None
    trained_on: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    git_commit: str = ""
    normalisation: str = NORMALISATION
    label_scheme: str = LABEL_SCHEME
    sha256: str = ""
    leak: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the format."""
        fields = dataclasses.asdict(self)
        architecture = {"filters": list(fields.pop("filters"))}
        return {"format_version": FORMAT_VERSION, "architecture": architecture, **fields}


def default_checkpoint(task: Task) -> Path:
    """Path of the checkpoint that ships with vertseg, in the package or beside it in a source checkout.

    Raises:
        CheckpointError: it is in neither place.
    """
    package = Path(vertseg.__file__).parent
    for folder in (package / _FOLDER, package.parent / _FOLDER):
        path = folder / f"{task}.safetensors"
        if path.exists():
            return path
    raise CheckpointError(
        f"The default checkpoint {task}.safetensors is not installed; name a folder that holds one, or train it."
    )


def weights_path(task: Task, folder: Path | None = None) -> Path:
    """The .safetensors of a task in a folder of checkpoints; None takes the one that ships with vertseg.

    Raises:
        CheckpointError: that one is not installed.
    """
    return default_checkpoint(task) if folder is None else folder / f"{task}.safetensors"


def check_task(meta: Meta, task: Task, weights: Path) -> None:
    """Refuse weights of the other task.

    Raises:
        CheckpointError: they are.
    """
    if meta.task != task:
        raise CheckpointError(
            f"'{weights}' holds the {meta.task} network, not {task}; name the right folder."
        )


def load_meta(path: Path) -> Meta:
    """Description of the checkpoint at `path` (its .safetensors).

    Raises:
        CheckpointError: the JSON is absent, damaged or of another version.
    """
    beside = path.with_suffix(".json")
    try:
        content = json.loads(beside.read_text())
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} has no {beside.name} beside it; a checkpoint is both files, copy both."
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{beside} cannot be read ({error}); copy or train the checkpoint again."
        ) from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{beside} is of format version {version}; this vertseg reads version {FORMAT_VERSION}. "
            "Use the checkpoint of your vertseg version, or another vertseg version."
        )
    return _meta_from(content, beside)


def _meta_from(content: dict[str, Any], beside: Path) -> Meta:
    fields = {key: value for key, value in content.items() if key not in ("format_version", "architecture")}
    try:
        fields["filters"] = tuple(int(n) for n in content["architecture"]["filters"])
        if fields.get("crop_shape") is not None:
            fields["crop_shape"] = tuple(int(n) for n in fields["crop_shape"])
        meta = Meta(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{beside} is damaged ({error}); copy or train the checkpoint again.") from None
    if meta.task not in ("locate", "examine") or meta.label_scheme != LABEL_SCHEME:
        raise CheckpointError(
            f"{beside} describes task '{meta.task}' with labels '{meta.label_scheme}', which are not known here."
        )
    if meta.normalisation != NORMALISATION:
        raise CheckpointError(
            f"{beside} expects the normalisation '{meta.normalisation}', this vertseg has '{NORMALISATION}'; "
            "use the vertseg version that it was trained with."
        )
    return meta
