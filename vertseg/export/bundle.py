"""A MONAI bundle: metadata, inference configuration and weights, for `monai.bundle` and MONAI Deploy.

Layout and keys after the MONAI bundle specification
(https://docs.monai.io/en/latest/mb_specification.html): `configs/metadata.json`, `configs/inference.json`,
`models/`, `docs/`.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

import vertseg
from vertseg.errors import OutputError
from vertseg.io.atomic import atomic_path, write_text
from vertseg.labels import LocateClass
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.meta import TASKS, Meta, Task, weights_path
from vertseg.preprocess import NORMALISATION

NAME: Final = "vertseg_spine_ct"
_SCHEMA: Final = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_STATE: Final[dict[Task, str]] = {"locate": "model.pt", "examine": "examine.pt"}
"""Files of the state dicts; `monai.bundle.load` looks for `network_def` under the first name."""

_USE: Final = "Research only: not a medical device. Leak risks were learned from simulated injections."


def export_bundle(output: Path, checkpoint_dir: Path | None = None) -> Path:
    """Write the bundle `vertseg_spine_ct` into a folder; returns its path.

    `python -m monai.bundle run --config_file configs/inference.json --dataset_dir SCANS --output_dir OUT` runs the
    whole path on every scan of a folder. `network_def` is the locate network, `examine_def` the examine network; their
    weights are plain state dicts (`torch.load(..., weights_only=True)`), and the .safetensors lie beside them.

    Args:
        output: folder in which the bundle's folder is made.
        checkpoint_dir: folder of the weights; None takes the default ones.

    Raises:
        CheckpointError: the weights are absent, damaged or of another version.
        OutputError: the bundle is there already.
    """
    bundle = output / NAME
    if bundle.exists():
        raise OutputError(f"{bundle} is there already; choose another --output or remove it.")
    partial = output / f".partial-{NAME}"
    shutil.rmtree(partial, ignore_errors=True)
    metas: dict[Task, Meta] = {}
    for task in TASKS:
        weights = weights_path(task, checkpoint_dir)
        net, metas[task] = load_checkpoint(weights)
        with atomic_path(partial / "models" / _STATE[task]) as path:
            torch.save(net.state_dict(), path)
        for ending in (".safetensors", ".json"):
            with atomic_path(partial / "models" / f"{task}{ending}") as path:
                shutil.copyfile(weights.with_suffix(ending), path)
    write_text(partial / "configs" / "metadata.json", json.dumps(metadata(metas["locate"]), indent=1) + "\n")
    write_text(partial / "configs" / "inference.json", json.dumps(inference(metas), indent=1) + "\n")
    write_text(partial / "docs" / "README.md", _readme(metas))
    partial.rename(bundle)
    return bundle


def metadata(locate: Meta) -> dict[str, Any]:
    """`metadata.json`: what the locate network takes and gives."""
    image = {
        "type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1,
        "spatial_shape": [f"{2 ** (len(locate.filters) - 1)}*n"] * 3, "dtype": "float32", "value_range": [-1, 2],
        "is_patch_data": True, "channel_def": {"0": f"CT at {locate.spacing_mm} mm, RAS, {NORMALISATION}"},
    }  # fmt: skip
    tissue = {
        "type": "probabilities", "format": "segmentation", "num_channels": len(LocateClass),
        "spatial_shape": image["spatial_shape"], "dtype": "float32", "value_range": [0, 1], "is_patch_data": True,
        "channel_def": {str(c.value): c.name.lower() for c in LocateClass},
    }  # fmt: skip
    return {
        "schema": _SCHEMA,
        "version": vertseg.__version__,
        "changelog": {vertseg.__version__: "exported by vertseg export bundle"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"vertseg": vertseg.__version__, "nibabel": version("nibabel")},
        "name": NAME,
        "task": "Vertebrae, their levels, lytic lesions, posterior-wall defects and cement leak risk on spine CT",
        "description": "The whole path of vertseg: locate at 3 mm, then one upright crop per vertebra.",
        "authors": "the vertseg authors",
        "copyright": "Apache-2.0",
        "intended_use": _USE,
        "data_source": json.dumps(dict(locate.trained_on)),
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": tissue}},
    }


def inference(metas: dict[Task, Meta]) -> dict[str, Any]:
    """`inference.json`: the networks, and the whole path over a folder of scans."""
    return {
        "imports": ["$from pathlib import Path", "$import torch"],
        "bundle_root": ".",
        "device": "$'cuda' if torch.cuda.is_available() else 'cpu'",
        "dataset_dir": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "network_def": _network("locate", metas["locate"]),
        "examine_def": _network("examine", metas["examine"]),
        "inferer": {
            "_target_": "vertseg.inference.options.PredictOptions",
            "checkpoint_dir": "$Path(@bundle_root + '/models')",
            "device": "@device",
            "engine": "torch",
        },
        "dataset": "$sorted(p for p in Path(@dataset_dir).iterdir() if p.name.endswith(('.nii', '.nii.gz', '.zip')))",
        "evaluator": {
            "_target_": "vertseg.export.bundle.FolderPrediction",
            "scans": "@dataset",
            "output": "$Path(@output_dir)",
            "options": "@inferer",
        },
        "initialize": [],
        "run": ["$@evaluator.run()"],
    }


def _network(task: Task, meta: Meta) -> dict[str, Any]:
    spec = {"_target_": "vertseg.nets.unet.NetSpec", "task": task, "filters": list(meta.filters)}
    return {"_target_": "vertseg.nets.unet.build_network", "spec": spec}


class FolderPrediction:
    """Runs the whole path on scans, a folder of results for each; what `inference.json` runs."""

    def __init__(self, scans: list[Path], output: Path, options: Any) -> None:
        self._scans = scans
        self._output = output
        self._options = options

    def run(self) -> None:
        """Predict every scan and write its results."""
        from vertseg.inference.pipeline import predict
        from vertseg.io import read_scan
        from vertseg.report.writer import write_outputs

        for path in self._scans:
            scan = read_scan(path)
            findings = predict(scan, options=self._options)
            write_outputs(findings, scan.volume, self._output / path.name.partition(".")[0])


def _readme(metas: dict[Task, Meta]) -> str:
    steps = ", ".join(f"{task} {meta.steps} steps" for task, meta in metas.items())
    return (
        f"# {NAME}\n\nvertseg {vertseg.__version__} ({steps}). {_USE}\n\n"
        "    pip install 'vertseg[torch]'\n"
        "    python -m monai.bundle run --bundle_root . --meta_file configs/metadata.json "
        "--config_file configs/inference.json --dataset_dir SCANS --output_dir OUT\n"
    )
