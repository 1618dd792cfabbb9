"""Folders in the format of the Medical Segmentation Decathlon.

Layout (medicaldecathlon.com; Simpson et al. 2019, arXiv:1902.09063; Antonelli et al., Nat Commun 2022;13:4128), as
in Task10_Colon/dataset.json:

    {"name": ..., "tensorImageSize": "3D", "modality": {"0": "CT"}, "labels": {"0": "background", "1": "L5"},
     "numTraining": 1, "numTest": 1,
     "training": [{"image": "./imagesTr/colon_001.nii.gz", "label": "./labelsTr/colon_001.nii.gz"}],
     "test": ["./imagesTs/colon_002.nii.gz"]}

Names are relative to dataset.json. "validation" (MONAI's own lists have it) and "test" count where their entries have
labels; the Decathlon's own test images have none and are passed over. None of its ten tasks labels vertebrae: this
reads a person's own set in that format.

The format knows no patients, so each case counts as one; put the scans of one patient into one part yourself.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from vertseg.data.sets.dataset_json import ct_channel, labels_of, read_dataset_json
from vertseg.data.sets.found import FoundCase, Split
from vertseg.errors import InputError

_PARTS: Final[tuple[Split, ...]] = ("training", "validation", "test")


def find_cases(source: Path, mapping: Path | None = None) -> list[FoundCase]:
    """Labelled cases of the folder, in the order of dataset.json.

    Args:
        source: folder with dataset.json.
        mapping: JSON or YAML that says what labels of names that vertseg does not know stand for.

    Raises:
        InputError: no such set, no CT, several modalities in one file, or two cases of one name.
        ConfigError: labels that are not known, or contradict each other.
    """
    content = read_dataset_json(source)
    path = source / "dataset.json"
    _, channels = ct_channel(content, path)
    if channels > 1:
        raise InputError(
            f"'{path}' has {channels} modalities in one file; give a set whose files hold the CT alone."
        )
    labels = labels_of(content, path, mapping)
    entries = list(_entries(content, path))
    if not entries:
        raise InputError(
            f"'{path}' lists no labelled case; 'training' needs entries with 'image' and 'label'."
        )
    names = [PurePosixPath(image).name.removesuffix(".gz").removesuffix(".nii") for _, image, _ in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"'{path}' lists several images called '{twice[0]}'; give each a name of its own.")
    # A set that has one part only leaves it to the reader how to divide it.
    divided = len({part for part, _, _ in entries}) > 1
    found = []
    for name, (part, image, label) in zip(names, entries, strict=True):
        lost = [source / file for file in (image, label) if not (source / file).is_file()]
        found.append(
            FoundCase(
                name=name,
                patient=name,
                image=source / image,
                annotated=labels.annotated,
                read_labels=partial(labels.read, source / label),
                split=part if divided else None,
                sources=(source / label,),
                problems=(*(f"'{file}' is missing; copy it again." for file in lost), *labels.problems),
            )
        )
    return found


def _entries(content: Mapping[str, Any], path: Path) -> Iterator[tuple[Split, str, str]]:
    """Part, image and label file of each labelled entry."""
    for part in _PARTS:
        entries = content.get(part) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            if part == "test" and (
                isinstance(entry, str) or (isinstance(entry, dict) and "label" not in entry)
            ):
                continue
            files = (entry.get("image"), entry.get("label")) if isinstance(entry, dict) else (None, None)
            if not all(isinstance(file, str) for file in files):
                raise InputError(
                    f"'{path}' has an entry under '{part}' without 'image' and 'label': {entry!r}."
                )
            yield part, str(files[0]), str(files[1])
