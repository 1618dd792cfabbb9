"""Which segments a prediction has, what they are called and coded as, and their masks on a slice.

One segment per vertebra (and sacrum), two for the parts of all vertebrae, and one per vertebra for each finding.
Segments overlap, so they are stored as BINARY; a LABELMAP (PS3.3 A.51, 2024) cannot hold overlapping ones, and few
viewers read it yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import Findings
from vertseg.labels import (
    ANATOMY,
    COLUMN_ORDER,
    FINDING_CODES,
    FINDING_COLOURS,
    FINDINGS,
    TISSUE_CODES,
    TISSUE_COLOURS,
    VERTEBRA,
    Code,
    Tissue,
    level_code,
    level_colour,
    level_name,
)

Kind = Literal["level", "tissue", "lytic_lesion", "sclerotic_lesion", "posterior_wall_defect", "cement"]

_TISSUE_NAMES: Final = {Tissue.BODY: "vertebral bodies", Tissue.POSTERIOR: "posterior elements"}


@dataclass(frozen=True)
class Segment:
    """One segment of a prediction.

    Attributes:
        number: from 1, as DICOM counts them.
        kind: "level", "tissue" or the name of a finding.
        value: level number (0 for a finding outside of all vertebrae), or tissue number.
        slices: where it has voxels, ascending.
    """

    number: int
    kind: Kind
    value: int
    slices: tuple[int, ...]

    @property
    def name(self) -> str:
        """Such as "L1", "vertebral bodies" or "L1 lytic lesion"."""
        if self.kind == "level":
            return level_name(self.value)
        if self.kind == "tissue":
            return _TISSUE_NAMES[Tissue(self.value)]
        finding = self.kind.replace("_", " ")
        return f"{level_name(self.value)} {finding}" if self.value else f"{finding} outside of vertebrae"

    @property
    def category(self) -> Code:
        """What kind of thing it is."""
        return ANATOMY if self.kind in ("level", "tissue") else FINDING_CODES[self.kind][0]

    @property
    def type(self) -> Code:
        """What it is."""
        if self.kind == "level":
            return level_code(self.value)
        return TISSUE_CODES[Tissue(self.value)] if self.kind == "tissue" else FINDING_CODES[self.kind][1]

    @property
    def region(self) -> Code | None:
        """Where it is; None for what is itself a region."""
        if self.kind in ("level", "tissue"):
            return None
        return level_code(self.value) if self.value else VERTEBRA

    @property
    def colour(self) -> tuple[int, int, int]:
        """RGB, 0-255."""
        if self.kind == "level":
            return level_colour(self.value)
        return TISSUE_COLOURS[Tissue(self.value)] if self.kind == "tissue" else FINDING_COLOURS[self.kind]

    def mask(self, findings: Findings, k: int) -> NDArray[np.bool_]:
        """Rows x columns of slice k, as a frame shows them."""
        levels = findings.levels.array[:, :, k].T
        if self.kind == "level":
            return np.asarray(levels == self.value)
        if self.kind == "tissue":
            return np.asarray(self.value == findings.tissue.array[:, :, k].T)
        return np.asarray((findings.masks[self.kind].array[:, :, k].T > 0) & (levels == self.value))


def segments_of(findings: Findings) -> tuple[Segment, ...]:
    """The segments that have voxels: vertebrae from head to foot, parts, findings."""
    slices: dict[tuple[Kind, int], list[int]] = {}
    for k in range(findings.levels.array.shape[2]):
        for key in _present(findings, k):
            slices.setdefault(key, []).append(k)
    order: list[tuple[Kind, int]] = [
        *(("level", n) for n in COLUMN_ORDER),
        *(("tissue", int(t)) for t in (Tissue.BODY, Tissue.POSTERIOR)),
        *((finding, n) for finding in FINDINGS for n in (*COLUMN_ORDER, 0)),
    ]
    present = [key for key in order if key in slices]
    return tuple(Segment(i, *key, tuple(slices[key])) for i, key in enumerate(present, start=1))


def _present(findings: Findings, k: int) -> Iterator[tuple[Kind, int]]:
    levels = findings.levels.array[:, :, k]
    if levels.any():
        yield from (("level", int(n)) for n in np.unique(levels) if n)
        yield from (("tissue", int(t)) for t in np.unique(findings.tissue.array[:, :, k]) if t)
    for finding in FINDINGS:
        mask = findings.masks[finding].array[:, :, k] > 0
        if mask.any():
            yield from ((finding, int(n)) for n in np.unique(levels[mask]))
