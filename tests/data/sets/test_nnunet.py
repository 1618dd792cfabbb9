from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.sets.drawn_maps import FLIPPED, OBLIQUE, drawn_map, write_json, write_nifti, write_scan
from vertseg.data.sets.found import FoundCase
from vertseg.data.sets.nnunet import find_cases
from vertseg.errors import ConfigError, InputError
from vertseg.io import read_scan
from vertseg.labels import SACRUM
from vertseg.volume import restore

L4, L5 = 23, 24
LABELS = {"background": 0, "sacrum": 1, "L5": 2, "L4": 3}


def _write_set(root: Path, affine: NDArray[np.float64] = OBLIQUE, **changes: Any) -> Path:
    """Two training cases and an unlabelled test case, as nnU-Net's documentation has them."""
    source = root / "nnUNet_raw" / "Dataset321_Spine"
    content = {"channel_names": {"0": "CT"}, "labels": LABELS, "numTraining": 2, "file_ending": ".nii.gz"}
    write_json(source / "dataset.json", **(content | changes))
    for name in ("spine_001", "spine_002"):
        write_scan(source / "imagesTr" / f"{name}_0000.nii.gz", affine)
        write_nifti(source / "labelsTr" / f"{name}.nii.gz", drawn_map(l4=3, l5=2, sacrum=1), affine)
    write_scan(source / "imagesTs" / "spine_003_0000.nii.gz", affine)
    return source


def _by_name(cases: list[FoundCase]) -> dict[str, FoundCase]:
    return {case.name: case for case in cases}


@pytest.mark.parametrize("affine", [OBLIQUE, FLIPPED], ids=["oblique", "flipped"])
def test_numbers_become_levels_voxel_for_voxel(tmp_path: Path, affine: NDArray[np.float64]) -> None:
    source = _write_set(tmp_path, affine)
    cases = _by_name(find_cases(source))
    assert set(cases) == {"spine_001", "spine_002"}
    case = cases["spine_001"]
    assert case.image == source / "imagesTr" / "spine_001_0000.nii.gz"
    assert case.sources == (source / "labelsTr" / "spine_001.nii.gz",)
    assert (case.patient, case.split, case.annotated) == ("spine_001", None, {"level", "sacrum"})
    scan = read_scan(case.image)
    labels = case.read_labels(scan.volume)
    assert labels.level.grid.matches(scan.volume.grid)
    np.testing.assert_array_equal(
        restore(labels.level, scan.source).array, drawn_map(l4=L4, l5=L5, sacrum=SACRUM)
    )
    assert labels.tissue is None


def test_regions_and_findings(tmp_path: Path) -> None:
    labels = {"background": 0, "sacrum": 1, "L5": [2], "L4": [3, 4], "osteolytic lesion": [4]}
    source = _write_set(tmp_path, labels=labels, regions_class_order=[1, 2, 3, 4])
    write_nifti(source / "labelsTr" / "spine_001.nii.gz", drawn_map(l4=3, l5=2, sacrum=1, lesion=4))
    case = _by_name(find_cases(source))["spine_001"]
    assert case.annotated == {"level", "sacrum", "lytic_lesion"}
    scan = read_scan(case.image)
    read = case.read_labels(scan.volume)
    np.testing.assert_array_equal(
        restore(read.level, scan.source).array, drawn_map(l4=L4, l5=L5, sacrum=SACRUM)
    )
    np.testing.assert_array_equal(
        restore(read.findings["lytic_lesion"], scan.source).array, drawn_map(lesion=1)
    )


