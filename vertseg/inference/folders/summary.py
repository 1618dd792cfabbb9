"""`summary.csv`: every vertebra of every finished scan of a folder in one table."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vertseg.inference.folders.discovery import FoundScan
from vertseg.inference.folders.runner import Job
from vertseg.io.atomic import write_text
from vertseg.report.table import COLUMNS

SUMMARY: Final = "summary.csv"
_TABLE: Final = "vertebrae.csv"


def write_summary(scans: Iterable[FoundScan], job: Job) -> Path:
    """Write the rows of all finished scans' tables, after a column with the scan's name, in the scans' order.

    Shards that end at the same time each write the file. It is written again until no scan was finished meanwhile,
    so whichever shard writes last has them all.

    Args:
        scans: all of the folder, whichever shard did them; unfinished ones are left out.
        job: what was done.

    Raises:
        OutputError: the file system refused.
    """
    path = job.output / SUMMARY
    every = tuple(scans)
    written: list[FoundScan] | None = None
    while (done := [scan for scan in every if job.is_finished(scan)]) != written:
        write_text(path, _text(done, job))
        written = done
    return path


def _text(scans: list[FoundScan], job: Job) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ("scan", *COLUMNS), lineterminator="\n")
    writer.writeheader()
    for scan in scans:
        with (job.folder(scan) / _TABLE).open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                writer.writerow({"scan": scan.name, **row})
    return out.getvalue()
