"""The leak table of a labelled set: which injections leaked, by which route, and how they were done."""

import csv
import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import ConfigError
from vertseg.labels import APPROACHES, LEAK_ROUTES, VISCOSITIES, level_name, level_number

_LEAKS: Final = tuple(f"leak_{route}" for route in LEAK_ROUTES)
COLUMNS: Final = ("case", "level", *_LEAKS, "volume_ml", "viscosity", "approach")
"""Columns of the table. All but the first two may be left out or left empty: unknown."""

NOTES: Final = (
    *("volume_B_ml", "volume_S_ml", "volume_C_canal_ml", "volume_C_other_ml", "volume_D_ml"),
    "pathology",
)
"""Further columns that a table may have and that nothing is learned from: leaked ml by route, that through a
cortical defect told apart by whether it lies in the canal, and what is wrong with the vertebra, in words."""

_MAX_VOLUME_ML: Final = 20.0


@dataclass(frozen=True, eq=False)
class Injection:
    """What is known of one vertebra's injection; NaN is unknown.

    Attributes:
        leak: (4,) float32, 0 or 1 by `labels.LEAK_ROUTES`.
        plan: (3,) float32, volume in ml, index of `labels.VISCOSITIES`, index of `labels.APPROACHES`.
    """

    leak: NDArray[np.float32]
    plan: NDArray[np.float32]


UNKNOWN: Final = Injection(np.full(len(LEAK_ROUTES), np.nan, np.float32), np.full(3, np.nan, np.float32))


def read_leak_table(path: Path, cases: Collection[str]) -> dict[tuple[str, int], Injection]:
    """Injections by case name and level number.

    Args:
        path: CSV with the columns `COLUMNS`, and any of `NOTES`; a leak is 0 or 1, a level is a name such as
            L1.
        cases: names of the index's cases.

    Raises:
        ConfigError: the table cannot be read, a column or value is not known, a case is not in the index, or
            a vertebra has two rows; the sentence names the row.
    """
    table: dict[tuple[str, int], Injection] = {}
    for line, row in _rows(path):
        place = f"Row {line} of {path}"
        key, injection = _injection(row, cases, place)
        if key in table:
            raise ConfigError(f"{place} is the second one of {level_name(key[1])} of '{key[0]}'; keep one.")
        table[key] = injection
    return table


def leak_problems(
    path: Path, whole: Mapping[str, Collection[str]], left_out: Collection[str] = ()
) -> list[str]:
    """Everything that is wrong with a leak table, a sentence for each row; empty when training can use it.

    Args:
        path: the table.
        whole: names of the levels whose body a case shows whole, by the names of the index's cases.
        left_out: names of cases that are not in the index because of an error.

    Raises:
        ConfigError: the file cannot be read, or has unknown columns.
    """
    problems: list[str] = []
    seen: set[tuple[str, int]] = set()
    for line, row in _rows(path):
        place = f"Row {line} of {path}"
        if row["case"] in left_out:
            problems.append(f"{place} is of the case '{row['case']}', which was left out for an error.")
            continue
        try:
            key, _ = _injection(row, whole, place)
        except ConfigError as error:
            problems.append(str(error))
            continue
        name = level_name(key[1])
        if key in seen:
            problems.append(f"{place} is the second one of {name} of '{key[0]}'; keep one.")
        elif name not in whole[key[0]]:
            shown = ", ".join(whole[key[0]]) or "none"
            problems.append(
                f"{place} is of {name} of '{key[0]}', whose label map does not show that body whole (it shows "
                f"{shown}); correct the level or take the row out."
            )
        seen.add(key)
    return problems


def _injection(row: dict[str, str], cases: Collection[str], place: str) -> tuple[tuple[str, int], Injection]:
    """Case and level of a row, and what it tells of the injection."""
    if row["case"] not in cases:
        near = difflib.get_close_matches(row["case"], list(cases), n=1, cutoff=0.0)
        raise ConfigError(
            f"{place} names the case '{row['case']}', which the index does not; the nearest is {near}."
        )
    try:
        key = row["case"], level_number(row["level"])
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    leak = [_choice(row, column, ("0", "1"), place) for column in _LEAKS]
    viscosity = _choice(row, "viscosity", VISCOSITIES, place)
    plan = [_volume(row, place), viscosity, _choice(row, "approach", APPROACHES, place)]
    return key, Injection(np.array(leak, np.float32), np.array(plan, np.float32))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column, absent ones empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"The leak table {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The leak table {path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    reader = csv.DictReader(text.splitlines())
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    if not {"case", "level"} <= set(columns) <= {*COLUMNS, *NOTES} or len(set(columns)) < len(columns):
        raise ConfigError(
            f"The leak table {path} has the columns {columns}; it needs case and level, and may have each of "
            f"{', '.join((*COLUMNS[2:], *NOTES))}, with commas between them."
        )
    for cells in reader:
        if None in cells:
            raise ConfigError(f"Row {reader.line_num} of {path} has more cells than there are columns.")
        yield reader.line_num, {name: (cells.get(name) or "").strip() for name in COLUMNS}


def _choice(row: dict[str, str], column: str, known: tuple[str, ...], place: str) -> float:
    """Index of a cell's value in `known`, NaN for an empty cell."""
    value = row[column].lower()
    if not value:
        return float("nan")
    if value not in known:
        raise ConfigError(
            f"{place} has '{row[column]}' for {column}; it is one of {', '.join(known)}, or empty if unknown."
        )
    return float(known.index(value))


def _volume(row: dict[str, str], place: str) -> float:
    value = row["volume_ml"]
    try:
        volume = float(value or "nan")
    except ValueError:
        volume = 0.0
    if value and not 0 < volume <= _MAX_VOLUME_ML:
        raise ConfigError(
            f"{place} has '{value}' for volume_ml; it is more than 0 and at most {_MAX_VOLUME_ML:.0f} ml, or "
            "empty if unknown."
        )
    return volume
