"""Both networks as ONNX files, whole or with their weights left in the checkpoint beside them."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch

from vertseg.errors import CheckpointError, ConfigError
from vertseg.inference.engines.base import INPUTS, OUTPUTS
from vertseg.inference.engines.graph_files import LAYOUT_KEY, WEIGHTS_KEY, layout_digest, weights_header
from vertseg.io.atomic import atomic_path
from vertseg.labels import (
    FINDINGS,
    LEAK_ROUTES,
    VERTEBRA_LEVELS,
    VISCOSITIES,
    LocateClass,
    Tissue,
    level_name,
)
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.meta import TASKS, Meta, Task, check_task, weights_path
from vertseg.nets.outputs import with_outputs

OPSET: Final = 20
_EXAMPLE_LOCATE: Final = 4
"""Edge of the example input, in units of the network's multiple."""

_NET_PREFIX: Final = "net."


def export_onnx(output: Path, checkpoint_dir: Path | None = None, linked: bool = False) -> dict[Task, Path]:
    """Write `locate.onnx` and `examine.onnx`, each with a copy of its JSON beside it.

    Both take any batch size; locate any size that is a multiple of its own (see the JSON's filters), examine its
    crop's. Inputs and outputs are those of `vertseg.nets.outputs`; labels, spacing, normalisation and crop stand
    in the file's metadata.

    Args:
        output: folder, made if it is not there.
        checkpoint_dir: folder of the weights; None takes the default ones.
        linked: leave the weights in the checkpoint's .safetensors, which must lie in `output` too: the graph then
            refers to their place in that file, and serves every checkpoint of its architecture.

    Raises:
        CheckpointError: the weights are absent, damaged or of another version.
        ConfigError: `linked` into another folder than the checkpoints'.
    """
    written: dict[Task, Path] = {}
    output.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        weights = weights_path(task, checkpoint_dir)
        if linked and weights.parent.resolve() != output.resolve():
            raise ConfigError(
                f"A linked graph lies beside its weights; write it to {weights.parent}, or export without --linked."
            )
        written[task] = _export(task, weights, output, linked)
    return written


def _export(task: Task, weights: Path, output: Path, linked: bool) -> Path:
    import onnx

    net, meta = load_checkpoint(weights)
    check_task(meta, task, weights)
    if linked:
        _unlike(net)
    model = trace(net, meta)
    for key, value in description(meta).items():
        _put(model, key, value)
    if linked:
        _link(model, weights)
    else:
        _put(model, WEIGHTS_KEY, meta.sha256)
    path = output / f"{task}.onnx"
    with atomic_path(path) as partial:
        onnx.save(model, partial)
        if not linked:
            onnx.checker.check_model(partial, full_check=True)
    beside = weights.with_suffix(".json")
    if beside.parent.resolve() != output.resolve():
        with atomic_path(output / beside.name) as partial:
            shutil.copyfile(beside, partial)
    return path


def trace(net: Any, meta: Meta) -> Any:
    """The network's graph as an onnx.ModelProto that holds its weights."""
    size = torch.export.Dim
    multiple = net.spec.multiple
    torch.manual_seed(0)
    if meta.task == "locate":
        edge = _EXAMPLE_LOCATE * multiple
        inputs: tuple[torch.Tensor, ...] = (torch.randn(2, 1, edge, edge, edge),)
        axes = {
            axis: multiple * size(f"blocks_{name}", min=1, max=128)
            for axis, name in ((2, "x"), (3, "y"), (4, "z"))
        }
        shapes: dict[str, Any] = {"image": {0: size("batch"), **axes}}
    else:
        inputs = (torch.randn(2, 2, *(meta.crop_shape or ())), torch.zeros(2, 3))
        shapes = {"image": {0: size("batch")}, "plan": {0: size("batch")}}
    program = torch.onnx.export(
        with_outputs(net).eval(),
        inputs,
        dynamo=True,
        input_names=list(INPUTS[meta.task]),
        output_names=list(OUTPUTS[meta.task]),
        dynamic_shapes=shapes,
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:
        raise CheckpointError(f"torch could not export the {meta.task} network.")
    model = program.model_proto
    del model.metadata_props[:]
    model.doc_string = f"vertseg {meta.task}"
    return model


def description(meta: Meta) -> dict[str, str]:
    """Metadata of an ONNX file: what a caller without vertseg needs to feed it and to read it."""
    levels = {n: level_name(n) for n in VERTEBRA_LEVELS}
    common = {
        "vertseg.task": meta.task,
        "vertseg.opset": str(OPSET),
        "vertseg.spacing_mm": json.dumps(meta.spacing_mm),
        "vertseg.normalisation": meta.normalisation,
        "vertseg.label_scheme": meta.label_scheme,
        "vertseg.axes": "N, C, X (right), Y (anterior), Z (superior)",
    }
    if meta.task == "locate":
        own = {
            "vertseg.tissue": json.dumps([c.name.lower() for c in LocateClass]),
            "vertseg.levels": json.dumps(levels),
        }
    else:
        own = {
            "vertseg.crop_shape": json.dumps(meta.crop_shape),
            "vertseg.tissue": json.dumps([c.name.lower() for c in Tissue]),
            "vertseg.findings": json.dumps(FINDINGS),
            "vertseg.leak_routes": json.dumps(LEAK_ROUTES),
            "vertseg.plan": json.dumps(["volume_ml", f"viscosity {VISCOSITIES}", "approach; NaN is unknown"]),
        }
    return {**common, **own}


def _unlike(net: Any) -> None:
    """Give every weight a value of its own: the exporter makes one of tensors that are alike, whatever their name."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)


def _put(model: Any, key: str, value: str) -> None:
    entry = model.metadata_props.add()
    entry.key, entry.value = key, value


def _link(model: Any, weights: Path) -> None:
    """Move every initializer that is a tensor of the checkpoint out of the graph, to its place in that file."""
    from onnx import TensorProto

    raw = weights_header(weights)
    header, behind = json.loads(raw), 8 + len(raw)
    moved: set[str] = set()
    for initializer in model.graph.initializer:
        name = initializer.name.removeprefix(_NET_PREFIX)
        entry = header.get(name)
        if entry is None or entry["dtype"] != "F32" or list(initializer.dims) != entry["shape"]:
            continue
        moved.add(name)
        start, stop = entry["data_offsets"]
        initializer.ClearField("raw_data")
        initializer.ClearField("float_data")
        initializer.data_location = TensorProto.EXTERNAL
        del initializer.external_data[:]
        place = {"location": weights.name, "offset": behind + start, "length": stop - start}
        for key, value in place.items():
            item = initializer.external_data.add()
            item.key, item.value = key, str(value)
    apart = [name for name in header if name != "__metadata__" and name not in moved]
    if apart:
        raise CheckpointError(
            f"These weights could not be linked: {', '.join(apart)}; export without --linked."
        )
    _put(model, LAYOUT_KEY, layout_digest(weights))
