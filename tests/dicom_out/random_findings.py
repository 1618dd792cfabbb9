"""Findings with every voxel drawn by lot, so that a mirrored or shifted frame cannot go unseen."""

import numpy as np

from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.io import Scan
from vertseg.labels import FINDINGS
from vertseg.planning.measures import Measures
from vertseg.volume import Volume, restore

LEVELS = (19, 20, 25)


def vertebra(level: int, **changes: object) -> VertebraFindings:
    """A vertebra with known numbers."""
    values: dict[str, object] = {
        "level": level,
        "confidence": 0.9,
        "centroid_mm": (1.0, 2.0, 3.0),
        "axes": np.eye(3),
        "cut_by_field": level == LEVELS[0],
        "measures": Measures(40.5, 30.25, 10.25, 3.5, 0.0, 0.0, 0.125, 42.0, 24.0, 22.0, None),
        "leak": {"B": 0.1, "S": 0.2, "C": 0.3, "D": 0.4, "any": 0.7},
        "leak_confidence": 0.8,
        "leak_abstained": False,
        **changes,
    }
    return VertebraFindings(**values)  # type: ignore[arg-type]


def random_findings(scan: Scan, seed: int = 5, **changes: object) -> Findings:
    """Random levels, tissue and overlapping findings on the scan's stored grid; the last two slices are empty."""
    rng = np.random.default_rng(seed)
    source = restore(scan.volume, scan.source)
    shape = source.array.shape
    levels = rng.choice([0, *LEVELS, 26], shape, p=[0.5, 0.15, 0.15, 0.1, 0.1]).astype(np.uint8)
    levels[:, :, -2:] = 0
    tissue = np.where((levels > 0) & (levels != 26), rng.integers(1, 3, shape), 0).astype(np.uint8)
    masks = {name: (rng.random(shape) < 0.2).astype(np.uint8) for name in FINDINGS}
    masks["cement"][:] = 0
    for mask in masks.values():
        mask[levels == 0] = 0
    masks["cement"][3:5, 4:9, 2:8] = 1
    return Findings(
        levels=Volume(levels, source.affine),
        tissue=Volume(tissue, source.affine),
        masks={name: Volume(mask, source.affine) for name, mask in masks.items()},
        vertebrae=tuple(vertebra(n, **changes) for n in LEVELS),
        seconds={},
        provenance=Provenance(
            str(scan.path), scan.sha256, {}, {"locate": {"sha256": "ab" * 32}}, {}, "cpu", "oracle"
        ),
        warnings=("L3 was not looked at.",),
    )
