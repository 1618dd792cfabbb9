from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.sets.drawn_maps import FLIPPED, OBLIQUE, drawn_map, write_json, write_nifti, write_scan
from vertseg.data.sets.decathlon import find_cases
from vertseg.errors import ConfigError, InputError
from vertseg.io import read_scan
from vertseg.labels import SACRUM
from vertseg.volume import restore

L4, L5 = 23, 24
LABELS = {"0": "background", "1": "sacrum", "2": "vertebra L5", "3": "vertebra L4"}


def _entry(name: str, part: str = "Tr") -> dict[str, str]:
    return {"image": f"./images{part}/{name}.nii.gz", "label": f"./labels{part}/{name}.nii.gz"}


def _write_set(root: Path, affine: NDArray[np.float64] = OBLIQUE, **changes: Any) -> Path:
    """Two training cases and an unlabelled test case, as the Decathlon's tasks have them."""
    source = root / "Task11_Spine"
    content = {
        "name": "Spine", "description": "drawn", "reference": "", "licence": "CC0", "release": "1.0",
        "tensorImageSize": "3D", "modality": {"0": "CT"}, "labels": LABELS, "numTraining": 2, "numTest": 1,
        "training": [_entry("spine_02"), _entry("spine_01")], "test": ["./imagesTs/spine_03.nii.gz"],
    }  # fmt: skip
    write_json(source / "dataset.json", **(content | changes))
    for name in ("spine_01", "spine_02"):
        write_scan(source / "imagesTr" / f"{name}.nii.gz", affine)
        write_nifti(source / "labelsTr" / f"{name}.nii.gz", drawn_map(l4=3, l5=2, sacrum=1), affine)
        write_nifti(source / "imagesTr" / f"._{name}.nii.gz", np.zeros((2, 2, 2), np.uint8))
    return source


@pytest.mark.parametrize("affine", [OBLIQUE, FLIPPED], ids=["oblique", "flipped"])
def test_numbers_become_levels_voxel_for_voxel(tmp_path: Path, affine: NDArray[np.float64]) -> None:
    source = _write_set(tmp_path, affine)
    cases = find_cases(source)
    assert [case.name for case in cases] == ["spine_02", "spine_01"]
    case = cases[1]
    assert case.sources == (source / "labelsTr" / "spine_01.nii.gz",)
    assert (case.patient, case.split, case.annotated) == ("spine_01", None, {"level", "sacrum"})
    scan = read_scan(case.image)
    labels = case.read_labels(scan.volume)
    assert labels.level.grid.matches(scan.volume.grid)
    np.testing.assert_array_equal(
        restore(labels.level, scan.source).array, drawn_map(l4=L4, l5=L5, sacrum=SACRUM)
    )


def test_parts_count_where_several_are_labelled(tmp_path: Path) -> None:
    source = _write_set(
        tmp_path,
        training=[_entry("spine_01")],
        validation=[_entry("spine_02")],
        test=[_entry("spine_03", "Ts")],
    )
    cases = {case.name: case for case in find_cases(source)}
    assert {name: case.split for name, case in cases.items()} == {
        "spine_01": "training", "spine_02": "validation", "spine_03": "test",
    }  # fmt: skip
    assert [p for p in cases["spine_03"].problems if "is missing" in p] == [
        f"'{source / 'imagesTs/spine_03.nii.gz'}' is missing; copy it again.",
        f"'{source / 'labelsTs/spine_03.nii.gz'}' is missing; copy it again.",
    ]


def test_a_mapping_goes_before_names(tmp_path: Path) -> None:
    source = _write_set(tmp_path)
    (tmp_path / "map.json").write_text('{"3": "L5", "vertebra L5": "L6", "sacrum": "ignore"}')
    case = find_cases(source, tmp_path / "map.json")[0]
    scan = read_scan(case.image)
    level = restore(case.read_labels(scan.volume).level, scan.source).array
    np.testing.assert_array_equal(level, drawn_map(l4=L5, l5=25))
    assert case.annotated == {"level"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"modality": {"0": "MRI"}}, "its channels are 'MRI', and vertseg reads CT only"),
        ({"modality": {"0": "CT", "1": "PET"}}, "has 2 modalities in one file"),
        ({"training": []}, "lists no labelled case"),
        ({"training": [{"image": "./imagesTr/spine_01.nii.gz"}]}, "an entry under 'training' without"),
        ({"training": [_entry("spine_01"), _entry("spine_01")]}, "several images called 'spine_01'"),
    ],
)
def test_what_is_not_a_set_of_labelled_ct_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        find_cases(_write_set(tmp_path, **changes))


def test_the_decathlons_own_labels_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'colon cancer primaries' \(1\)"):
        find_cases(_write_set(tmp_path, labels={"0": "background", "1": "colon cancer primaries"}))
