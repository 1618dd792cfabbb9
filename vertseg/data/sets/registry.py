"""The data sets that `vertseg prepare` knows, by the name it is told; an adapter is loaded when it is asked for."""

import difflib
import importlib
from pathlib import Path
from typing import Final

from vertseg.data.sets.found import FoundCase
from vertseg.errors import ConfigError, InputError

SETS: Final[dict[str, str]] = {
    "verse": "VerSe 2019 and 2020: rawdata and derivatives, or the challenge's folders",
    "ctspine1k": "CTSpine1K: volumes, labels and data_split.txt",
    "totalsegmentator": "TotalSegmentator v2: a folder of masks per case",
    "spine-mets": "Spine-Mets-CT-SEG from TCIA: DICOM CT and DICOM SEG",
    "nnunet": "nnU-Net raw: imagesTr, labelsTr and dataset.json",
    "decathlon": "Medical Segmentation Decathlon: dataset.json with a list of pairs",
    "cohort": "what vertseg phantom cohort wrote, or any folder with an index.json",
    "folder": "a CSV with a row per scan, or a folder that holds cases.csv",
}
"""Name of a set -> its layout in words. The module is named like the set, with `_` for `-`."""


def find_cases(name: str, source: Path) -> list[FoundCase]:
    """Cases of a set below `source`, in the order of their names.

    Raises:
        ConfigError: no set has this name.
        InputError: the source does not exist, or holds nothing in the set's layout.
    """
    if name not in SETS:
        near = difflib.get_close_matches(name, SETS, n=1, cutoff=0.0)[0]
        raise ConfigError(f"'{name}' is no known data set; the nearest is {near}, all are {', '.join(SETS)}.")
    if not source.exists():
        raise InputError(f"'{source}' does not exist; give the folder that the set was unpacked into.")
    adapter = importlib.import_module(f"vertseg.data.sets.{name.replace('-', '_')}")
    cases: list[FoundCase] = adapter.find_cases(source)
    if not cases:
        raise InputError(f"'{source}' holds no case of {name} ({SETS[name]}); check the folder.")
    return sorted(cases, key=lambda case: case.name)
