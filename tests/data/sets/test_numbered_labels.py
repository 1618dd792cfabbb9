from pathlib import Path

import numpy as np
import pytest

from tests.data.sets.drawn_maps import L4_BOX, LESION_BOX, drawn_map, write_nifti, write_scan
from vertseg.data.sets.label_names import Meaning, meaning_of
from vertseg.data.sets.numbered_labels import NumberedLabels, numbered_labels
from vertseg.errors import ConfigError, InputError
from vertseg.io import read_scan
from vertseg.labels import LocateClass
from vertseg.volume import Volume, restore

L4, L5 = 23, 24
BODY, POSTERIOR = LocateClass.BODY, LocateClass.POSTERIOR


def _table(**numbers: int | list[int]) -> NumberedLabels:
    """A set whose labels are called as the arguments are, with a blank for each underscore."""
    pairs: list[tuple[Meaning, list[int]]] = []
    for name, covered in numbers.items():
        meaning = meaning_of(name)
        assert meaning is not None, name
        pairs.append((meaning, covered if isinstance(covered, list) else [covered]))
    return numbered_labels(pairs, Path("dataset.json"))


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    write_scan(tmp_path / "ct.nii.gz")
    return read_scan(tmp_path / "ct.nii.gz").volume


def test_a_set_annotates_what_its_labels_cover_as_a_whole() -> None:
    assert _table(L4=1, L5=2).annotated == {"level"}
    assert _table(L4=1, sacrum=2).annotated == {"level", "sacrum"}
    assert _table(L4=1, S1=2).annotated == {"level"}
    assert _table(L4=1, hip_left=2, hip_right=3).annotated == {"level"}
    assert _table(L4=1, hip_left=2, rib=3, femur=4).annotated == {"level", "other_bone"}
    assert _table(L4=1, other_bone=2).annotated == {"level", "other_bone"}
    assert _table(L4_body=1, L4_posterior=2).annotated == {"level", "tissue"}
    assert _table(L4_body=1, L4_posterior=2, L5=3).annotated == {"level"}
    assert _table(L4=1, lytic=2, cement=3).annotated == {"level", "lytic_lesion", "cement"}


def test_levels_that_the_set_does_not_name_are_told() -> None:
    (doubt,) = _table(**{f"T{n}": n for n in range(1, 13)}, **{f"L{n}": 20 + n for n in range(1, 6)}).problems
    assert doubt.startswith("The set has no label for C1 to C7;")
    whole = (
        {f"C{n}": n for n in range(1, 8)}
        | {f"T{n}": 7 + n for n in range(1, 13)}
        | {f"L{n}": 19 + n for n in range(1, 6)}
    )
    assert _table(**whole).problems == ()
    some = {name: number for name, number in whole.items() if name not in ("C1", "T12", "L1")}
    assert "no label for C1, T12 to L1;" in _table(**some).problems[0]
    assert "belong to no vertebra" in _table(**whole, cement=30).problems[0]


def test_a_lesion_in_place_of_its_vertebra_takes_its_level(tmp_path: Path, volume: Volume) -> None:
    stored = drawn_map(l4=1, l5=2, lesion=7)
    stored[14:16, 0:2, 0:2] = 7
    write_nifti(tmp_path / "map.nii.gz", stored)
    labels = _table(L4=1, L5=2, lytic_lesion=7).read(tmp_path / "map.nii.gz", volume)
    source = read_scan(tmp_path / "ct.nii.gz").source
    level = restore(labels.level, source).array
    assert (level == L4).sum() == drawn_map(l4=1).sum()
    assert (level[LESION_BOX] == L4).all()
    assert (level[14:16, 0:2, 0:2] == 0).all(), "a lesion far from any vertebra stays without a level"
    np.testing.assert_array_equal(restore(labels.findings["lytic_lesion"], source).array, stored == 7)
    assert labels.tissue is None


def test_regions_say_which_vertebra_a_lesion_is_in(tmp_path: Path, volume: Volume) -> None:
    write_nifti(tmp_path / "map.nii.gz", drawn_map(l4=1, l5=2, lesion=3))
    labels = _table(L4=[1, 3], L5=2, sclerotic=3).read(tmp_path / "map.nii.gz", volume)
    level = restore(labels.level, read_scan(tmp_path / "ct.nii.gz").source).array
    assert (level == L4).sum() == drawn_map(l4=1).sum()
    assert labels.findings["sclerotic_lesion"].array.sum() == drawn_map(lesion=1).sum()


def test_parts_are_told_apart_and_a_lesion_takes_the_nearer_one(tmp_path: Path, volume: Volume) -> None:
    stored = drawn_map(l4=1)
    stored[4:10, 3:6, 12:17] = 2
    stored[5:8, 7:9, 13:16] = 9
    write_nifti(tmp_path / "map.nii.gz", stored)
    labels = _table(L4_body=1, L4_posterior=2, lytic=9).read(tmp_path / "map.nii.gz", volume)
    assert labels.tissue is not None
    tissue = restore(labels.tissue, read_scan(tmp_path / "ct.nii.gz").source).array
    expected = drawn_map(l4=int(BODY))
    expected[4:10, 3:6, 12:17] = POSTERIOR
    np.testing.assert_array_equal(tissue, expected)
    assert (tissue[L4_BOX] > 0).all()


def test_an_annotated_finding_without_any_voxel_is_an_empty_mask(tmp_path: Path, volume: Volume) -> None:
    write_nifti(tmp_path / "map.nii.gz", drawn_map(l5=2))
    labels = _table(L4=1, L5=2, cement=4).read(tmp_path / "map.nii.gz", volume)
    assert set(labels.findings) == {"cement"}
    assert labels.findings["cement"].array.shape == volume.array.shape
    assert labels.findings["cement"].array.max() == 0
    assert set(np.unique(labels.level.array)) == {0, L5}


def test_numbers_without_a_name_are_refused(tmp_path: Path, volume: Volume) -> None:
    write_nifti(tmp_path / "map.nii.gz", drawn_map(l4=1, l5=12))
    with pytest.raises(InputError, match=r"map\.nii\.gz' holds the numbers 12, which"):
        _table(L4=1).read(tmp_path / "map.nii.gz", volume)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"lytic": 1, "sacrum": 2}, "names no vertebra with its level"),
        ({"L4": 1, "L5": [1, 2]}, "gives the number 1 two meanings"),
        ({"L4": 1, "rib": 1}, "gives the number 1 two meanings"),
        ({"L4": 1, "vertebral_body": 2}, "gives the number 2 a part of a vertebra but no level"),
        ({"L4_body": 1, "L5_body": 2}, "labels the bodies of vertebrae only"),
    ],
)
def test_labels_that_cannot_teach_are_refused(numbers: dict[str, int | list[int]], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        _table(**numbers)
