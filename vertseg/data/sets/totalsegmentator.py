"""TotalSegmentator's CT data set, version 2: a folder of masks, or one map, per case.

Layout of Totalsegmentator_dataset_v201.zip (Zenodo record 10047292; Wasserthal et al., Radiol Artif Intell
2023;5:e230024):

    meta.csv                                 UTF-8 with a byte order mark, columns separated by semicolons:
                                             image_id;age;gender;institute;study_type;split;manufacturer;
                                             scanner_model;kvp;pathology;pathology_location
    s0000/ct.nii.gz
    s0000/segmentations/vertebrae_L5.nii.gz  one binary mask for each of 117 structures; empty where the
                                             structure is not in view

`split` is train, val or test. Instead of the folder of masks a case may have one map `segmentations.nii.gz`, as
the tool itself writes it with `--ml` (numbers of its `map_to_binary.py`, task "total").

Annotated are levels, the sacrum (with S1, which has a mask of its own) and other bone: hip bones, femora, ribs,
sternum, shoulder blades, collar bones, upper arms and skull. Costal cartilage counts as soft tissue, as in the
phantoms; bones of forearm, hand, lower leg and foot have no masks. Bodies and posterior elements are not told
apart. Vertebrae that run into each other are a known fault of some cases (the repository's issues 268 and 394).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.data.sets.found import CaseLabels, FoundCase, Split
from vertseg.data.sets.grids import read_labels_near
from vertseg.data.sets.sides import SIDES
from vertseg.errors import InputError
from vertseg.labels import SACRUM, TOTALSEGMENTATOR_LEVELS, LocateClass
from vertseg.phantom.painting.label_maps import (
    TOTALSEGMENTATOR_NAMES,
    checked,
    level_map,
    tissue_numbers,
    tissue_of,
)
from vertseg.volume import Volume

_SPLITS: Final[dict[str, Split]] = {"train": "training", "val": "validation", "test": "test"}
_ONE_FILE: Final = ("segmentations.nii.gz", "segmentations.nii")
_LEVEL_MASKS: Final = {TOTALSEGMENTATOR_NAMES[n]: level for n, level in TOTALSEGMENTATOR_LEVELS.items()}
_VERTEBRA_MASKS: Final = tuple(name for name, level in _LEVEL_MASKS.items() if level != SACRUM)
_SACRUM_MASKS: Final = tuple(name for name, level in _LEVEL_MASKS.items() if level == SACRUM)
_BONE_MASKS: Final = tuple(name for name in TOTALSEGMENTATOR_NAMES.values() if tissue_of(name) == "bone")


def find_cases(source: Path) -> list[FoundCase]:
    """Cases of the unpacked data set, by name.

    Raises:
        InputError: no case is there, or meta.csv is not what it should be.
    """
    names = {p.parent.name for p in (*source.glob("*/ct.nii.gz"), *source.glob("*/segmentations"))}
    if not names:
        raise InputError(
            f"'{source}' holds no case of TotalSegmentator (s0000/ct.nii.gz and s0000/segmentations/); give the "
            "folder that was unpacked from the zip, the one with meta.csv."
        )
    splits = _splits(source / "meta.csv")
    return [_case(source / name, splits) for name in sorted(names)]


def _splits(path: Path) -> dict[str, str] | None:
    """The set's word for each case's part; None without the table."""
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        return {row["image_id"].strip(): row["split"].strip() for row in rows}
    except (OSError, UnicodeDecodeError, KeyError, AttributeError, csv.Error):
        raise InputError(
            f"'{path}' is not the table of TotalSegmentator: it needs the columns image_id and split, "
            "separated by semicolons; unpack it again."
        ) from None


def _case(folder: Path, splits: dict[str, str] | None) -> FoundCase:
    image = folder / "ct.nii.gz"
    problems = [] if image.is_file() else [f"'{image}' is missing; unpack the case again."]
    split = None
    if splits is None:
        problems.append(
            f"'{folder.parent / 'meta.csv'}' is missing, so the part that it belongs to is unknown."
        )
    elif (word := splits.get(folder.name)) not in _SPLITS:
        said = "has no row for it" if word is None else f"puts it into '{word}', not train, val or test"
        problems.append(f"'{folder.parent / 'meta.csv'}' {said}, so the part that it belongs to is unknown.")
    else:
        split = _SPLITS[str(word)]
    one_file = next((folder / name for name in _ONE_FILE if (folder / name).is_file()), None)
    annotated = {"level", "sacrum", "other_bone"}
    if one_file is None:
        masks = _Masks.of(folder / "segmentations")
        annotated -= masks.not_annotated
        problems += masks.problems
        read = partial(_labels_of_masks, masks)
        sources = (*masks.files.values(), *masks.organs.values())
    else:
        read = partial(_labels_of_map, one_file)
        sources = (one_file,)
    return FoundCase(
        name=folder.name,
        patient=folder.name,
        image=image,
        annotated=frozenset(annotated),
        read_labels=read,
        split=split,
        problems=tuple(problems),
        sources=sources,
    )


@dataclass(frozen=True)
class _Masks:
    """Mask files of one case, those of organs that lie on one side, and the structures whose file is missing."""

    files: Mapping[str, Path]
    organs: Mapping[str, Path]
    missing_vertebrae: tuple[str, ...]
    not_annotated: frozenset[str]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> "_Masks":
        files = {name: folder / f"{name}.nii.gz" for name in (*_VERTEBRA_MASKS, *_SACRUM_MASKS, *_BONE_MASKS)}
        absent = [name for name, path in files.items() if not path.is_file()]
        vertebrae = tuple(name for name in absent if name in _VERTEBRA_MASKS)
        problems, not_annotated = [], set()
        if vertebrae:
            problems.append(
                _missing(folder, vertebrae, "vertebrae may be in view without a label; unpack it again")
            )
        for what, wanted in (("sacrum", _SACRUM_MASKS), ("other_bone", _BONE_MASKS)):
            lost = tuple(name for name in absent if name in wanted)
            if lost:
                not_annotated.add(what)
                problems.append(_missing(folder, lost, f"{what} does not count as annotated in this case"))
        present = {name: path for name, path in files.items() if name not in absent}
        organs = {name: folder / f"{name}.nii.gz" for name in SIDES if (folder / f"{name}.nii.gz").is_file()}
        return cls(present, organs, vertebrae, frozenset(not_annotated), tuple(problems))


def _missing(folder: Path, names: tuple[str, ...], so: str) -> str:
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"'{folder}' lacks the masks {listed}, so {so}."


def _labels_of_masks(masks: _Masks, image: Volume) -> CaseLabels:
    """Levels and classes from one mask a structure; where two overlap, the vertebra and the lower one stays."""
    if masks.missing_vertebrae:
        raise InputError(masks.problems[0])
    level = np.zeros(image.array.shape, np.uint8)
    classes = np.zeros(image.array.shape, np.uint8)
    owner = np.zeros(image.array.shape, np.uint8)
    names = list(masks.files)
    overlaps: dict[tuple[str, str], int] = {}
    for index, name in enumerate(names, start=1):
        stored = read_labels_near(masks.files[name], image)
        mask = stored.array > 0
        number, label = _LEVEL_MASKS.get(name, 0), _class_of(name)
        taken = mask & (owner > 0) & ((level != number) | (classes != label))
        for other, count in zip(*np.unique(owner[taken], return_counts=True), strict=True):
            overlaps[names[other - 1], name] = int(count)
        free = mask & (owner == 0)
        level[free], classes[free], owner[free] = number, label, index
    problems = [
        f"The masks {kept} and {other} overlap in {count} voxels, which count as {kept}."
        for (kept, other), count in overlaps.items()
    ]
    return CaseLabels(
        level=stored.with_array(level),
        tissue=stored.with_array(classes),
        organs_mm=_organs(masks.organs, image),
        problems=tuple(problems),
    )


def _class_of(name: str) -> LocateClass:
    if name in _BONE_MASKS:
        return LocateClass.OTHER_BONE
    return LocateClass.SACRUM if name in _SACRUM_MASKS else LocateClass.BODY


def _labels_of_map(path: Path, image: Volume) -> CaseLabels:
    """Levels and classes from one map with the numbers of task "total"."""
    stored = read_labels_near(path, image)
    try:
        labels = checked(stored, "totalsegmentator")
    except InputError as error:
        raise InputError(f"'{path}': {error}") from None
    level = level_map(labels, "totalsegmentator").array
    classes = np.zeros(level.shape, np.uint8)
    classes[level > 0] = LocateClass.BODY
    classes[level == SACRUM] = LocateClass.SACRUM
    classes[np.isin(labels.array, tissue_numbers("bone", "totalsegmentator"))] = LocateClass.OTHER_BONE
    numbers = {name: number for number, name in TOTALSEGMENTATOR_NAMES.items() if name in SIDES}
    centres = {
        name: _centre_mm(stored.with_array(labels.array == number)) for name, number in numbers.items()
    }
    organs = {name: centre for name, centre in centres.items() if centre is not None}
    return CaseLabels(stored.with_array(level), stored.with_array(classes), organs_mm=organs)


def _organs(files: Mapping[str, Path], image: Volume) -> dict[str, NDArray[np.float64]]:
    """Centres in world RAS mm of the organs that are in view."""
    centres = {name: _centre_mm(read_labels_near(path, image)) for name, path in files.items()}
    return {name: centre for name, centre in centres.items() if centre is not None}


def _centre_mm(mask: Volume) -> NDArray[np.float64] | None:
    places = np.argwhere(mask.array > 0)
    return mask.grid.world(places.mean(axis=0)) if len(places) else None
