"""The data sets that `vertseg prepare` knows, by the name it is told; an adapter is loaded when it is asked for."""

import difflib
import importlib
import inspect
import itertools
from pathlib import Path

from vertseg.data.sets.found import FoundCase
from vertseg.data.sets.names import SETS
from vertseg.errors import ConfigError, InputError


def find_cases(name: str, source: Path, mapping: Path | None = None) -> list[FoundCase]:
    """Cases of a set below `source`, in the order of their names.

    Args:
        name: of the set.
        source: the folder (or file) that the set lies in.
        mapping: what labels of unknown names stand for, for the sets whose labels have names.

    Raises:
        ConfigError: no set has this name, or it takes no mapping.
        InputError: the source does not exist, holds nothing in the set's layout, or two cases have one name.
    """
    if name not in SETS:
        near = difflib.get_close_matches(name, SETS, n=1, cutoff=0.0)[0]
        raise ConfigError(f"'{name}' is no known data set; the nearest is {near}, all are {', '.join(SETS)}.")
    if not source.exists():
        raise InputError(f"'{source}' does not exist; give the folder that the set was unpacked into.")
    adapter = importlib.import_module(f"vertseg.data.sets.{name.replace('-', '_')}")
    options: dict[str, Path] = {} if mapping is None else {"mapping": mapping}
    if options and "mapping" not in inspect.signature(adapter.find_cases).parameters:
        raise ConfigError(f"{name} has labels of fixed numbers and takes no --mapping; leave it out.")
    cases: list[FoundCase] = sorted(adapter.find_cases(source, **options), key=lambda case: case.name)
    if not cases:
        raise InputError(f"'{source}' holds no case of {name} ({SETS[name]}); check the folder.")
    for first, second in itertools.pairwise(cases):
        if first.name == second.name:
            raise InputError(
                f"'{first.image}' and '{second.image}' have one name, '{first.name}'; rename one."
            )
    return cases
