"""From composed labels to the values of `Findings`."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np

import vertseg
from vertseg.inference.compose import Composed
from vertseg.inference.engines import Engine
from vertseg.inference.examine import Examined
from vertseg.inference.findings import Provenance, VertebraFindings
from vertseg.inference.options import PredictOptions
from vertseg.inference.postprocess import Column
from vertseg.io import Scan
from vertseg.labels import FINDINGS, SACRUM, Tissue, level_name
from vertseg.planning.measures import measure
from vertseg.volume import Volume, restore

_VERSIONED = ("torch", "monai", "openvino", "onnxruntime", "numpy", "scipy", "nibabel")


def found(composed: Composed, index: int, crop: Examined) -> VertebraFindings:
    """What is known of the vertebra `index` of a composed scan."""
    vertebra = crop.vertebra
    tissue, masks = composed.part(index, vertebra.level)
    body = np.argwhere(tissue.array == Tissue.BODY)
    centre = tissue.grid.world(body.mean(axis=0)) if body.size else vertebra.centroid_mm
    return VertebraFindings(
        level=vertebra.level,
        confidence=vertebra.confidence,
        centroid_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        axes=vertebra.axes,
        cut_by_field=vertebra.cut_by_field,
        measures=measure(tissue, masks, centre, vertebra.axes),
        leak=crop.leak,
        leak_confidence=crop.leak_confidence,
        leak_abstained=crop.leak_abstained,
        leak_features=crop.leak_features,
        inferred=vertebra.inferred,
    )


def restored(composed: Composed, scan: Scan) -> tuple[Volume, Volume, dict[str, Volume]]:
    """Levels, tissue and findings in the voxels' order of the scan as it was stored; views."""
    affine = composed.grid.affine
    levels = restore(Volume(composed.levels, affine), scan.source, copy=False)
    tissue = restore(Volume(composed.tissue, affine), scan.source, copy=False)
    masks = {
        name: restore(Volume(composed.masks[i].view(np.uint8), affine), scan.source, copy=False)
        for i, name in enumerate(FINDINGS)
    }
    return levels, tissue, masks


def restored_probabilities(composed: Composed, scan: Scan) -> dict[str, Volume] | None:
    """Probabilities of the findings in the order of the stored scan; None where they were not kept."""
    if composed.probabilities is None:
        return None
    affine = composed.grid.affine
    return {
        name: restore(Volume(composed.probabilities[i], affine), scan.source)
        for i, name in enumerate(FINDINGS)
    }


def column_warnings(column: Column, options: PredictOptions) -> list[str]:
    """Sentences on what the column lacks of what was asked for."""
    sentences = []
    if not column.vertebrae:
        sentences.append("No vertebra was found; check that the scan is a CT that shows the spine.")
    elif options.levels is not None:
        seen = {v.level for v in column.vertebrae} | ({SACRUM} if column.sacrum is not None else set())
        absent = [level_name(n) for n in options.levels if n not in seen]
        if absent:
            found = ", ".join(v.name for v in column.vertebrae)
            sentences.append(f"{', '.join(absent)} not found in this scan; it shows {found}.")
    return sentences


def provenance(scan: Scan, engine: Engine) -> Provenance:
    """What a prediction is made from and with."""
    versions = {"vertseg": vertseg.__version__}
    for package in _VERSIONED:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Provenance(
        scan=str(scan.path),
        scan_sha256=scan.sha256,
        description=dict(scan.description),
        checkpoints=engine.checkpoints,
        versions=versions,
        device=engine.device,
        engine=engine.name,
    )
