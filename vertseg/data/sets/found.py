"""What an adapter finds in a public data set: cases, their scans, and how to read their labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.volume import Volume

Split = Literal["training", "validation", "test"]


@dataclass(frozen=True, eq=False)
class CaseLabels:
    """Label maps of one scan, each on the scan's own grid.

    Attributes:
        level: VerSe numbers (`vertseg.labels`).
        tissue: `labels.LocateClass` numbers; None where the set does not tell parts and other bone apart.
        findings: mask by name of `labels.FINDINGS`, for those that are annotated (an empty mask: there is none).
        centres_mm: (3,) centres of vertebrae in world RAS mm by level number, where the set's makers give them
            beside the masks; only compared with the masks.
        organs_mm: (3,) centres in world RAS mm of the organs in `data.sets.sides.SIDES` that the set labels; they
            give a left-right flip away.
        problems: what only the reading showed, as sentences (masks that overlap, a gap in the column).
    """

    level: Volume
    tissue: Volume | None = None
    findings: Mapping[str, Volume] = field(default_factory=dict)
    centres_mm: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    organs_mm: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FoundCase:
    """One scan of a data set as it lies on disk.

    Attributes:
        name: unique in the set; what a leak table calls it.
        patient: scans of one patient never fall into different parts.
        image: NIfTI file or DICOM folder that `vertseg.io.read_scan` reads.
        annotated: subset of `data.cases.ANNOTATIONS`.
        read_labels: labels in vertseg's numbers on the grid of the scan that it is given; raises InputError with
            the file's name where they cannot be read or lie on another grid.
        in_place: files that already are what an index wants ("level", "tissue" or a finding's name); what is not
            here is converted and written beside the index.
        split: the part that the set's makers put it in; None where they did not.
        problems: what is wrong with it already by its files, as sentences; warnings, for what `read_labels` cannot
            read it refuses itself.
        sources: files that `read_labels` reads: when one changes, the case is prepared anew.
    """

    name: str
    patient: str
    image: Path
    annotated: frozenset[str]
    read_labels: Callable[[Volume], CaseLabels]
    in_place: Mapping[str, Path] = field(default_factory=dict)
    split: Split | None = None
    problems: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
