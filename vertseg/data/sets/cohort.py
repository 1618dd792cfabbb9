"""vertseg's own layout: a folder with `index.json`, as `vertseg phantom cohort` and `vertseg prepare` write it."""

from functools import partial
from pathlib import Path
from typing import Final

from vertseg.data.cases import Case, read_index
from vertseg.data.sets.folder import read_files
from vertseg.data.sets.found import FoundCase, Split
from vertseg.errors import InputError

INDEX: Final = "index.json"


def find_cases(source: Path) -> list[FoundCase]:
    """The index's cases, in the parts that it puts them in.

    Args:
        source: the folder, or the index itself.

    Raises:
        InputError: the folder has no index.
        ConfigError: the index is wrong.
    """
    index = source / INDEX if source.is_dir() else source
    if not index.exists():
        raise InputError(f"'{source}' has no {INDEX}; a cohort has it when it is finished.")
    parts = read_index(index, needed=())
    return [_found(case, part) for part, cases in parts.items() for case in cases]


def _found(case: Case, split: Split) -> FoundCase:
    files = {"level": case.level, **dict(case.findings)}
    if case.tissue is not None:
        files["tissue"] = case.tissue
    return FoundCase(
        name=case.name,
        patient=case.patient or case.name,
        image=case.image,
        annotated=case.annotated,
        read_labels=partial(read_files, files, ()),
        in_place=files,
        split=split,
        sources=tuple(files.values()),
    )
