"""Weights as safetensors with a JSON beside them that says what they are; pickles are never loaded."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor

from vertseg.errors import CheckpointError
from vertseg.io.atomic import atomic_path, write_text
from vertseg.nets.leak_head import LeakHead
from vertseg.nets.meta import Meta, load_meta
from vertseg.nets.unet import ExamineNet, LocateNet, NetSpec, build_network


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


def load_weights(net: LocateNet | ExamineNet, state: Mapping[str, Tensor]) -> bool:
    """Put weights into a network; those of a leak head of another build are left out, which leaves it untrained.

    Returns:
        Whether all were taken.

    Raises:
        RuntimeError: other weights do not fit.
    """
    own = net.state_dict()
    leak = {name for name in own if name.startswith("leak.")}
    given = {name for name in state if name.startswith("leak.")}
    alike = leak == given and all(own[name].shape == state[name].shape for name in leak)
    kept = {name: tensor for name, tensor in state.items() if alike or name not in given}
    net.load_state_dict(kept if alike else {**kept, **{name: own[name] for name in leak}})
    return alike


def _measures_gaps(state: Mapping[str, Tensor], meta: Meta) -> bool:
    """Whether the leak head was fitted with gaps in the walls among its features; older ones were not."""
    hidden = state.get("leak.hidden.weight")
    return hidden is None or hidden.shape[1] != LeakHead.feature_count(meta.filters, measures_gaps=False)


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
    try:
        state = load_tensors(content)
        net = build_network(NetSpec(meta.task, meta.filters, _measures_gaps(state, meta)))
        if not load_weights(net, state):
            # The calibration of a head that is not there would give risks to the untrained one.
            meta = dataclasses.replace(meta, leak={})
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit this vertseg's {meta.task} network ({reason}).") from None
    return net.eval(), meta
