"""Labelled sets: an index JSON (a MONAI datalist) whose cases say what they have annotated."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vertseg.data.cache import Arrays, locate_arrays
from vertseg.data.sets.grids import grid_difference
from vertseg.data.targets import centres_from_labels
from vertseg.errors import ConfigError, InputError
from vertseg.io import read_labels, read_scan
from vertseg.labels import COCCYX, FINDINGS, SACRUM, LocateClass, Tissue
from vertseg.volume import Volume

Part = Literal["training", "validation", "test"]

ANNOTATIONS: Final = ("level", "tissue", "sacrum", "other_bone", *FINDINGS)
"""What a case may have annotated.

`level`: every vertebra in view has its VerSe number; `tissue`: bodies and posterior elements are told apart in
a map of `labels.LocateClass` numbers; `sacrum`, `other_bone`: these are labelled, in `level` or `tissue`; a
finding: its mask shows it wherever there is any in the scan, and is empty where there is none.
"""

_FILES: Final = ("image", "level", "tissue")
_NOTES: Final = ("patient", "set", "sha256", "spacing_mm")


@dataclass(frozen=True)
class Case:
    """One labelled scan: its name, files, and what of it is annotated (see `ANNOTATIONS`).

    `findings` are pairs of a name of `labels.FINDINGS` and the file of its mask. `patient` is empty where the index
    does not tell whose scan it is; `set_name` is the data set's, `sha256` pairs of an image's or label's name and
    the hash of its file, `spacing_mm` along the image's own axes.
    """

    name: str
    image: Path
    level: Path
    tissue: Path | None
    annotated: frozenset[str]
    findings: tuple[tuple[str, Path], ...] = ()
    patient: str = ""
    set_name: str = ""
    sha256: tuple[tuple[str, str], ...] = ()
    spacing_mm: tuple[float, ...] = ()

    def files(self) -> list[Path]:
        """The files that the case consists of."""
        masks = [path for _, path in self.findings]
        return [path for path in (self.image, self.level, self.tissue, *masks) if path is not None]

    def stamp(self) -> tuple[object, ...]:
        """What the case's arrays depend on: its files with their times of change, and what is annotated."""
        times = [(str(path), path.stat().st_mtime_ns) for path in self.files() if path.exists()]
        return (*times, *sorted(self.annotated))

    @property
    def groups(self) -> NDArray[np.int64]:
        """Group (5,) of each locate class: classes that this case does not tell apart share one.

        What is not annotated counts as background; without parts, body and posterior elements are one.
        """
        groups = np.arange(len(LocateClass))
        if "tissue" not in self.annotated:
            groups[LocateClass.POSTERIOR] = LocateClass.BODY
        if "sacrum" not in self.annotated:
            groups[LocateClass.SACRUM] = LocateClass.BACKGROUND
        if "other_bone" not in self.annotated:
            groups[LocateClass.OTHER_BONE] = LocateClass.BACKGROUND
        return groups

    @property
    def part_groups(self) -> NDArray[np.int64]:
        """Group (3,) of each `labels.Tissue` of a vertebra; without parts, both are one."""
        groups = np.arange(len(Tissue))
        if "tissue" not in self.annotated:
            groups[Tissue.POSTERIOR] = Tissue.BODY
        return groups

    @property
    def known_findings(self) -> NDArray[np.bool_]:
        """Whether (F,) each of `labels.FINDINGS` is annotated."""
        return np.array([name in self.annotated for name in FINDINGS])


