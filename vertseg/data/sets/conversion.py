"""One case made ready: read, checked, its labels written where they are not what an index wants, and recorded.

The record (a JSON beside the labels) says what the case was made from, so that a second run only does what is new.
"""

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vertseg.data.cases import ANNOTATIONS
from vertseg.data.sets.column_checks import (
    check_centres,
    check_front,
    check_gaps,
    check_order,
    check_tissue,
    column_of,
)
from vertseg.data.sets.found import CaseLabels, FoundCase
from vertseg.data.sets.image_checks import check_fit, check_header, check_spacing
from vertseg.data.sets.problems import Problem, error, warning
from vertseg.data.sets.sides import check_sides
from vertseg.errors import OutputError, VertsegError
from vertseg.frames import labelled_vertebrae
from vertseg.io import Scan, read_scan, write_nifti
from vertseg.io.atomic import write_text
from vertseg.io.nifti import file_sha256
from vertseg.labels import FINDINGS, level_name
from vertseg.source_digest import source_digest
from vertseg.volume import Volume, restore


@dataclass(frozen=True)
class PreparedCase:
    """A case as the index and the report tell of it.

    Attributes:
        case: its name.
        image: file or folder, absolute.
        files: label files by "level", "tissue" or a finding's name, absolute; none where there was an error.
        annotated: names of `data.cases.ANNOTATIONS`, in that order.
        sha256: of the image and the label files.
        voxels: hash of the image's values, whatever the file's compression and orientation.
        shape: voxels along the image's own axes.
        spacing_mm: along the same.
        levels: names of the labelled levels, from head to foot.
        whole: names of those whose body is whole in the scan: the ones that can have a crop, or a leak.
        problems: what is wrong.
    """

    case: str
    image: str
    files: dict[str, str]
    annotated: tuple[str, ...]
    sha256: dict[str, str]
    voxels: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    levels: tuple[str, ...]
    whole: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def usable(self) -> bool:
        """Whether nothing leaves it out of the index."""
        return not any(problem.severity == "error" for problem in self.problems)

    def with_problem(self, problem: Problem) -> "PreparedCase":
        """The same with one problem more."""
        return replace(self, problems=(*self.problems, problem))


def prepare_case(found: FoundCase, folder: Path, fresh: bool = False) -> PreparedCase:
    """Read, check and convert a case, or take it from its record when nothing it was made from has changed.

    Args:
        found: the case.
        folder: where converted labels and the record go.
        fresh: make it anew even so.

    Raises:
        OutputError: the file system refused.
    """
    record = folder / f"{file_name(found.name)}.json"
    stamp = _stamp(found)
    known = None if fresh else _recorded(record, stamp)
    if known is not None:
        return known
    case = _prepared(found, folder)
    write_text(record, json.dumps({"stamp": stamp, "case": asdict(case)}, indent=1) + "\n")
    return case