def test_unknown_labels_are_listed_with_the_way_to_map_them(tmp_path: Path) -> None:
    labels = {"background": 0, "os": 1, "lowest": 2, "L4": 3, "ignore": 4}
    source = _write_set(tmp_path, labels=labels)
    with pytest.raises(
        ConfigError, match=r"'os' \(1\), 'lowest' \(2\), 'ignore' \(4\)\. Give a mapping.*\{\"os\": \"L1\"\}"
    ):
        find_cases(source)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.json", '{"os": "sacrum", "2": "L5", "dirt": "ignore"}'),
        ("map.yaml", "os: sacrum\n2: L5\ndirt: ignore\n"),
    ],
)
def test_a_mapping_says_what_labels_are(tmp_path: Path, name: str, text: str) -> None:
    source = _write_set(tmp_path, labels={"background": 0, "os": 1, "lowest": 2, "L4": 3, "dirt": 4})
    (tmp_path / name).write_text(text)
    case = find_cases(source, tmp_path / name)[0]
    scan = read_scan(case.image)
    level = restore(case.read_labels(scan.volume).level, scan.source).array
    np.testing.assert_array_equal(level, drawn_map(l4=L4, l5=L5, sacrum=SACRUM))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"L44": "L4"}', "speaks of 'L44', which the set does not have; did you mean 'L4'"),
        ('{"L4": "spine"}', "'L4': 'spine' is not known; give a level"),
        ('{"L4": 23}', "must give words by label"),
        ("{", "is not JSON"),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    source = _write_set(tmp_path)
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        find_cases(source, tmp_path / "map.json")


def test_the_channel_called_ct_is_taken(tmp_path: Path) -> None:
    source = _write_set(tmp_path, channel_names={"0": "PET", "1": "CT"})
    write_scan(source / "imagesTr" / "spine_001_0001.nii.gz")
    cases = _by_name(find_cases(source))
    assert cases["spine_001"].image.name == "spine_001_0001.nii.gz"
    assert "spine_002_0001.nii.gz' is missing" in cases["spine_002"].problems[0]


def test_a_scan_without_labels_is_told(tmp_path: Path) -> None:
    source = _write_set(tmp_path)
    (source / "labelsTr" / "spine_002.nii.gz").unlink()
    case = _by_name(find_cases(source))["spine_002"]
    assert "labelsTr/spine_002.nii.gz' is missing" in case.problems[0]
    with pytest.raises(InputError, match=r"spine_002\.nii\.gz' does not exist"):
        case.read_labels(read_scan(case.image).volume)


@pytest.mark.parametrize("beside", [True, False], ids=["in the raw folder", "in nnUNet_preprocessed"])
def test_the_first_fold_and_labelled_test_cases_say_the_part(tmp_path: Path, beside: bool) -> None:
    source = _write_set(tmp_path)
    write_nifti(source / "labelsTs" / "spine_003.nii.gz", drawn_map(l4=3))
    folder = source if beside else tmp_path / "nnUNet_preprocessed" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "splits_final.json").write_text(
        '[{"train": ["spine_002"], "val": ["spine_001"]}, {"train": ["spine_001"], "val": ["spine_002"]}]'
    )
    splits = {name: case.split for name, case in _by_name(find_cases(source)).items()}
    assert splits == {"spine_001": "validation", "spine_002": "training", "spine_003": "test"}


def test_files_may_be_listed_one_by_one(tmp_path: Path) -> None:
    source = _write_set(
        tmp_path,
        dataset={"a": {"images": ["imagesTr/spine_002_0000.nii.gz"], "label": "labelsTr/spine_002.nii.gz"}},
    )
    (case,) = find_cases(source)
    assert (case.name, case.problems[:-1]) == ("a", ())
    assert case.image == source / "imagesTr/spine_002_0000.nii.gz"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"channel_names": {"0": "T2", "1": "ADC"}},
            "its channels are 'T2', 'ADC', and vertseg reads CT only",
        ),
        ({"channel_names": None}, "does not say what its channels are"),
        ({"file_ending": ".mha"}, "files that end with '.mha'; convert them"),
        ({"labels": {"background": 0, "L4": "three"}}, "has a label 'L4': 'three'"),
        ({"labels": [1, 2]}, "names no 'labels'"),
        ({"dataset": {"a": {"images": []}}}, "a case 'a' under 'dataset' without"),
    ],
)
def test_what_is_not_a_set_of_labelled_ct_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        find_cases(_write_set(tmp_path, **changes))


def test_a_folder_without_dataset_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no dataset\.json"):
        find_cases(tmp_path)
