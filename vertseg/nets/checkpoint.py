"""Weights as safetensors with a JSON beside them that says what they are; pickles are never loaded."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor

import vertseg
from vertseg.errors import CheckpointError
from vertseg.io.atomic import atomic_path, write_text
from vertseg.nets.unet import ExamineNet, LocateNet, NetSpec, Task, build_network
from vertseg.preprocess import NORMALISATION

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


def save_checkpoint(stem: Path, state: Mapping[str, Tensor], meta: Meta) -> Path:
    """Write `stem`.safetensors and `stem`.json, each whole or not at all; returns the weights' path.

    Args:
        stem: path without suffix; its folder is made.
        state: the network's state dict.
        meta: its description; `sha256` is filled in.
    """
    weights = serialise_tensors({name: t.detach().cpu().contiguous() for name, t in state.items()})
    described = dataclasses.replace(meta, sha256=hashlib.sha256(weights).hexdigest())
    text = json.dumps(described.to_json(), indent=1, sort_keys=True) + "\n"
    path = stem.with_name(stem.name + ".safetensors")
    with atomic_path(path) as partial:
        partial.write_bytes(weights)
    write_text(path.with_suffix(".json"), text)
    return path


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


def load_weights(net: LocateNet | ExamineNet, state: Mapping[str, Tensor]) -> None:
    """Put weights into a network; those of a leak head of another build are left out, which leaves it untrained.

    Raises:
        RuntimeError: other weights do not fit.
    """
    own = net.state_dict()
    leak = {name for name in own if name.startswith("leak.")}
    given = {name for name in state if name.startswith("leak.")}
    alike = leak == given and all(own[name].shape == state[name].shape for name in leak)
    kept = {name: tensor for name, tensor in state.items() if alike or name not in given}
    net.load_state_dict(kept if alike else {**kept, **{name: own[name] for name in leak}})


def load_checkpoint(path: Path) -> tuple[LocateNet | ExamineNet, Meta]:
    """The network in evaluation mode with its weights, on the CPU, and its description.

    Raises:
        CheckpointError: a file is absent, damaged, or of another version.
    """
    if not path.exists():
        raise CheckpointError(
            f"{path} does not exist; name a folder with locate and examine .safetensors files."
        )
    meta = load_meta(path)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != meta.sha256:
        raise CheckpointError(
            f"{path} is not the file its JSON describes (sha256 differs); copy both files again."
        )
    net = build_network(NetSpec(meta.task, meta.filters))
    try:
        load_weights(net, load_tensors(content))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit this vertseg's {meta.task} network ({reason}).") from None
    return net.eval(), meta