def file_name(case: str) -> str:
    """The case's name as a file's: what a file system may not take is replaced, and a digest keeps it unique."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", case).lstrip(".")
    return safe if safe == case else f"{safe}-{hashlib.sha256(case.encode()).hexdigest()[:8]}"


def _prepared(found: FoundCase, folder: Path) -> PreparedCase:
    problems = tuple(warning("files", sentence) for sentence in found.problems)
    annotated = tuple(name for name in ANNOTATIONS if name in found.annotated)
    case = PreparedCase(found.name, _absolute(found.image), {}, annotated, {}, "", (), (), (), (), problems)
    try:
        scan = read_scan(found.image)
        labels = found.read_labels(scan.volume)
        headers = [p for path in (found.image, *found.in_place.values()) for p in check_header(path)]
    except OutputError:
        raise
    except VertsegError as refusal:
        return case.with_problem(error("reading", str(refusal)))
    case = replace(
        case,
        voxels=_voxels_sha256(scan.volume),
        shape=scan.source.shape,
        spacing_mm=tuple(round(s, 4) for s in scan.source.spacing_mm),
        problems=(*problems, *headers, *check_spacing(scan.source.spacing_mm)),
    )
    case = _checked(case, found.annotated, labels, scan.volume)
    return _with_files(case, found, labels, scan, folder) if case.usable else case


def _checked(case: PreparedCase, annotated: frozenset[str], labels: CaseLabels, scan: Volume) -> PreparedCase:
    """The case with its levels and everything that is wrong with its labels."""
    column = column_of(labels.level)
    problems = [*column.problems, *(warning("labels", sentence) for sentence in labels.problems)]
    problems += _missing(annotated, labels)
    whole: tuple[str, ...] = ()
    if column.centres_mm:
        vertebrae = labelled_vertebrae(labels.level, labels.tissue if "tissue" in annotated else None)
        whole = tuple(level_name(v.level) for v in vertebrae)
        problems += [*check_order(column), *check_gaps(column), *check_front(vertebrae)]
        problems += [*check_fit(scan, labels.level), *check_centres(labels.level, labels.centres_mm)]
        problems += check_sides(labels.organs_mm, column.vertebrae_mm)
    if labels.tissue is not None:
        problems += check_tissue(labels.level, labels.tissue)
    levels = tuple(level_name(n) for n in column.centres_mm)
    return replace(case, levels=levels, whole=whole, problems=(*case.problems, *problems))


def _missing(annotated: frozenset[str], labels: CaseLabels) -> Iterator[Problem]:
    """Errors for what is said to be annotated and has no map."""
    if labels.tissue is None and annotated & {"tissue", "other_bone"}:
        names = " and ".join(sorted(annotated & {"tissue", "other_bone"}))
        yield error("annotated", f"{names} counts as annotated, but there is no tissue map.")
    for name in FINDINGS:
        if name in annotated and name not in labels.findings:
            yield error("annotated", f"{name} counts as annotated, but there is no mask of it.")


def _with_files(
    case: PreparedCase, found: FoundCase, labels: CaseLabels, scan: Scan, folder: Path
) -> PreparedCase:
    """The case with its label files: the set's own where they lie voxel on voxel, else written anew."""
    maps = {"level": labels.level, "tissue": labels.tissue}
    maps |= {name: labels.findings[name] for name in FINDINGS if name in found.annotated}
    files, problems = {}, list(case.problems)
    for name, volume in maps.items():
        if volume is None:
            continue
        own = found.in_place.get(name)
        exact = volume.grid.matches(scan.volume.grid)
        if own is not None and exact:
            files[name] = Path(_absolute(own))
            continue
        if not exact:
            problems.append(
                warning(
                    "grid",
                    f"The {name} map lies within half a voxel of the image's grid and was put onto it.",
                )
            )
        files[name] = Path(_absolute(folder / f"{file_name(found.name)}_{name}.nii.gz"))
        _write_labels(files[name], volume.array > 0 if name in FINDINGS else volume.array, scan)
    digests = {name: file_sha256(path) for name, path in files.items()}
    return replace(
        case,
        files={name: str(path) for name, path in files.items()},
        sha256={"image": scan.sha256, **digests},
        problems=tuple(problems),
    )


def _absolute(path: Path) -> str:
    """Links stay links: where a store (git-annex, DVC) keeps a file is its own affair."""
    return os.path.abspath(path)


def _write_labels(path: Path, array: np.ndarray[Any, Any], scan: Scan) -> None:
    """uint8 labels in the order of the scan's own file, so that any viewer lays them over it."""
    write_nifti(path, restore(Volume(array.astype(np.uint8), scan.volume.affine), scan.source))


def _voxels_sha256(volume: Volume) -> str:
    digest = hashlib.sha256(repr(volume.array.shape).encode())
    digest.update(np.ascontiguousarray(volume.array).data)
    return digest.hexdigest()


def _stamp(found: FoundCase) -> list[Any]:
    """Everything that the prepared case depends on, as JSON gives it back."""
    inside = (
        sorted(p for p in found.image.rglob("*") if p.is_file()) if found.image.is_dir() else [found.image]
    )
    files = [*inside, *found.in_place.values(), *found.sources]
    times = [[_absolute(p), p.stat().st_size, p.stat().st_mtime_ns] for p in files if p.exists()]
    return [code_digest(), times, sorted(found.in_place), sorted(found.annotated), list(found.problems)]


@functools.cache
def code_digest() -> str:
    """Digest of the adapters' and checks' source: what an older one passed is looked at again."""
    return source_digest(sorted(Path(__file__).parent.glob("*.py")))[:12]


def _recorded(record: Path, stamp: list[Any]) -> PreparedCase | None:
    """The recorded case, when it was made from the same and its files are still there."""
    try:
        content = json.loads(record.read_text())
        if content["stamp"] != stamp:
            return None
        plain = content["case"]
        lists = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
        problems = tuple(Problem(**problem) for problem in plain["problems"])
        case = PreparedCase(**{**plain, **lists, "problems": problems})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return case if all(Path(path).exists() for path in case.files.values()) else None
