"""VerSe 2019 and 2020 (Sekuboyina et al. 2021, Medical Image Analysis 73:102166; osf.io/nqjyw and osf.io/t98fz).

Both layouts that its makers gave out are read, in any folder below the source:

Subject-based (`dataset-verse19training.zip` ... `dataset-03test.zip`)::

    dataset-verse19training/rawdata/sub-verse004/sub-verse004_ct.nii.gz
    dataset-verse19training/derivatives/sub-verse004/sub-verse004_seg-vert_msk.nii.gz
    dataset-verse19training/derivatives/sub-verse004/sub-verse004_seg-subreg_ctd.json   (or _seg-vb_ctd.json)
    dataset-01training/rawdata/sub-verse500/sub-verse500_dir-ax_ct.nii.gz
    dataset-01training/rawdata/sub-verse401/sub-verse401_split-verse253_ct.nii.gz       (same patient, other series)

Challenge (MICCAI 2019 and 2020)::

    01_training/verse014.nii.gz, verse014_seg.nii.gz, verse014_ctd.json
    02_validation/GL017/GL017_CT_ax.nii.gz, GL017_CT_ax_seg.nii.gz, GL017_CT_ax_iso-ctd.json

A folder whose name ends in training, validation or test gives the split. Masks hold VerSe's numbers; the sacrum is
as a rule not labelled. Vertebrae that the border of the scan cuts are often not labelled either. The centroids of
the 2019 challenge have no stated axes and are not compared.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from vertseg.data.sets.centroids import Centroids, read_centroids
from vertseg.data.sets.found import CaseLabels, FoundCase, Split
from vertseg.data.sets.grids import read_labels_near
from vertseg.errors import InputError
from vertseg.volume import Volume

_PATIENT: Final = re.compile(r"(?:sub-)?((?:verse|gl)\d+)", re.IGNORECASE)
_SPLIT: Final = re.compile(r"(training|validation|test)(?![a-z])")
_SPLITS: Final[dict[str, Split]] = {"training": "training", "validation": "validation", "test": "test"}
_IMAGE: Final = re.compile(r"(?P<stem>.+)_ct\.nii(\.gz)?")
_MASK: Final = re.compile(r"(?P<stem>.+)_seg-vert_msk\.nii(\.gz)?")
_CHALLENGE_MASK: Final = re.compile(r"(?P<stem>(?:verse|gl)\d+.*)_seg\.nii(\.gz)?", re.IGNORECASE)
_CENTROIDS: Final = ("_seg-subreg_ctd.json", "_seg-vb_ctd.json", "_iso-ctd.json", "_ctd.json")


def find_cases(source: Path) -> list[FoundCase]:
    """Every scan with its mask; a scan without a mask, or the reverse, is a case that cannot be read.

    Names are the files' (`sub-verse401_split-verse253`); where two releases hold one name, the later folder's has
    that folder's name behind it. Patients are the subjects, the same in both releases.
    """
    cases = [*_subject_based(source), *_challenge(source)]
    seen: Counter[str] = Counter()
    named = []
    for case, release in cases:
        seen[case.name] += 1
        again = seen[case.name] > 1
        named.append(replace(case, name=f"{case.name}_{release}") if again else case)
    return named


def _subject_based(source: Path) -> Iterator[tuple[FoundCase, str]]:
    """Cases of rawdata and derivatives, with the name of the folder that holds both."""
    pairs: dict[tuple[Path, str], dict[str, Path]] = {}
    for path in sorted(source.rglob("*.nii*")):
        kind, match = (
            ("image", _IMAGE.fullmatch(path.name))
            if "_ct." in path.name
            else ("mask", _MASK.fullmatch(path.name))
        )
        if match is not None and path.is_file():
            pairs.setdefault((_release(path), match["stem"]), {}).setdefault(kind, path)
    for (release, stem), files in pairs.items():
        image = files.get("image", release / "rawdata" / stem.split("_")[0] / f"{stem}_ct.nii.gz")
        mask = files.get("mask", release / "derivatives" / stem.split("_")[0] / f"{stem}_seg-vert_msk.nii.gz")
        yield _case(source, stem, image, mask), release.name


def _challenge(source: Path) -> Iterator[tuple[FoundCase, str]]:
    for mask in sorted(source.rglob("*_seg.nii*")):
        match = _CHALLENGE_MASK.fullmatch(mask.name)
        if match is not None and mask.is_file():
            image = next(
                (p for end in (".nii.gz", ".nii") if (p := mask.with_name(match["stem"] + end)).exists()),
                mask.with_name(f"{match['stem']}.nii.gz"),
            )
            yield _case(source, match["stem"], image, mask), mask.parent.name


def _release(path: Path) -> Path:
    """The folder that holds rawdata and derivatives; of a file that lies in neither, its own."""
    for parent in path.parents:
        if parent.name in ("rawdata", "derivatives"):
            return parent.parent
    return path.parent


def _case(source: Path, stem: str, image: Path, mask: Path) -> FoundCase:
    problems: list[str] = []
    place = next((p for end in _CENTROIDS if (p := mask.with_name(stem + end)).exists()), None)
    centroids = None
    if place is not None:
        try:
            centroids = read_centroids(place)
        except InputError as error:
            problems.append(str(error))
    match = _PATIENT.match(stem)
    return FoundCase(
        name=stem,
        patient=match[1].lower() if match else stem,
        image=image,
        annotated=frozenset({"level"}),
        read_labels=partial(_read, mask, centroids),
        in_place={"level": mask},
        split=_split(source, image),
        problems=tuple(problems),
        sources=(mask,) if place is None else (mask, place),
    )


def _read(mask: Path, centroids: Centroids | None, scan: Volume) -> CaseLabels:
    level = read_labels_near(mask, scan)
    return CaseLabels(level, centres_mm={} if centroids is None else centroids.world_mm(scan.grid))


def _split(source: Path, image: Path) -> Split | None:
    """The part that a folder's name gives, the innermost first."""
    for name in (*reversed(image.parent.relative_to(source).parts), source.resolve().name):
        match = _SPLIT.search(name.lower())
        if match is not None:
            return _SPLITS[match[1]]
    return None
