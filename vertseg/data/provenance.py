"""What a recipe learns from, as a checkpoint's JSON keeps it."""

from pathlib import Path
from typing import Any

from vertseg.data.recipes import ExamineData, LocateData
from vertseg.errors import ConfigError
from vertseg.io.nifti import file_sha256


def learned_from(data: LocateData | ExamineData) -> dict[str, Any]:
    """Seeds, label maps that were painted on, and labelled sets with their weights; files with their hashes.

    Raises:
        ConfigError: a file cannot be read.
    """
    seen: dict[str, Any] = {}
    if data.phantom_weight > 0:
        seen["phantom_seeds"] = list(data.train_seeds)
        if data.painting.share > 0:
            maps = [{"map": Path(m.path).name, "sha256": _sha256(m.path)} for m in data.painting.maps]
            seen["painted"] = {"share": data.painting.share, "maps": maps}
        if data.sets:
            seen["phantom_weight"] = data.phantom_weight
    sets = []
    for own in data.sets:
        entry: dict[str, Any] = {"index": own.index, "sha256": _sha256(own.index), "weight": own.weight}
        if own.leak_table is not None:
            entry |= {"leak_table": own.leak_table, "leak_table_sha256": _sha256(own.leak_table)}
        sets.append(entry)
    return {**seen, "sets": sets} if sets else seen


def _sha256(path: str) -> str:
    try:
        return file_sha256(Path(path))
    except OSError as error:
        raise ConfigError(f"{path}, which the recipe names, cannot be read: {error.strerror}.") from None
