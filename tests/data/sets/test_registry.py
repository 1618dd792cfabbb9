import importlib
from pathlib import Path

import pytest

from vertseg.data.sets.names import SETS
from vertseg.data.sets.registry import find_cases
from vertseg.errors import ConfigError, InputError

NAMES = ("verse", "ctspine1k", "totalsegmentator", "spine-mets", "nnunet", "decathlon", "cohort", "folder")


def test_the_eight_names() -> None:
    assert set(SETS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_adapter_is_there(name: str) -> None:
    adapter = importlib.import_module(f"vertseg.data.sets.{name.replace('-', '_')}")
    assert callable(adapter.find_cases)


def test_wrong_names_and_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'versee' is no known data set; the nearest is verse"):
        find_cases("versee", tmp_path)
    with pytest.raises(InputError, match="does not exist; give the folder that the set was unpacked into"):
        find_cases("verse", tmp_path / "none")
    with pytest.raises(InputError, match="holds no case of verse"):
        find_cases("verse", tmp_path)
    with pytest.raises(ConfigError, match="verse has labels of fixed numbers and takes no --mapping"):
        find_cases("verse", tmp_path, tmp_path / "mapping.json")
