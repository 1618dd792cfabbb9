"""A phantom scan as files: the CT, its label maps beside it, and the truth per vertebra as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from vertseg.io.atomic import write_text
from vertseg.io.nifti import write_nifti
from vertseg.labels import level_name
from vertseg.phantom.types import PhantomScan, PhantomVertebra
from vertseg.volume import Volume

_MEASURED: Final = {"lytic_ml": "lytic_lesion", "sclerotic_ml": "sclerotic_lesion"}


def label_path(image: Path, name: str) -> Path:
    """Where a label map lies beside its image: `scan.nii.gz` -> `scan_level.nii.gz`."""
    ending = ".nii.gz" if image.name.endswith(".nii.gz") else ".nii"
    return image.with_name(f"{image.name.removesuffix(ending)}_{name}{ending}")


def truth_path(image: Path) -> Path:
    """Where the truth lies beside its image: `scan.nii.gz` -> `scan.json`."""
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def write_scan(scan: PhantomScan, image: Path, injections: Mapping[int, Any] | None = None) -> None:
    """Write CT (int16), `_level`, `_tissue` and finding maps, and `.json` with the truth per vertebra.

    Args:
        scan: what to write.
        image: the CT's name, ending in .nii or .nii.gz.
        injections: plain values to note under "injection" of some levels' truth.

    Raises:
        OutputError: the file system refused.
    """
    maps = {"level": scan.level, "tissue": scan.tissue, **scan.findings}
    for name, volume in maps.items():
        write_nifti(label_path(image, name), volume)
    records = [vertebra_record(scan, v) for v in scan.vertebrae]
    for vertebra, record in zip(scan.vertebrae, records, strict=True):
        if injections and vertebra.level in injections:
            record["injection"] = injections[vertebra.level]
    truth = {"seed": scan.seed, "vertebrae": records}
    write_text(truth_path(image), json.dumps(truth, indent=1) + "\n")
    write_nifti(image, Volume(np.rint(scan.hu.array).astype(np.int16), scan.hu.affine))


def vertebra_record(scan: PhantomScan, vertebra: PhantomVertebra) -> dict[str, Any]:
    """Truth of one vertebra as plain values: level, pose (mm, world RAS), measures and pathology."""
    record = {name: _plain(value) for name, value in asdict(vertebra).items()}
    return {**record, "level": level_name(vertebra.level), "pathology": pathology(scan, vertebra)}


def pathology(scan: PhantomScan, vertebra: PhantomVertebra) -> dict[str, float]:
    """What is wrong with a vertebra, by name: share of height lost, mm2 of a wall defect, ml of all else.

    Volumes are those of the truth's measures in ml, and of the finding masks that no measure tells of.
    """
    found = {"fracture": vertebra.height_loss, "posterior_wall_defect": vertebra.wall_defect_mm2}
    for name, amount in asdict(vertebra).items():
        if name.endswith("_ml"):
            found[_MEASURED.get(name, name.removesuffix("_ml"))] = amount
    mine = scan.level.array == vertebra.level
    for name, mask in scan.findings.items():
        if name not in found:
            found[name] = float((mask.array[mine] > 0).sum()) * mask.grid.voxel_volume_mm3 / 1000.0
    return {name: round(amount, 4) for name, amount in found.items() if amount > 0}


def _plain(value: Any) -> Any:
    """A value as JSON holds it, numbers to four decimals."""
    if isinstance(value, np.ndarray):
        return np.round(value, 4).tolist()
    if isinstance(value, dict):
        return {str(name): _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value
