"""A plain folder of scans and label maps, told by a CSV with a row per scan.

The source is the CSV, or a folder that holds `cases.csv`. File names are relative to the CSV. Columns:

- `image`: NIfTI file or DICOM folder. Needed.
- `level`: label map in VerSe's numbers (C1-C7 1-7, T1-T12 8-19, L1-L6 20-25, sacrum 26, coccyx 27, T13 28). Needed.
- `tissue`: label map with 1 body, 2 posterior elements, 3 sacrum, 4 other bone.
- `lytic_lesion`, `sclerotic_lesion`, `posterior_wall_defect`, `cement`: masks, or `none` where somebody looked and
  there is none in the scan. An empty cell: nobody looked.
- `annotated`: `sacrum` or `other_bone`, or both with a space between, where all of it is labelled.
- `case`: name, which a leak table refers to; the image's name without its ending if left out.
- `patient`: scans of one patient never fall into different parts; the case's name if left out.
- `split`: training, validation or test; drawn if left out.
"""

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, get_args

import numpy as np

from vertseg.data.sets.found import CaseLabels, FoundCase, Split
from vertseg.data.sets.grids import read_labels_near
from vertseg.errors import ConfigError, InputError
from vertseg.labels import FINDINGS
from vertseg.volume import Volume

TABLE: Final = "cases.csv"
COLUMNS: Final = ("case", "patient", "split", "image", "level", "tissue", *FINDINGS, "annotated")
NONE: Final = "none"
_EXTRA: Final = ("sacrum", "other_bone")


def find_cases(source: Path) -> list[FoundCase]:
    """A case per row of the table.

    Raises:
        InputError: there is no table, or it cannot be read.
        ConfigError: a column or value is not known, or two rows have one name; the sentence names the row.
    """
    table = source / TABLE if source.is_dir() else source
    cases: dict[str, FoundCase] = {}
    for place, row in _rows(table):
        case = _case(table.parent, row, place)
        if case.name in cases:
            raise ConfigError(f"{place} is the second one with the name '{case.name}'; give a column 'case'.")
        cases[case.name] = case
    return list(cases.values())


def _rows(table: Path) -> list[tuple[str, dict[str, str]]]:
    """Words that name a row, and its cells by column, absent ones empty."""
    if not table.exists():
        raise InputError(f"'{table.parent}' has no {TABLE}; write one with the columns {', '.join(COLUMNS)}.")
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"'{table}' cannot be read as UTF-8 text ({error}); save it as CSV in UTF-8."
        ) from None
    reader = csv.DictReader(text.splitlines())
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown or not {"image", "level"} <= set(columns):
        wrong = f"the unknown columns {unknown}" if unknown else f"the columns {columns}"
        raise ConfigError(
            f"'{table}' has {wrong}; it needs image and level, and may have each of {', '.join(COLUMNS)}, with "
            "commas between them."
        )
    rows = []
    for cells in reader:
        place = f"Row {reader.line_num} of '{table}'"
        if None in cells:
            raise ConfigError(f"{place} has more cells than there are columns.")
        rows.append((place, {name: (cells.get(name) or "").strip() for name in COLUMNS}))
    return rows


def _case(folder: Path, row: Mapping[str, str], place: str) -> FoundCase:
    for needed in ("image", "level"):
        if not row[needed]:
            raise ConfigError(f"{place} has no '{needed}'; every case needs a scan and a level map.")
    split = _split(row["split"], place)
    files = {
        name: folder / row[name] for name in ("level", "tissue", *FINDINGS) if row[name] not in ("", NONE)
    }
    absent = tuple(name for name in FINDINGS if row[name].lower() == NONE)
    extra = row["annotated"].replace(";", " ").split()
    if not set(extra) <= set(_EXTRA):
        raise ConfigError(
            f"{place} has '{row['annotated']}' for annotated; it is sacrum or other_bone, or both with a space "
            "between (the rest is told by which files there are)."
        )
    image = folder / row["image"]
    name = row["case"] or image.name.removesuffix(".gz").removesuffix(".nii")
    return FoundCase(
        name=name,
        patient=row["patient"] or name,
        image=image,
        annotated=frozenset({*files, *absent, *extra}),
        read_labels=partial(read_files, files, absent),
        in_place=files,
        split=split,
        sources=tuple(files.values()),
    )


def read_files(files: Mapping[str, Path], absent: tuple[str, ...], scan: Volume) -> CaseLabels:
    """Labels of NIfTI files that already hold vertseg's numbers.

    Args:
        files: by "level", "tissue" or a finding's name.
        absent: findings of which there are none in the scan; their masks are empty.
        scan: whose grid they must lie on.

    Raises:
        InputError: a file cannot be read or lies on another grid.
    """
    maps = {name: read_labels_near(path, scan) for name, path in files.items()}
    empty = {name: scan.with_array(np.zeros(scan.array.shape, np.uint8)) for name in absent}
    found = {name: volume for name, volume in maps.items() if name in FINDINGS}
    return CaseLabels(maps["level"], maps.get("tissue"), {**found, **empty})


def _split(value: str, place: str) -> Split | None:
    for split in get_args(Split):
        if value.lower() == split:
            known: Split = split
            return known
    if value:
        raise ConfigError(f"{place} has '{value}' for split; it is training, validation or test, or empty.")
    return None
