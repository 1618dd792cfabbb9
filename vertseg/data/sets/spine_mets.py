"""Spine-Mets-CT-SEG of The Cancer Imaging Archive: DICOM CT and DICOM segmentations of 55 patients with metastases.

"Spine metastatic bone cancer: pre and post radiotherapy CT", version 1, 2024, doi.org/10.7937/kh36-ds04; Haouchine
et al. 2024, medRxiv 2024.10.14.24314447. The NBIA Data Retriever lays it out as

    manifest-1724965242274/metadata.csv
    manifest-1724965242274/Spine-Mets-CT-SEG/10250/04-04-2009-NA-SpineSPINEBONESBRT Adult-04098/
        5.000000-SKINTOSKINSIM0.5MM10250a iMAR-27242/1-001.dcm ...       the CT
        300.000000-Spine Segmentation-86171/1-1.dcm                       the segmentation

or with folders by UID; here only the DICOM headers count, so any layout does in which each CT series has a folder of
its own. A segmentation belongs to the CT series that it refers to, else to the patient's only CT in its frame of
reference.

Annotated are levels: one segment a vertebra, called "T12 vertebra" and the like. The set has no masks of lesions: its
clinical table names the vertebrae with lytic, blastic and mixed lesions, which is no annotation of voxels. Where S1
has a segment, it is given the sacrum's number, but the sacrum does not count as annotated by a piece of it. Rows of
the segmentations may run against those of the CT, and slices without a vertebra are left out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from os.path import commonpath
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.data.sets.dicom_seg import placed_segments, segment_names
from vertseg.data.sets.found import CaseLabels, FoundCase
from vertseg.data.sets.label_names import Meaning, meaning_of
from vertseg.errors import InputError
from vertseg.labels import LEVEL_NUMBERS, SACRUM, column_position, level_name
from vertseg.volume import Volume

_TAGS: Final = [
    "Modality", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "ReferencedSeriesSequence", "SegmentSequence",
]  # fmt: skip
_ROOM_FOR_A_VERTEBRA_MM: Final = 45.0
"""A vertebra and its disc are lower than this (L3 with its disc: about 40 mm)."""


def find_cases(source: Path) -> list[FoundCase]:
    """Cases of the downloaded collection, by PatientID.

    Raises:
        InputError: pydicom is not installed, or there is no CT with a segmentation.
    """
    series, segmentations = _series_in(source)
    if not segmentations:
        raise InputError(
            f"'{source}' holds no DICOM segmentation (Modality SEG); give the folder that the NBIA Data Retriever "
            "filled, with CT and segmentations."
        )
    pairs = [(seg, *_ct_of(seg, series)) for seg in segmentations]
    used = {ct.uid for _, ct, _ in pairs if ct is not None}
    numbers: Counter[str] = Counter()
    several = Counter(seg.patient for seg in segmentations)
    found = []
    for seg, ct, problem in pairs:
        numbers[seg.patient] += 1
        name = seg.patient if several[seg.patient] == 1 else f"{seg.patient}_{numbers[seg.patient]}"
        found.append(_case(name, seg, ct, problem, series))
    found += [_unlabelled(ct) for ct in series if ct.uid not in used and ct.patient not in several]
    return sorted(found, key=lambda case: case.name)


@dataclass
class _Series:
    """What the headers of a CT series, or of one segmentation file, say."""

    uid: str
    patient: str
    study: str
    frame_of_reference: str
    files: list[Path]
    refers_to: tuple[str, ...] = ()
    segments: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return Path(commonpath([path.parent for path in self.files]))


def _series_in(source: Path) -> tuple[list[_Series], list[_Series]]:
    """CT series, and segmentations (one each file), by patient, study and series."""
    cts: dict[str, _Series] = {}
    segmentations = []
    for path, header in _headers(source):
        patient = str(header.get("PatientID") or "").strip() or "unnamed"
        uid = str(header.get("SeriesInstanceUID") or "")
        places = (str(header.get("StudyInstanceUID") or ""), str(header.get("FrameOfReferenceUID") or ""))
        if header.get("Modality") == "SEG":
            refers = tuple(str(s.SeriesInstanceUID) for s in header.get("ReferencedSeriesSequence") or [])
            seg = _Series(uid, patient, *places, [path], refers, segment_names(header))
            segmentations.append(seg)
        elif uid in cts:
            cts[uid].files.append(path)
        else:
            cts[uid] = _Series(uid, patient, *places, [path])
    return sorted(cts.values(), key=_place), sorted(segmentations, key=_place)


def _place(series: _Series) -> tuple[str, str, str]:
    return series.patient, series.study, series.uid


def _headers(source: Path) -> Iterator[tuple[Path, Any]]:
    """Headers of the CT slices and segmentations among all files."""
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise InputError(
            f"'{source}' needs {error.name} to be read as DICOM; install it with pip install 'vertseg[dicom]'."
        ) from error
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        except (pydicom.errors.InvalidDicomError, OSError):
            continue
        except (AttributeError, EOFError, KeyError, NotImplementedError, TypeError, ValueError) as error:
            raise InputError(f"'{path}' is a damaged DICOM file ({error}); copy it again.") from error
        if header.get("Modality") in ("CT", "SEG"):
            yield path, header


def _ct_of(seg: _Series, series: list[_Series]) -> tuple[_Series | None, str]:
    """The CT that a segmentation belongs to, or a sentence on why there is none."""
    named = [ct for ct in series if ct.uid in seg.refers_to]
    if len(named) == 1:
        return named[0], ""
    near = [
        ct for ct in series if (ct.patient, ct.frame_of_reference) == (seg.patient, seg.frame_of_reference)
    ]
    if len(near) == 1 and not named:
        return near[0], ""
    how_many = "several CT series" if named or near else "no CT series"
    return (
        None,
        f"{how_many} found for '{seg.files[0]}'; download the CT that it refers to, and that one only.",
    )


def _case(name: str, seg: _Series, ct: _Series | None, problem: str, series: list[_Series]) -> FoundCase:
    path = seg.files[0]
    problems = [problem] if problem else []
    meanings, doubts = _levels_of_segments(seg)
    problems += doubts
    if ct is not None:
        beside = [o for o in series if o is not ct and any(f.is_relative_to(ct.folder) for f in o.files)]
        if beside:
            problems.append(
                f"'{ct.folder}' holds {len(beside) + 1} CT series; move each into a folder of its own, so that "
                "the one of the segmentation can be read."
            )
    whole = any(m.level == SACRUM and not m.piece for m in meanings.values())
    return FoundCase(
        name=name,
        patient=seg.patient,
        image=path.parent if ct is None else ct.folder,
        annotated=frozenset({"level", "sacrum"} if whole else {"level"}),
        read_labels=partial(_read_labels, path, {n: int(m.level or 0) for n, m in meanings.items()}),
        problems=tuple(problems),
        sources=(path,),
    )


def _unlabelled(ct: _Series) -> FoundCase:
    problem = f"'{ct.folder}' has no segmentation; download the patient's SEG series too."

    def refuse(image: Volume) -> CaseLabels:
        raise InputError(problem)

    return FoundCase(ct.patient, ct.patient, ct.folder, frozenset({"level"}), refuse, problems=(problem,))


def _levels_of_segments(seg: _Series) -> tuple[dict[int, Meaning], list[str]]:
    """Meaning by segment number for those that are a level, and sentences on the others."""
    meanings: dict[int, Meaning] = {}
    problems = []
    for number, names in seg.segments.items():
        known = [m for m in map(meaning_of, names) if m is not None and m.level is not None and not m.tissue]
        if not known:
            called = "' or '".join(dict.fromkeys(names)) or "nothing"
            problems.append(
                f"Segment {number} of '{seg.files[0]}' is called '{called}', no level; it is left out."
            )
            continue
        meanings[number] = known[0]
        if len({m.level for m in known}) > 1:
            called = "' and '".join(dict.fromkeys(names))
            problems.append(f"Segment {number} of '{seg.files[0]}' is called '{called}'; its label counts.")
    counts = Counter(m.level for m in meanings.values())
    for level, count in counts.items():
        if count > 1 and level is not None and level != SACRUM:
            problems.append(
                f"'{seg.files[0]}' has {count} segments called {level_name(level)}; they count as one."
            )
    return meanings, problems


def _read_labels(path: Path, levels: dict[int, int], image: Volume) -> CaseLabels:
    """Levels from the segments; where two overlap, the one whose frame comes first stays."""
    level = np.zeros(image.array.shape, np.uint8)
    overlaps: Counter[tuple[int, int]] = Counter()
    outside = 0
    for placed in placed_segments(path, image):
        number = levels.get(placed.segment, 0)
        if not number:
            continue
        outside += placed.outside
        before = level[placed.voxels]
        for other, count in zip(
            *np.unique(before[(before > 0) & (before != number)], return_counts=True), strict=True
        ):
            overlaps[int(other), number] += int(count)
        level[placed.voxels] = np.where(before > 0, before, number)
    problems = [
        f"The segments {level_name(kept)} and {level_name(other)} overlap in {count} voxels, which count as "
        f"{level_name(kept)}."
        for (kept, other), count in overlaps.items()
    ]
    if outside:
        problems.append(f"{outside} voxels of the segments lie outside the scan.")
    return CaseLabels(image.with_array(level), problems=(*problems, *_unlabelled_ends(level, image)))


def _unlabelled_ends(level: NDArray[np.uint8], image: Volume) -> list[str]:
    """Sentences where the scan goes on so far beyond the labels that another vertebra may be in view."""
    present = sorted(set(np.unique(level).tolist()) - {0}, key=column_position)
    if not present:
        return []
    slices = np.flatnonzero((level > 0).any(axis=(0, 1)))
    slice_mm = image.grid.spacing_mm[2]
    above, below = (level.shape[2] - 1 - slices[-1]) * slice_mm, slices[0] * slice_mm
    told = []
    if above > _ROOM_FOR_A_VERTEBRA_MM and present[0] != LEVEL_NUMBERS["C1"]:
        told.append(
            f"The scan goes on {above:.0f} mm above {level_name(present[0])}; vertebrae there have no label."
        )
    if below > _ROOM_FOR_A_VERTEBRA_MM and column_position(present[-1]) < column_position(
        LEVEL_NUMBERS["L5"]
    ):
        told.append(
            f"The scan goes on {below:.0f} mm below {level_name(present[-1])}; vertebrae there have no label."
        )
    return told
