"""The scans of a folder: NIfTI files and zips at any depth, and DICOM CT series."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from vertseg.errors import ConfigError, InputError
from vertseg.labels import FINDINGS

if TYPE_CHECKING:
    from vertseg.io.series import Series

_NIFTI: Final = (".nii.gz", ".nii")
_ENDINGS: Final = (*_NIFTI, ".zip")
_REPORT: Final = "report.json"
_RESULTS: Final = frozenset(f"{name}.nii.gz" for name in ("levels", "tissue", *FINDINGS))


@dataclass(frozen=True)
class FoundScan:
    """A scan that is there to be read.

    Attributes:
        name: where its results go, relative to the output: its own place in the folder, with "/".
        path: the file, or the folder of a series.
        files: what is read, with full paths.
        series: SeriesInstanceUID; None for NIfTI and zips.
    """

    name: str
    path: Path
    files: tuple[Path, ...]
    series: str | None = None


@dataclass(frozen=True)
class BadScan:
    """What cannot be used, and the sentence that says why."""

    name: str
    sentence: str


@dataclass(frozen=True)
class FoundScans:
    """All scans of a folder by name, and what was seen to be unusable while looking for them."""

    scans: tuple[FoundScan, ...]
    bad: tuple[BadScan, ...] = ()

    def part(self, number: int, parts: int) -> "FoundScans":
        """Every `parts`-th by name from `number`, 1 to `parts`: disjoint, complete, and equal within one scan."""
        names = sorted({*(s.name for s in self.scans), *(b.name for b in self.bad)}, key=_order)
        mine = set(names[number - 1 :: parts])
        return FoundScans(
            tuple(s for s in self.scans if s.name in mine), tuple(b for b in self.bad if b.name in mine)
        )


@dataclass
class _Seen:
    """What the walk came by: files that are scans by their ending, all others, and what could not be opened."""

    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    closed: list[BadScan] = field(default_factory=list)


def find_scans(
    root: Path, leave_out: Path | None = None, match: str | None = None, series: str | None = None
) -> FoundScans:
    """The scans under a folder, ordered by name.

    Hidden files and folders and the files that `vertseg predict` wrote are passed over, and so are DICOM series
    that are no CT volume. Links to folders are followed, each folder once. A DICOM file whose header is damaged makes
    the series in its own folder bad, because a slice of any of them may be missing.

    Args:
        root: an existing folder.
        leave_out: a folder in it that is not looked into, as the one for the results.
        match: pattern with * and ? of the wanted scans' file names or paths below `root` (of a series: its folder's).
        series: DICOM series with this UID, number or description only, and no NIfTI.

    Raises:
        ConfigError: two scans would have one name.
    """
    seen = _walk(root, leave_out)
    named: dict[str, list[FoundScan]] = defaultdict(list)
    for path in seen.images:
        if series is None or path.name.lower().endswith(".zip"):
            name = path.relative_to(root).as_posix()
            found = FoundScan(_without_ending(name), path, (path,), series)
            named[found.name.casefold()].append(found)
    dicom, bad = _series_scans(root, seen.others, series)
    for scan in dicom:
        named[scan.name.casefold()].append(scan)
    scans = [s for group in named.values() for s in (group if len(group) == 1 else map(_whole_name, group))]
    twice = [name for name, n in Counter(s.name.casefold() for s in scans).items() if n > 1]
    if twice:
        raise ConfigError(f"'{root}' holds several scans named '{twice[0]}'; rename one of them.")
    wanted = _matching(match, root)
    return FoundScans(
        tuple(sorted((s for s in scans if wanted(s.path)), key=lambda s: _order(s.name))),
        tuple(
            sorted((b for b in (*bad, *seen.closed) if wanted(root / b.name)), key=lambda b: _order(b.name))
        ),
    )


def _walk(root: Path, leave_out: Path | None) -> _Seen:
    seen = _Seen()
    left_out = None if leave_out is None or leave_out.resolve() == root.resolve() else leave_out.resolve()
    entered: set[tuple[int, int]] = set()

    def closed(error: OSError) -> None:
        name = Path(error.filename).relative_to(root).as_posix()
        seen.closed.append(BadScan(name, f"'{error.filename}' could not be opened: {error.strerror}."))

    for place, folders, names in os.walk(root, followlinks=True, onerror=closed):
        status = os.stat(place)
        identity = (status.st_dev, status.st_ino)
        if identity in entered or Path(place).resolve() == left_out:
            folders.clear()
            continue
        entered.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        results = _RESULTS if _REPORT in names else frozenset()
        for name in sorted(names):
            if not name.startswith(".") and name not in results:
                kind = seen.images if name.lower().endswith(_ENDINGS) else seen.others
                kind.append(Path(place, name))
    return seen


def _series_scans(
    root: Path, files: Iterable[Path], wanted: str | None
) -> tuple[list[FoundScan], list[BadScan]]:
    """CT volumes among the files, each under its folder's name, or in it where a folder has several."""
    parts, damaged = _headers(files)
    by_folder: dict[Path, list[tuple[Series, tuple[Path, ...]]]] = defaultdict(list)
    for members in parts.values():
        frames = sum(len(s.frames) for s, _ in members)
        one = members[0][0]
        if one.modality == "CT" and frames > 1 and _is_wanted(one, wanted):
            paths = tuple(path for _, path in members)
            by_folder[Path(os.path.commonpath([p.parent for p in paths]))].append((one, paths))
    scans, bad = [], []
    for folder, group in by_folder.items():
        numbers = Counter(s.number for s, _ in group)
        for one, paths in group:
            place = PurePosixPath(folder.relative_to(root).as_posix())
            if len(group) > 1 or folder == root:
                place /= f"series_{one.number if one.number and numbers[one.number] == 1 else one.uid}"
            hurt = [damaged[p] for p in sorted({p.parent for p in paths}) if p in damaged]
            if hurt:
                bad.append(BadScan(str(place), hurt[0]))
            else:
                scans.append(FoundScan(str(place), folder, paths, one.uid))
    told = {b.sentence for b in bad}
    bad += [
        BadScan(folder.relative_to(root).as_posix(), sentence)
        for folder, sentence in damaged.items()
        if sentence not in told and wanted is None
    ]
    return scans, bad