def read_index(
    path: Path, needed: Collection[Part] = ("training", "validation")
) -> dict[Part, tuple[Case, ...]]:
    """Cases of an index by part (all three, an absent one empty); file names are relative to the index.

    The index reads {"training": [{"image": ..., "level": ..., "annotated": [...]}, ...], "validation": [...],
    "test": [...]}. A case may also have "tissue" (a file), "findings" ({"lytic_lesion": file, ...}), "case" (a
    name, which a leak table refers to; the image's file as the index writes it if left out), and what `vertseg
    prepare` notes: "patient", "set", "sha256" ({"image": ..., "level": ...}) and "spacing_mm".

    Args:
        path: the index, as written by hand or by `vertseg prepare`.
        needed: parts that must not be empty.

    Raises:
        ConfigError: the index cannot be read, an entry lacks a key or has an unknown one, two scans have one name,
            or a named patient is in two parts.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"The index {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigError(f"The index {path} is not JSON: {error}.") from None
    parts: dict[Part, tuple[Case, ...]] = {}
    for part in get_args(Part):
        entries = content.get(part, []) if isinstance(content, dict) else None
        if not isinstance(entries, list) or (part in needed and not entries):
            raise ConfigError(f"The index {path} has no list of cases under '{part}'.")
        parts[part] = tuple(_case(entry, path, f"{part}[{i}]") for i, entry in enumerate(entries))
    _check_names(parts, path)
    return parts


def _check_names(parts: dict[Part, tuple[Case, ...]], path: Path) -> None:
    """Refuse two scans of one name, and a patient whose scans are learned from and tested on."""
    images: dict[str, Path] = {}
    patients: dict[str, Part] = {}
    for part, cases in parts.items():
        for case in cases:
            if images.setdefault(case.name, case.image) != case.image:
                raise ConfigError(f"The index {path} has two scans with the name '{case.name}' under 'case'.")
            if case.patient and patients.setdefault(case.patient, part) != part:
                raise ConfigError(
                    f"The index {path} has scans of the patient '{case.patient}' under '{part}' and under "
                    f"'{patients[case.patient]}'; keep a patient in one part."
                )


def _case(entry: Any, index: Path, place: str) -> Case:
    if not isinstance(entry, dict):
        raise ConfigError(f"{place} of {index} is no object with 'image', 'level' and 'annotated'.")
    known = ("case", *_FILES, "findings", "annotated", *_NOTES)
    unknown = set(entry) - set(known)
    absent = {"image", "level", "annotated"} - set(entry)
    if unknown or absent:
        wrong = f"unknown {sorted(unknown)}" if unknown else f"missing {sorted(absent)}"
        raise ConfigError(f"{place} of {index} has keys {wrong}; known are {list(known)}.")
    annotated = frozenset(entry["annotated"])
    if not annotated <= set(ANNOTATIONS) or "level" not in annotated:
        raise ConfigError(f"'annotated' of {place} in {index} must hold 'level' and else only {ANNOTATIONS}.")
    files = {name: index.parent / entry[name] for name in _FILES if name in entry}
    if ("tissue" in annotated or "other_bone" in annotated) and "tissue" not in files:
        raise ConfigError(f"{place} of {index} annotates tissue or other_bone but names no 'tissue' file.")
    masks = _masks(entry.get("findings", {}), annotated, index, place)
    return Case(
        name=str(entry.get("case", entry["image"])),
        image=files["image"],
        level=files["level"],
        tissue=files.get("tissue"),
        annotated=annotated,
        findings=masks,
        patient=str(entry.get("patient", "")),
        set_name=str(entry.get("set", "")),
        sha256=tuple((str(name), str(digest)) for name, digest in dict(entry.get("sha256", {})).items()),
        spacing_mm=tuple(float(s) for s in entry.get("spacing_mm", ())),
    )


def _masks(findings: Any, annotated: frozenset[str], index: Path, place: str) -> tuple[tuple[str, Path], ...]:
    """The annotated findings' files, in the order of `labels.FINDINGS`."""
    if not isinstance(findings, dict) or not set(findings) <= set(FINDINGS):
        raise ConfigError(f"'findings' of {place} in {index} must give a file for names of {FINDINGS} only.")
    wanted = [name for name in FINDINGS if name in annotated]
    for name in wanted:
        if name not in findings:
            raise ConfigError(
                f"{place} of {index} annotates {name} but names no file for it under 'findings'; where there is "
                "none in the scan, give an empty mask."
            )
    return tuple((name, index.parent / findings[name]) for name in wanted)


def read_case(case: Case, spacing_mm: float) -> Arrays:
    """Arrays of a case on its locate grid, as a rendered phantom's (see `data.cache.render_locate`).

    Raises:
        InputError: a file cannot be read, or a label map does not lie on the image's grid.
    """
    scan = read_scan(case.image)
    level = case_labels(case.level, scan.volume)
    tissue = None if case.tissue is None else case_labels(case.tissue, scan.volume)
    classes = tissue if tissue is not None else Volume(classes_of_levels(level.array), level.affine)
    arrays = locate_arrays(scan.volume, level, classes, spacing_mm)
    has_parts = "tissue" in case.annotated
    centres = centres_from_labels(arrays["level"], arrays["tissue"] if has_parts else None)
    return {**arrays, "centres_vox": centres}


def classes_of_levels(level: NDArray[Any]) -> NDArray[np.uint8]:
    """Locate classes where only levels are known: every vertebra voxel as body (its group's first class)."""
    classes = np.where(level > 0, LocateClass.BODY, LocateClass.BACKGROUND).astype(np.uint8)
    classes[(level == SACRUM) | (level == COCCYX)] = LocateClass.SACRUM
    return classes


def case_labels(path: Path, image: Volume) -> Volume:
    """Labels of a file that must lie on the image's grid.

    Raises:
        InputError: it cannot be read or lies elsewhere.
    """
    labels = read_labels(path)
    if not labels.grid.matches(image.grid):
        how = grid_difference(image.grid, labels.grid) or "it is moved by a part of a voxel"
        raise InputError(f"{path} does not lie on its image's grid: {how}; resample the labels to the image.")
    return labels
