"""The record of a finished scan, in the folder of its results: without it, or with another one, it is done again."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from vertseg import __version__
from vertseg.errors import CheckpointError
from vertseg.inference.folders.discovery import FoundScan
from vertseg.inference.options import PredictOptions
from vertseg.io.atomic import output_error, write_text
from vertseg.io.nifti import file_sha256
from vertseg.nets.meta import TASKS, load_meta, weights_path
from vertseg.report.page_data import PageOptions

RECORD: Final = "finished.json"
_FORMAT: Final = 1
_REPORT: Final = "report.json"

Key = Mapping[str, Any]
"""All that decides over a result beside the scan, as JSON gives it back."""


def result_key(options: PredictOptions, page: PageOptions | None = None) -> Key:
    """Version, checkpoints and the options that change a result; a difference in any of them means another result.

    Of each checkpoint the hash of the weights, and of the JSON beside them, which holds more than the weights (spacing,
    calibration). The engine is the one that was asked for, so "auto" is the same on every machine.

    Raises:
        CheckpointError: a checkpoint is absent, damaged or of another version.
    """
    key = {
        "vertseg": __version__,
        "checkpoints": {task: _checkpoint(options.checkpoint_dir, task) for task in TASKS},
        "options": {
            "levels": None if options.levels is None else sorted(set(options.levels)),
            "cement_ml": options.plan.volume_ml,
            "viscosity": options.plan.viscosity,
            "approach": options.plan.approach,
            "fusion": options.fusion,
            "finding_thresholds": list(options.finding_thresholds),
            "engine": options.engine,
        },
        "page": None if page is None else asdict(page),
    }
    plain: dict[str, Any] = json.loads(json.dumps(key))
    return plain


def _checkpoint(folder: Path | None, task: Any) -> dict[str, str]:
    weights = weights_path(task, folder)
    if not weights.exists():
        raise CheckpointError(
            f"{weights} does not exist; name a folder with locate and examine .safetensors files."
        )
    return {"sha256": load_meta(weights).sha256, "json_sha256": file_sha256(weights.with_suffix(".json"))}


def state_of(scan: FoundScan) -> str:
    """Hash over names, sizes and times of change of a scan's files: equal as long as nobody touched them.

    The time of the inode's change is among them, which a copy that keeps the time of writing does not keep.

    Raises:
        OSError: a file is gone.
    """
    lines = []
    for path in scan.files:
        status = path.stat()
        name = path.name if path == scan.path else path.relative_to(scan.path).as_posix()
        lines.append(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}")
    return hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Finished:
    """What a record says of a result that is there whole.

    Attributes:
        sha256: of the scan, see `vertseg.io.Scan`.
        state: of its files when it was read, see `state_of`.
    """

    sha256: str
    state: str


def finished(folder: Path, key: Key) -> Finished | None:
    """The record of a whole result of this key in `folder`; None where it is to be done (again).

    A result is whole when its report is the one that was recorded, since that is removed before any other file is
    replaced, and every file has the size that was recorded.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        whole = (
            record["format"] == _FORMAT
            and {name: record[name] for name in key} == key
            and all((folder / name).stat().st_size == size for name, size in record["outputs"].items())
            and file_sha256(folder / _REPORT) == record["report_sha256"]
        )
        return Finished(str(record["input"]["sha256"]), str(record["input"]["state"])) if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def record_finished(folder: Path, scan: FoundScan, found: Finished, key: Key) -> None:
    """Write the record of a scan whose outputs are all in `folder`; it appears whole or not at all.

    What a run that was killed while it wrote one left is removed.

    Raises:
        OutputError: the file system refused.
    """
    try:
        for left in folder.glob(f".partial-*-{RECORD}"):
            left.unlink(missing_ok=True)
        outputs = {
            p.name: p.stat().st_size
            for p in sorted(folder.iterdir())
            if p.is_file() and p.name != RECORD and not p.name.startswith(".")
        }
        record = {
            "format": _FORMAT,
            "scan": scan.name,
            "input": {"path": os.fspath(scan.path), "sha256": found.sha256, "state": found.state},
            **key,
            "outputs": outputs,
            "report_sha256": file_sha256(folder / _REPORT),
        }
    except OSError as error:
        raise output_error(folder, error) from error
    write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")


def forget(folder: Path) -> None:
    """Remove a record before the result is replaced.

    Raises:
        OutputError: the file system refused.
    """
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            (folder / RECORD).unlink()
    except OSError as error:
        raise output_error(folder, error) from error
