"""Maps whose numbers a set's own file names: from those numbers to vertseg's levels, classes and findings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.data.sets.found import CaseLabels
from vertseg.data.sets.grids import read_labels_near
from vertseg.data.sets.label_names import Meaning
from vertseg.errors import ConfigError, InputError
from vertseg.labels import (
    COCCYX,
    COLUMN_ORDER,
    FINDINGS,
    LEVEL_NUMBERS,
    SACRUM,
    T13,
    LocateClass,
    level_name,
)
from vertseg.volume import Volume

_USUAL_LEVELS: Final = COLUMN_ORDER[: COLUMN_ORDER.index(LEVEL_NUMBERS["L5"]) + 1]
_LARGE_BONES: Final = {"rib", "hip", "femur"}
_LESIONS: Final = ("lytic_lesion", "sclerotic_lesion")
_PARTS: Final = (LocateClass.BODY, LocateClass.POSTERIOR)


@dataclass(frozen=True)
class NumberedLabels:
    """What each number of a set's maps stands for.

    Attributes:
        level: VerSe number by number of the set, for numbers that are a vertebra, sacrum or coccyx.
        tissue: class of a locate map by number, for every number that has a level or is other bone.
        findings: numbers of the set by finding.
        numbers: every number that the set knows, 0 included.
        annotated: what the set annotates (`data.cases.ANNOTATIONS`).
        problems: what is doubtful in that, as sentences.
    """

    level: Mapping[int, int]
    tissue: Mapping[int, LocateClass]
    findings: Mapping[str, frozenset[int]]
    numbers: frozenset[int]
    annotated: frozenset[str]
    problems: tuple[str, ...] = ()

    def read(self, path: Path, image: Volume) -> CaseLabels:
        """Labels of one map file on its image's grid.

        A lytic or sclerotic lesion whose number takes the place of the vertebra's is given the level and part of
        the nearest vertebra, where it touches one.

        Raises:
            InputError: the file cannot be read, lies on another grid or holds a number that the set does not name.
        """
        labels = read_labels_near(path, image)
        stored = labels.array
        unknown = sorted({number for slab in stored for number in np.unique(slab).tolist()} - self.numbers)
        if unknown:
            listed = ", ".join(map(str, unknown[:8]))
            raise InputError(
                f"'{path}' holds the numbers {listed}, which the set's dataset.json does not name."
            )
        level, classes = _looked_up(stored, self.level), _looked_up(stored, self.tissue)
        findings = {
            name: np.isin(stored, sorted(numbers)).astype(np.uint8) for name, numbers in self.findings.items()
        }
        lesion = sum((findings[name] for name in _LESIONS if name in findings), np.zeros_like(level)) > 0
        _fill((classes == 0) & (lesion | (level > 0)), level, classes, image.grid.spacing_mm)
        mapped = self.annotated & {"tissue", "other_bone"}
        return CaseLabels(
            level=labels.with_array(level),
            tissue=labels.with_array(classes) if mapped else None,
            findings={name: labels.with_array(mask) for name, mask in findings.items()},
        )


def numbered_labels(meanings: Iterable[tuple[Meaning, Iterable[int]]], place: Path) -> NumberedLabels:
    """The table of a set from what its labels mean and the numbers that each covers (several, with regions).

    Args:
        meanings: of each label that the set names.
        place: the set's file, for sentences.

    Raises:
        ConfigError: no level among them, two levels or parts for one number, or bodies without the rest.
    """
    labels = [(meaning, frozenset(numbers)) for meaning, numbers in meanings]
    numbers = {number for _, covered in labels for number in covered}
    level, tissue, findings = {}, {}, {}
    for number in sorted(numbers):
        mine = [meaning for meaning, covered in labels if number in covered]
        levels = {m.level for m in mine if m.level is not None}
        classes = {m.tissue for m in mine if m.tissue is not None}
        if len(levels) > 1 or len(classes) > 1 or (levels and LocateClass.OTHER_BONE in classes):
            raise ConfigError(
                f"{place} gives the number {number} two meanings that exclude each other; mend it."
            )
        if classes & set(_PARTS) and not levels:
            raise ConfigError(
                f"{place} gives the number {number} a part of a vertebra but no level; vertseg needs each vertebra's "
                "level, such as 'L1 body'."
            )
        if levels:
            level[number] = levels.pop()
            sacral = level[number] in (SACRUM, COCCYX)
            tissue[number] = LocateClass.SACRUM if sacral else next(iter(classes), LocateClass.BACKGROUND)
        elif classes:
            tissue[number] = classes.pop()
    for name in FINDINGS:
        covered = frozenset(n for meaning, own in labels if meaning.finding == name for n in own)
        if covered:
            findings[name] = covered
    vertebrae = {number: tissue[number] for number, own in level.items() if own not in (SACRUM, COCCYX)}
    if not vertebrae:
        raise ConfigError(
            f"{place} names no vertebra with its level; vertseg needs levels to learn from a set."
        )
    # A finding inside a vertebra says nothing of the part that it lies in.
    found_in = {number for covered in findings.values() for number in covered}
    parts = {part for number, part in vertebrae.items() if part or number not in found_in}
    annotated = {"level", *findings, *_annotated_classes((m for m, _ in labels), parts, place)}
    # Without parts on every vertebra they are one class, as the rest of the package expects.
    whole = {} if "tissue" in annotated else dict.fromkeys(vertebrae, LocateClass.BODY)
    return NumberedLabels(
        level=level,
        tissue={**tissue, **whole},
        findings=findings,
        numbers=frozenset({0, *numbers}),
        annotated=frozenset(annotated),
        problems=_doubts(level, findings),
    )


def _annotated_classes(meanings: Iterable[Meaning], parts: set[LocateClass], place: Path) -> set[str]:
    """Which of tissue, sacrum and other bone the set annotates as a whole."""
    annotated = set()
    if parts == {LocateClass.BODY}:
        raise ConfigError(
            f"{place} labels the bodies of vertebrae only, so posterior elements would count as background; add "
            "them, or map the labels to whole vertebrae ('L1') if that is what they are."
        )
    if parts == set(_PARTS):
        annotated.add("tissue")
    bones = set()
    for meaning in meanings:
        if meaning.level == SACRUM and not meaning.piece:
            annotated.add("sacrum")
        if meaning.tissue == LocateClass.OTHER_BONE:
            bones.add(meaning.piece)
    if "" in bones or bones >= _LARGE_BONES:
        annotated.add("other_bone")
    return annotated


def _doubts(level: Mapping[int, int], findings: Mapping[str, frozenset[int]]) -> tuple[str, ...]:
    doubts = []
    known = set(level.values())
    usual = [n for n in _USUAL_LEVELS if n != T13]
    runs = [list(run) for absent, run in groupby(usual, key=lambda n: n not in known) if absent]
    if runs:
        names = ", ".join(level_name(r[0]) + (f" to {level_name(r[-1])}" if r[1:] else "") for r in runs)
        doubts.append(
            f"The set has no label for {names}; where one of these is in view, it counts as background."
        )
    if findings.get("cement", frozenset()) - set(level):
        doubts.append("Cement has a number of its own, so that its voxels belong to no vertebra.")
    return tuple(doubts)


def _looked_up(stored: NDArray[Any], table: Mapping[int, int]) -> NDArray[np.uint8]:
    values = np.zeros(max(int(stored.max()), *table) + 1, np.uint8)
    for number, value in table.items():
        values[number] = value
    looked_up: NDArray[np.uint8] = values[stored]
    return looked_up


def _fill(
    holes: NDArray[np.bool_],
    level: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
) -> None:
    """Give voxels in holes the class of the nearest vertebra voxel, and its level if they have none, in place."""
    parts, _ = ndimage.label(holes)
    for index, found in enumerate(ndimage.find_objects(parts), start=1):
        box = tuple(slice(max(s.start - 2, 0), s.stop + 2) for s in found)
        mine = parts[box] == index
        vertebra = np.isin(classes[box], _PARTS)
        if not (ndimage.binary_dilation(mine) & vertebra).any():
            continue
        nearest = ndimage.distance_transform_edt(
            ~vertebra, sampling=spacing_mm, return_distances=False, return_indices=True
        )
        source = tuple(axis[mine] for axis in nearest)
        levels = level[box]
        levels[mine] = np.where(levels[mine] > 0, levels[mine], levels[source])
        classes[box][mine] = classes[box][source]
