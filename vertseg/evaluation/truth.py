"""What is known of a scan that predictions are scored against, from a phantom or from a labelled case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.data.cases import Case, case_labels
from vertseg.data.leaks import Injection
from vertseg.errors import ConfigError
from vertseg.frames import labelled_vertebrae
from vertseg.labels import (
    FINDINGS,
    N_LEVELS,
    SACRUM,
    VERTEBRA_LEVELS,
    LocateClass,
    level_name,
    level_number,
)
from vertseg.phantom.types import PhantomScan
from vertseg.volume import Volume

_T1, _T12, _L1 = (level_number(name) for name in ("T1", "T12", "L1"))
_CUT_SHARE: Final = 0.5
_ANCHOR_ML: Final = 2.0


@dataclass(frozen=True, eq=False)
class Truth:
    """Labels of one scan on its RAS grid, and what of them is annotated.

    Attributes:
        level: VerSe numbers.
        tissue: `labels.LocateClass` numbers; None where parts are not told apart.
        findings: masks by name, of those that are annotated.
        annotated: see `data.cases.ANNOTATIONS`.
        fractures: share of body height lost by level number; None where it is not known.
        injections: known injections by level number.
    """

    level: Volume
    tissue: Volume | None
    findings: Mapping[str, Volume]
    annotated: frozenset[str]
    fractures: Mapping[int, float] | None = None
    injections: Mapping[int, Injection] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrueVertebra:
    """A vertebra that is scored: its level and body centre (3,) in world RAS mm."""

    level: int
    centre_mm: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Name of the level."""
        return level_name(self.level)


def truth_of_phantom(scan: PhantomScan, injections: Mapping[int, Injection] | None = None) -> Truth:
    """The truth of a rendered phantom: everything is annotated."""
    return Truth(
        level=scan.level,
        tissue=scan.tissue,
        findings=scan.findings,
        annotated=frozenset(("level", "tissue", "sacrum", "other_bone", *FINDINGS)),
        fractures={v.level: v.height_loss for v in scan.vertebrae},
        injections=injections or {},
    )


def truth_of_case(case: Case, image: Volume, injections: Mapping[int, Injection] | None = None) -> Truth:
    """The truth of a labelled case; heights lost are read from a phantom's own JSON where one lies beside the image.

    Raises:
        InputError: a label map cannot be read or lies on another grid than the image.
    """
    has_parts = case.tissue is not None and "tissue" in case.annotated
    return Truth(
        level=case_labels(case.level, image),
        tissue=case_labels(case.tissue, image) if case.tissue is not None and has_parts else None,
        findings={name: case_labels(path, image) for name, path in case.findings},
        annotated=case.annotated,
        fractures=_fractures(case.image),
        injections=injections or {},
    )


def _fractures(image: Path) -> dict[int, float] | None:
    beside = image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if image.is_dir() or not beside.is_file():
        return None
    try:
        vertebrae = json.loads(beside.read_text())["vertebrae"]
        return {level_number(str(v["level"])): float(v["height_loss"]) for v in vertebrae}
    except (KeyError, TypeError, ValueError, ConfigError):
        # Some other program's JSON: it tells nothing of fractures.
        return None


def true_vertebrae(truth: Truth) -> tuple[TrueVertebra, ...]:
    """The vertebrae that a prediction must find, from head to foot.

    Left out is what the scan's border cuts to less than half of the nearest whole vertebra (of its body where parts
    are annotated): nobody can name a sliver. Centres are those of bodies; without parts those of the thickest part
    (`frames.labelled_vertebrae`).
    """
    body = None if truth.tissue is None else truth.tissue.array == LocateClass.BODY
    boxes = ndimage.find_objects(truth.level.array, max_label=N_LEVELS - 1)
    counts, cut, centres = {}, set(), {}
    for number in VERTEBRA_LEVELS:
        box = boxes[number - 1]
        if box is None:
            continue
        mask = truth.level.array[box] == number
        own = mask & body[box] if body is not None and (mask & body[box]).any() else mask
        at = np.argwhere(own) + [s.start for s in box]
        counts[number], centres[number] = len(at), truth.level.grid.world(at.mean(axis=0))
        if (at == 0).any() or (at == np.array(truth.level.array.shape) - 1).any():
            cut.add(number)
    if body is None:
        centres |= {v.level: v.centre_mm for v in labelled_vertebrae(truth.level, None)}
    return tuple(
        TrueVertebra(n, centres[n])
        for n in counts
        if n not in cut or counts[n] >= _CUT_SHARE * _neighbour(n, counts, cut)
    )


def _neighbour(number: int, counts: Mapping[int, int], cut: set[int]) -> float:
    """Voxels of the nearest vertebra that is whole; 0 where none is."""
    order = list(counts)
    whole = [n for n in order if n not in cut]
    if not whole:
        return 0.0
    return float(counts[min(whole, key=lambda n: abs(order.index(n) - order.index(number)))])


def shows_anchor(truth: Truth, vertebrae: tuple[TrueVertebra, ...]) -> bool:
    """Whether levels can be counted from somewhere: sacrum, first rib (T1 in view), or T12 and L1."""
    seen = {v.level for v in vertebrae}
    sacrum_ml = float((truth.level.array == SACRUM).sum()) * truth.level.grid.voxel_volume_mm3 / 1000.0
    return sacrum_ml >= _ANCHOR_ML or _T1 in seen or {_T12, _L1} <= seen