def _headers(files: Iterable[Path]) -> tuple[dict[str, list[tuple["Series", Path]]], dict[Path, str]]:
    """Series by UID, a part of each for every file; and of each folder with damaged files, what is wrong there."""
    parts: dict[str, list[tuple[Series, Path]]] = defaultdict(list)
    damaged: dict[Path, str] = {}
    candidates = iter(files)
    try:
        from vertseg.io.series import find_series
    except ModuleNotFoundError as error:
        needs = f"needs {error.name} to be read as DICOM; install it with pip install 'vertseg[dicom]'."
        for path in _with_dicom_mark(candidates):
            damaged.setdefault(path.parent, f"'{path}' {needs}")
        return parts, damaged
    for path in candidates:
        try:
            for one in find_series([path]):
                parts[one.uid].append((one, path))
        except InputError as error:
            damaged.setdefault(path.parent, str(error))
    return parts, damaged


def _with_dicom_mark(files: Iterable[Path]) -> Iterator[Path]:
    for path in files:
        try:
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM":
                    yield path
        except OSError:
            continue


def _is_wanted(series: "Series", wanted: str | None) -> bool:
    if wanted is None:
        return True
    from vertseg.io.series import is_named

    return is_named(series, wanted)


def _matching(pattern: str | None, root: Path) -> Callable[[Path], bool]:
    def matches(path: Path) -> bool:
        return pattern is None or any(
            fnmatchcase(name, pattern) for name in (path.name, path.relative_to(root).as_posix())
        )

    return matches


def _without_ending(name: str) -> str:
    ending = next(e for e in _ENDINGS if name.lower().endswith(e))
    return name[: -len(ending)] or name


def _whole_name(scan: FoundScan) -> FoundScan:
    """A file's scan under the name with its ending, where others have the same without."""
    if scan.files != (scan.path,):
        return scan
    return replace(scan, name=str(PurePosixPath(scan.name).with_name(scan.path.name)))


def _order(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts
