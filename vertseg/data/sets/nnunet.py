"""nnU-Net's raw folders (version 2; version 1 has the same files with other keys in dataset.json).

Layout (github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md and region_based_training.md):

    Dataset123_Name/dataset.json             {"channel_names": {"0": "CT"}, "labels": {"background": 0, "L1": 1},
                                             "numTraining": 32, "file_ending": ".nii.gz"}
    Dataset123_Name/imagesTr/case_0000.nii.gz
    Dataset123_Name/labelsTr/case.nii.gz
    Dataset123_Name/imagesTs, labelsTs       test cases; labelsTs is no part of the format, but common

A label may be a region, a list of numbers: {"L1": [1, 6], "lytic lesion": [6]}. A "dataset" key may give each
case's files itself. nnU-Net keeps splits_final.json in nnUNet_preprocessed/Dataset123_Name, beside nnUNet_raw; it is
taken from there or from the set's folder, and its first fold says which cases are for validation.

The format knows no patients, so each case counts as one; put the scans of one patient into one part yourself.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from vertseg.data.sets.dataset_json import ct_channel, labels_of, read_dataset_json
from vertseg.data.sets.found import FoundCase, Split
from vertseg.data.sets.numbered_labels import NumberedLabels
from vertseg.errors import InputError

_ENDINGS: Final = (".nii.gz", ".nii")


def find_cases(source: Path, mapping: Path | None = None) -> list[FoundCase]:
    """Labelled cases of a raw folder, by name.

    Args:
        source: folder with dataset.json.
        mapping: JSON or YAML that says what labels of names that vertseg does not know stand for.

    Raises:
        InputError: no such set, no CT, or files that vertseg does not read.
        ConfigError: labels that are not known, or contradict each other.
    """
    content = read_dataset_json(source)
    path = source / "dataset.json"
    channel, _ = ct_channel(content, path)
    ending = str(content.get("file_ending", ".nii.gz"))
    if ending not in _ENDINGS:
        raise InputError(f"'{path}' has files that end with '{ending}'; convert them to .nii.gz.")
    labels = labels_of(content, path, mapping)
    splits = _splits(source)
    found = [
        _case(name, image, label, labels, "test" if is_test else splits.get(name))
        for name, image, label, is_test in _files(source, content, f"_{channel:04d}{ending}", ending)
    ]
    if not found:
        raise InputError(
            f"'{source}' has no labelled case; its labels belong into labelsTr, one '{ending}' a case."
        )
    return sorted(found, key=lambda case: case.name)


def _files(
    source: Path, content: Mapping[str, Any], suffix: str, ending: str
) -> Iterator[tuple[str, Path, Path, bool]]:
    """Name, image and label file of each case, and whether it is a test case."""
    listed = content.get("dataset")
    if isinstance(listed, dict):
        channel = int(suffix[1:5])
        for name, files in listed.items():
            try:
                yield name, source / files["images"][channel], source / files["label"], False
            except (KeyError, IndexError, TypeError):
                raise InputError(
                    f"'{source / 'dataset.json'}' has a case '{name}' under 'dataset' without its 'images' (one a "
                    "channel) and 'label'; add them."
                ) from None
        return
    for part in ("Tr", "Ts"):
        folder = source / f"labels{part}"
        images = source / f"images{part}"
        names = {p.name.removesuffix(ending) for p in folder.glob(f"*{ending}") if not p.name.startswith(".")}
        if part == "Tr":
            names |= {
                p.name.removesuffix(suffix) for p in images.glob(f"*{suffix}") if not p.name.startswith(".")
            }
        for name in names:
            yield name, images / f"{name}{suffix}", folder / f"{name}{ending}", part == "Ts"


def _case(name: str, image: Path, label: Path, labels: NumberedLabels, split: Split | None) -> FoundCase:
    lost = [path for path in (image, label) if not path.is_file()]
    return FoundCase(
        name=name,
        patient=name,
        image=image,
        annotated=labels.annotated,
        read_labels=partial(labels.read, label),
        split=split,
        sources=(label,),
        problems=(*(f"'{path}' is missing; copy it again." for path in lost), *labels.problems),
    )


def _splits(source: Path) -> dict[str, Split]:
    """Part of each case by the first fold of splits_final.json, where there is one."""
    name = source.resolve().name
    places = (source, source.resolve().parent.parent / "nnUNet_preprocessed" / name)
    path = next((p / "splits_final.json" for p in places if (p / "splits_final.json").is_file()), None)
    if path is None:
        return {}
    try:
        fold = json.loads(path.read_text())[0]
        parts: dict[str, Split] = dict.fromkeys(map(str, fold["train"]), "training")
        return parts | dict.fromkeys(map(str, fold["val"]), "validation")
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        raise InputError(
            f"'{path}' is not a list of folds with 'train' and 'val'; mend it or take it away."
        ) from None
