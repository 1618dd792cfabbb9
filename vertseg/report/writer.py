"""All files of a prediction, in a folder, whole or not at all."""

import errno
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vertseg.errors import OutputError
from vertseg.inference.engines.threads import cpu_threads
from vertseg.inference.findings import Findings
from vertseg.io import write_nifti
from vertseg.io.atomic import output_error
from vertseg.report.document import write_page
from vertseg.report.page_data import PageOptions
from vertseg.report.preview import draw_preview
from vertseg.report.summary import report, report_text
from vertseg.report.table import csv_text
from vertseg.volume import Volume

if TYPE_CHECKING:
    from vertseg.planning.plan import VertebraPlan

_PARTIAL: Final = re.compile(r"^\.vertseg-partial-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{8}$")
REPORT: Final = "report.json"
"""Written last: where it is, all other files of the same prediction are."""


def check_output(folder: Path) -> None:
    """Refuse, before any work, a folder that cannot be written.

    Raises:
        OutputError: a file is in its place, or there is no permission.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise output_error(folder, OSError(errno.ENOTDIR, "not a folder"))
    if not os.access(existing, os.W_OK | os.X_OK):
        raise output_error(folder, OSError(errno.EACCES, "no permission"))


AlsoWrite = Callable[[Findings, Path], object]
"""Writes further files of a prediction into a folder."""


def write_outputs(
    findings: Findings,
    scan: Volume,
    folder: str | os.PathLike[str],
    plans: "Sequence[VertebraPlan]" = (),
    page: PageOptions | None = None,
    also: AlsoWrite | None = None,
) -> Path:
    """Write all outputs into `folder`; the path of the folder.

    They are written to a hidden folder on the same disk first. A new `folder` then appears by one rename;
    in an existing one the files are replaced one by one, `report.json` last. A run that is killed leaves
    no half-written output, at most the hidden folder, which the next run there removes.

    Args:
        findings: of one scan.
        scan: the scan in HU, RAS, for the preview.
        folder: made when absent, with its parents.
        plans: of the findings' vertebrae, for the reports.
        page: how `report.html` is written; None leaves it out.
        also: writes further files, which appear together with the others.

    Raises:
        OutputError: the disk is full, or the file system refuses otherwise.
    """
    final = Path(folder)
    try:
        home = final if final.exists() else final.parent
        home.mkdir(parents=True, exist_ok=True)
        _remove_stale(home)
        partial = home / f".vertseg-partial-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        partial.mkdir()
        try:
            if also is not None:
                also(findings, partial)
            _write_all(findings, scan, partial, plans, page)
            _publish(partial, final)
        finally:
            with suppress(OSError):
                shutil.rmtree(partial)
    except OSError as error:
        raise output_error(final, error) from error
    except OutputError as error:
        if isinstance(error.__cause__, OSError):
            raise output_error(final, error.__cause__) from error
        raise
    return final


def _write_all(
    findings: Findings,
    scan: Volume,
    folder: Path,
    plans: "Sequence[VertebraPlan]",
    page: PageOptions | None,
) -> None:
    volumes = {"levels": findings.levels, "tissue": findings.tissue, **findings.masks}
    # Most of the work of both is outside Python's lock.
    with ThreadPoolExecutor(1) as pool:
        preview = pool.submit(draw_preview, findings, scan, folder / "preview.png")
        for name, volume in volumes.items():
            write_nifti(folder / f"{name}.nii.gz", volume, threads=cpu_threads(None))
        preview.result()
    if page is not None:
        write_page(findings, scan, folder, plans, page)
    content = report(findings, plans)
    (folder / "vertebrae.csv").write_text(csv_text(content), encoding="utf-8")
    (folder / REPORT).write_text(report_text(content), encoding="utf-8")


def _publish(partial: Path, final: Path) -> None:
    for path in partial.iterdir():
        with path.open("rb") as written:
            os.fsync(written.fileno())
    if not final.exists():
        os.rename(partial, final)
        return
    names = sorted((p.name for p in partial.iterdir()), key=lambda name: name == REPORT)
    with suppress(FileNotFoundError):
        (final / REPORT).unlink()
    for name in names:
        os.replace(partial / name, final / name)


def _remove_stale(home: Path) -> None:
    """Remove hidden folders that runs on this machine left when they were killed."""
    for path in home.glob(".vertseg-partial-*"):
        match = _PARTIAL.match(path.name)
        if match and match["host"] == socket.gethostname() and not _is_running(int(match["pid"])):
            with suppress(OSError):
                shutil.rmtree(path)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
