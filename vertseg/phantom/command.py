"""`vertseg phantom scan`: render a spine CT with all its labels into a folder."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vertseg.errors import ConfigError, DeviceError
from vertseg.labels import level_name

if TYPE_CHECKING:
    from vertseg.phantom.types import PhantomScan, PhantomVertebra, ScanConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg phantom`."""
    commands = parser.add_subparsers(dest="phantom_command", metavar="COMMAND", required=True)
    scan = commands.add_parser("scan", help="render one scan with its labels")
    scan.add_argument(
        "output", type=Path, metavar="OUT.nii.gz", help="the CT; labels and truth lie beside it"
    )
    scan.add_argument("--seed", type=int, default=0, help="the patient; the same seed gives the same scan")
    scan.add_argument("--field", choices=("lumbar", "thoracic", "whole", "random"), default="lumbar")
    scan.add_argument(
        "--spacing", metavar="X,Y,Z", help="voxel spacing in mm; drawn as a clinic has if left out"
    )
    scan.add_argument(
        "--case", choices=("random", "demo"), default="random",
        help="demo: L1 collapsed, L3 with a lytic lesion and a broken posterior wall",
    )  # fmt: skip
    scan.add_argument("--healthy", action="store_true", help="no pathology")
    scan.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def run(options: argparse.Namespace) -> int:
    """Render and write; 0 on success.

    Raises:
        ConfigError: an option that cannot be.
        DeviceError: cuda was asked for and is absent.
    """
    config = _config(options)
    if not str(options.output).endswith((".nii", ".nii.gz")):
        raise ConfigError(f"'{options.output}' must end in .nii or .nii.gz.")
    from vertseg.phantom.render import render_scan

    scan = render_scan(options.seed, config)
    write_scan(scan, options.output)
    names = ", ".join(level_name(v.level) for v in scan.vertebrae)
    print(f"{options.output}: {' x '.join(map(str, scan.hu.array.shape))} voxels, {names}")
    return 0


def _config(options: argparse.Namespace) -> "ScanConfig":
    if options.seed < 0:
        raise ConfigError("--seed must be 0 or more.")
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DeviceError(
                "CUDA was asked for, but torch finds no GPU; leave --device out to use the CPU."
            )
    from vertseg.phantom.types import ScanConfig

    return ScanConfig(
        field=options.field,
        spacing_mm=_spacing(options.spacing),
        pathology=0.0 if options.healthy else 1.0,
        case=options.case,
        device=options.device,
    )


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--spacing '{text}' is not three numbers; write it like --spacing 1,1,2."
        ) from None
    if not all(0.3 <= s <= 10 for s in (x, y, z)):
        raise ConfigError(f"--spacing '{text}' must lie between 0.3 and 10 mm.")
    return x, y, z


def label_path(image: Path, name: str) -> Path:
    """Where a label map lies beside its image: `scan.nii.gz` -> `scan_level.nii.gz`."""
    ending = ".nii.gz" if image.name.endswith(".nii.gz") else ".nii"
    return image.with_name(f"{image.name.removesuffix(ending)}_{name}{ending}")


def write_scan(scan: "PhantomScan", image: Path) -> None:
    """Write CT (int16), `_level`, `_tissue` and finding maps, and `.json` with the truth per vertebra."""
    from vertseg.io.atomic import write_text
    from vertseg.io.nifti import write_nifti
    from vertseg.volume import Volume

    maps = {"level": scan.level, "tissue": scan.tissue, **scan.findings}
    for name, volume in maps.items():
        write_nifti(label_path(image, name), volume)
    truth = {"seed": scan.seed, "vertebrae": [_record(v) for v in scan.vertebrae]}
    write_text(image.with_name(image.name.split(".nii")[0] + ".json"), json.dumps(truth, indent=1))
    write_nifti(image, Volume(np.rint(scan.hu.array).astype(np.int16), scan.hu.affine))


def _record(vertebra: "PhantomVertebra") -> dict[str, Any]:
    record = {"level": level_name(vertebra.level)}
    for key, value in asdict(vertebra).items():
        if key != "level":
            record[key] = np.round(value, 4).tolist() if isinstance(value, np.ndarray) else round(value, 4)
    return record
