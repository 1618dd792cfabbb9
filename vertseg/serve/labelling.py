"""A job's masks as the label maps that MONAI Label's clients ask for: the models, their labels and colours."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from vertseg.labels import (
    COLUMN_ORDER,
    FINDING_COLOURS,
    FINDINGS,
    LEVEL_NAMES,
    SACRUM,
    TISSUE_COLOURS,
    VERTEBRA_LEVELS,
    Tissue,
    level_colour,
)
from vertseg.serve.nrrd import Segment
from vertseg.volume import Volume


@dataclass(frozen=True)
class LabelModel:
    """What one "model" of MONAI Label gives.

    Attributes:
        description: for the person who chooses.
        segments: number in the label map -> its name and colour.
        read: the label map from a folder of results.
    """

    description: str
    segments: dict[int, Segment]
    read: Callable[[Path], Volume]

    @property
    def labels(self) -> dict[str, int]:
        """Name -> number."""
        return {segment.name: number for number, segment in self.segments.items()}


def _volume(path: Path) -> Volume:
    image: Any = nib.load(path)
    return Volume(np.asarray(image.dataobj, dtype=np.uint8), image.affine)


def _levels(results: Path) -> Volume:
    return _volume(results / "levels.nii.gz")


def _tissue(results: Path) -> Volume:
    return _volume(results / "tissue.nii.gz")


def _findings(results: Path) -> Volume:
    """All findings in one map; where they overlap the one that comes later in `FINDINGS` is seen."""
    merged: NDArray[np.uint8] | None = None
    for number, name in enumerate(FINDINGS, start=1):
        mask = _volume(results / f"{name}.nii.gz")
        merged = np.zeros_like(mask.array) if merged is None else merged
        merged[mask.array > 0] = number
    assert merged is not None
    return mask.with_array(merged)


def _level_segments() -> dict[int, Segment]:
    shown = [n for n in COLUMN_ORDER if n in VERTEBRA_LEVELS or n == SACRUM]
    return {n: Segment(LEVEL_NAMES[n], level_colour(n)) for n in shown}


MODELS: Final[dict[str, LabelModel]] = {
    "vertebrae": LabelModel("Every vertebra with its level, and the sacrum", _level_segments(), _levels),
    "findings": LabelModel(
        "Lytic and sclerotic lesions, defects of the posterior wall, cement",
        {i: Segment(name, FINDING_COLOURS[name]) for i, name in enumerate(FINDINGS, start=1)},
        _findings,
    ),
    "tissue": LabelModel(
        "Bodies and posterior elements",
        {
            int(Tissue.BODY): Segment("body", TISSUE_COLOURS[Tissue.BODY]),
            int(Tissue.POSTERIOR): Segment("posterior_elements", TISSUE_COLOURS[Tissue.POSTERIOR]),
        },
        _tissue,
    ),
}
"""Names as clients see them. All come from one prediction."""


def present(volume: Volume, model: LabelModel) -> dict[str, int]:
    """Name -> number of the labels that the map holds, by number.

    3D Slicer gives the k-th number that it finds in a label map the k-th name, so absent labels must not be named.
    """
    numbers = {int(n) for n in np.unique(volume.array)}
    return {s.name: n for n, s in sorted(model.segments.items()) if n in numbers}
