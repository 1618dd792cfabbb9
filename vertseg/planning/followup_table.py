"""Outcomes of injections as rows of a leak table, so that a clinic's own labels grow with its follow-ups."""

import csv
import io
from pathlib import Path
from typing import Final

from vertseg.data.leaks import COLUMNS, NOTES, read_leak_table
from vertseg.errors import ConfigError
from vertseg.io.atomic import write_text
from vertseg.labels import LEAK_ROUTES, level_number
from vertseg.planning.cement_spread import CementSpread
from vertseg.planning.followup import TreatedVertebra

Row = dict[str, str]
_VOLUMES: Final = tuple(n for n in NOTES if n.startswith("volume_"))


def outcome_row(case: str, vertebra: TreatedVertebra, plan: Row) -> Row:
    """A row of the leak table: which routes leaked, how much, and how it was injected.

    Args:
        case: name of the scan before the injection in the set's index.
        vertebra: treated.
        plan: any of volume_ml, viscosity and approach; absent ones are unknown.
    """
    cement = vertebra.cement
    leaks = {f"leak_{route}": str(int(cement.leak[route])) for route in LEAK_ROUTES}
    return {"case": case, "level": vertebra.name, **leaks, **plan, **_volumes(cement)}


def _volumes(cement: CementSpread) -> Row:
    canal = sum(k.volume_ml for k in cement.leaks if k.route == "C" and k.compartment == "canal")
    ml = {**cement.route_ml, "C_canal": canal, "C_other": cement.route_ml["C"] - canal}
    return {name: f"{ml[name.removeprefix('volume_').removesuffix('_ml')]:.3f}" for name in _VOLUMES}


def check_table(path: Path, case: str, replace: bool, levels: tuple[int, ...] | None = None) -> None:
    """Refuse, before any work, a table that cannot take rows of a case.

    Args:
        path: the table; need not exist.
        case: of the rows.
        replace: whether rows of the same vertebrae may be there.
        levels: those to be written; None stands for any.

    Raises:
        ConfigError: the table cannot be read or is no leak table, or a row of the same vertebra is there.
    """
    if not case.strip() or case != case.strip():
        raise ConfigError(
            "--case needs a name: that of the scan before the injection in the set's cases.csv."
        )
    _, rows = _read(path)
    twice = [
        r["level"]
        for r in rows
        if r["case"] == case and (levels is None or level_number(r["level"]) in levels)
    ]
    if twice and not replace and levels is not None:
        raise ConfigError(
            f"'{path}' has a row of {', '.join(twice)} of '{case}' already; add --replace to write it anew."
        )


def add_outcomes(path: Path, new: list[Row], replace: bool) -> None:
    """Add rows to a leak table, which appears whole or stays as it was.

    Args:
        path: made when absent.
        new: see `outcome_row`.
        replace: rows of the same case and level make place; else they are refused.

    Raises:
        ConfigError: see `check_table`.
        OutputError: the file system refused.
    """
    for row in new:
        check_table(path, row["case"], replace, (level_number(row["level"]),))
    columns, rows = _read(path)
    columns += [c for c in (*COLUMNS, *_VOLUMES) if c not in columns and any(row.get(c) for row in new)]
    keys = {(row["case"], level_number(row["level"])) for row in new}
    kept = [r for r in rows if (r["case"], level_number(r["level"])) not in keys]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows([*kept, *new])
    write_text(path, out.getvalue())


def _read(path: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows of a table; the usual columns and no row where there is none.

    Raises:
        ConfigError: it is no leak table.
    """
    if not path.exists():
        return list(COLUMNS), []
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = [{c: (cells.get(c) or "").strip() for c in columns} for cells in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The leak table {path} cannot be read ({error}); save it as CSV in UTF-8."
        ) from None
    # Says what is wrong with a row or a column, in words.
    read_leak_table(path, {row.get("case", "") for row in rows})
    return columns, rows
