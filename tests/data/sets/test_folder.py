from pathlib import Path

import numpy as np
import pytest

from tests.data.sets.spine import drawn_spine, save
from vertseg.data.sets.folder import find_cases
from vertseg.errors import ConfigError, InputError
from vertseg.io import read_scan


def _table(folder: Path, text: str) -> Path:
    path = folder / "cases.csv"
    path.write_text(text)
    return path


def test_cells_say_what_is_annotated(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    lytic = (spine.level == 22).astype(np.uint8)
    arrays = {"ct": spine.hu, "level": spine.level, "tissue": spine.tissue, "lytic": lytic}
    for name, array in arrays.items():
        save(tmp_path / "a" / f"{name}.nii.gz", array)
    _table(
        tmp_path,
        "image,level,tissue,lytic_lesion,cement,annotated,case,patient,split\n"
        "a/ct.nii.gz,a/level.nii.gz,a/tissue.nii.gz,a/lytic.nii.gz,none,sacrum other_bone,p1 before,p1,Test\n"
        "a/ct.nii.gz,a/level.nii.gz,,,,,,,\n",
    )
    first, second = find_cases(tmp_path)
    assert first.annotated == {"level", "tissue", "sacrum", "other_bone", "lytic_lesion", "cement"}
    assert (first.name, first.patient, first.split) == ("p1 before", "p1", "test")
    labels = first.read_labels(read_scan(first.image).volume)
    assert np.array_equal(labels.findings["lytic_lesion"].array, spine.level == 22)
    assert not labels.findings["cement"].array.any()
    assert set(first.in_place) == {"level", "tissue", "lytic_lesion"}
    assert (second.name, second.patient, second.split) == ("ct", "ct", None)
    assert second.annotated == {"level"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image,level,lytic\na,b,c\n", r"has the unknown columns \['lytic'\]; it needs image and level"),
        ("image\na\n", "it needs image and level"),
        ("image,level\na\n", "Row 2 of .* has no 'level'"),
        ("image,level\na,b,c\n", "Row 2 of .* has more cells"),
        ("image,level,split\na,b,train\n", "has 'train' for split; it is training, validation or test"),
        ("image,level,annotated\na,b,tissue\n", "has 'tissue' for annotated; it is sacrum or other_bone"),
        ("image,level\nx/ct.nii.gz,b\ny/ct.nii,c\n", "Row 3 of .* is the second one with the name 'ct'"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        find_cases(_table(tmp_path, text))


def test_a_folder_without_table_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no cases.csv; write one with the columns case, patient"):
        find_cases(tmp_path)
