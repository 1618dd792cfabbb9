"""CTSpine1K (Deng et al. 2021, arXiv:2105.14711; github.com/MIRACLE-Center/CTSpine1K).

1,005 scans of four sources, with a label map each. Both layouts that it is given out in are read::

    raw_data/volumes/COLONOG/1.3.6.1.4.1.9328.50.4.0001.nii.gz         (HNSCC-3DCT-RT, MSD-T10, COVID-19 likewise)
    raw_data/labels/COLONOG/1.3.6.1.4.1.9328.50.4.0001_seg.nii.gz
    metadata/data_split.txt

    data/{colon,HNSCC-3DCT-RT_neck,liver,COVID-19}/<name>.nii.gz
    label/{...}/<name>_seg.nii.gz                                       (or trainset/gt, test_public/gt, test_private/gt)
    data_split.txt

Names are the same everywhere, so images and labels are paired by name, whatever the folders are called. In
`data_split.txt`, `trainset` is training, `test_public` validation and `test_private` test. Labels are VerSe's
numbers 1 to 25, of all vertebrae in view, also those that the border cuts. Annotations of VerSe's own scans
(`label/Verse`, `completed_annotation_verse`) are not part of the set and left out.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from vertseg.data.sets.found import CaseLabels, FoundCase, Split
from vertseg.data.sets.grids import read_labels_near
from vertseg.errors import InputError
from vertseg.labels import LUMBAR
from vertseg.volume import Volume

_ENDING: Final = ".nii.gz"
_LABEL_ENDING: Final = "_seg.nii.gz"
_SPLIT_FILE: Final = "data_split.txt"
_SECTIONS: Final[dict[str, Split]] = {
    "trainset": "training",
    "test_public": "validation",
    "test_private": "test",
}
_COVID: Final = re.compile(r"(volume-covid19-A-\d+)(?:_\d+)?_ct")
"""`volume-covid19-A-0202_0_ct` is a series of the patient 0202."""


def find_cases(source: Path) -> list[FoundCase]:
    """A case per label map; where its image is missing, one that cannot be read.

    Raises:
        InputError: `data_split.txt` cannot be read.
    """
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for path in sorted(source.rglob(f"*{_ENDING}")):
        if not path.name.endswith(_LABEL_ENDING):
            images.setdefault(path.name.removesuffix(_ENDING), path)
        elif "verse" not in path.parent.name.lower():
            labels.setdefault(path.name.removesuffix(_LABEL_ENDING), path)
    splits = _splits(source)
    return [_case(source, name, images, label, splits) for name, label in labels.items()]


def _case(
    source: Path, name: str, images: Mapping[str, Path], label: Path, splits: Mapping[str, Split]
) -> FoundCase:
    folder = next((p for p in label.relative_to(source).parts if p in _SECTIONS), None)
    split = splits.get(name, _SECTIONS.get(folder or ""))
    covid = _COVID.fullmatch(name)
    problems = []
    if splits and split is None:
        problems.append(f"'{name}' is not in {_SPLIT_FILE}, so its part is drawn.")
    return FoundCase(
        name=name,
        patient=covid[1] if covid else name,
        image=images.get(name, label.with_name(f"{name}{_ENDING}")),
        annotated=frozenset({"level"}),
        read_labels=partial(_read, label),
        in_place={"level": label},
        split=split,
        problems=tuple(problems),
        sources=(label,),
    )


def _read(label: Path, scan: Volume) -> CaseLabels:
    level = read_labels_near(label, scan)
    if level.array.max() > LUMBAR[-1]:
        raise InputError(
            f"'{label}' holds the number {level.array.max()}; CTSpine1K's labels are 1 (C1) to {LUMBAR[-1]} (L6)."
        )
    return CaseLabels(level)


def _splits(source: Path) -> dict[str, Split]:
    """Part by name; empty without the file. Names of a section may stand on one line, as two do in the original."""
    path = next(iter(sorted(source.rglob(_SPLIT_FILE))), None)
    if path is None:
        return {}
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' cannot be read ({error}); download it again.") from None
    section: Split | None = None
    splits: dict[str, Split] = {}
    for line in lines:
        if line.strip().endswith(":"):
            section = _SECTIONS.get(line.strip().removesuffix(":"))
        elif section is not None:
            splits.update({name: section for name in line.strip().split(_ENDING) if name})
    return splits
