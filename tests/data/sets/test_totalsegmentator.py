from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from vertseg.data.cases import Case
from vertseg.data.sets.found import FoundCase
from vertseg.data.sets.totalsegmentator import find_cases
from vertseg.errors import InputError
from vertseg.io import read_scan
from vertseg.labels import SACRUM, LocateClass
from vertseg.phantom.painting.label_maps import TOTALSEGMENTATOR_NAMES
from vertseg.volume import restore

L1, L2, L3 = 20, 21, 22
SHAPE = (16, 14, 20)
HEADER = "image_id;age;gender;institute;study_type;split;manufacturer;scanner_model;kvp;pathology;pathology_location"
BOXES = {
    "vertebrae_L1": np.s_[4:8, 4:9, 14:18],
    "vertebrae_L2": np.s_[4:8, 4:9, 9:13],
    "vertebrae_S1": np.s_[4:8, 4:9, 5:8],
    "sacrum": np.s_[4:8, 2:7, 1:5],
    "hip_left": np.s_[10:14, 2:7, 1:6],
    "rib_right_12": np.s_[1:3, 1:9, 14:16],
    "costal_cartilages": np.s_[1:3, 10:12, 14:16],
    "aorta": np.s_[9:11, 9:12, 1:19],
}
OBLIQUE = np.array(
    [[-2.1, -0.7, 0.1, 30.0], [0.7, -2.1, 0.3, -12.5], [0.1, 0.4, 2.9, -700.25], [0.0, 0.0, 0.0, 1.0]]
)
FLIPPED = np.diag([1.5, -2.0, -1.5, 1.0])


def _save(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def _write_case(root: Path, name: str, affine: NDArray[np.float64]) -> Path:
    """A case as in the zip: the CT, and one mask for each of the 117 structures."""
    hu = np.random.default_rng(1).integers(-1000, 1000, SHAPE).astype(np.int16)
    _save(root / name / "ct.nii.gz", hu, affine)
    for structure in TOTALSEGMENTATOR_NAMES.values():
        mask = np.zeros(SHAPE, np.uint8)
        if structure in BOXES:
            mask[BOXES[structure]] = 1
        _save(root / name / "segmentations" / f"{structure}.nii.gz", mask, affine)
    return root / name


def _write_table(root: Path, **splits: str) -> None:
    rows = [f"{name};60;f;A;ct spine;{split};x;y;120;no_pathology;" for name, split in splits.items()]
    (root / "meta.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8-sig")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write_case(tmp_path, "s0003", np.diag([1.5, 2.0, 1.5, 1.0]))
    _write_table(tmp_path, s0003="val")
    return tmp_path


def _only(root: Path) -> FoundCase:
    (case,) = find_cases(root)
    return case


def _expected() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    level, tissue = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    for structure, number in {
        "vertebrae_L1": L1,
        "vertebrae_L2": L2,
        "vertebrae_S1": SACRUM,
        "sacrum": SACRUM,
    }.items():
        level[BOXES[structure]] = number
        tissue[BOXES[structure]] = LocateClass.SACRUM if number == SACRUM else LocateClass.BODY
    for structure in ("hip_left", "rib_right_12"):
        tissue[BOXES[structure]] = LocateClass.OTHER_BONE
    return level, tissue


@pytest.mark.parametrize("affine", [OBLIQUE, FLIPPED], ids=["oblique", "flipped"])
def test_masks_come_back_voxel_for_voxel(tmp_path: Path, affine: NDArray[np.float64]) -> None:
    _write_case(tmp_path, "s0011", affine)
    case = _only(tmp_path)
    scan = read_scan(case.image)
    labels = case.read_labels(scan.volume)
    level, tissue = _expected()
    assert labels.level.grid.matches(scan.volume.grid)
    np.testing.assert_array_equal(restore(labels.level, scan.source).array, level)
    assert labels.tissue is not None
    np.testing.assert_array_equal(restore(labels.tissue, scan.source).array, tissue)
    assert labels.findings == {}
    assert labels.problems == ()


def test_other_bone_and_sacrum_are_told_apart_but_parts_are_not(root: Path) -> None:
    case = _only(root)
    assert case.annotated == {"level", "sacrum", "other_bone"}
    as_trained = Case("s0003", case.image, case.image, case.image, case.annotated)
    assert as_trained.groups.tolist() == [0, 1, 1, 3, 4]
    assert as_trained.part_groups.tolist() == [0, 1, 1]


def test_the_table_says_which_part_a_case_belongs_to(root: Path) -> None:
    for name in ("s0001", "s0002", "s0004", "s0005"):
        (root / name / "segmentations").mkdir(parents=True)
    _write_table(root, s0001="train", s0002="test", s0003="val", s0004="holdout")
    cases = {case.name: case for case in find_cases(root)}
    assert {name: case.split for name, case in cases.items()} == {
        "s0001": "training", "s0002": "test", "s0003": "validation", "s0004": None, "s0005": None,
    }  # fmt: skip
    assert cases["s0003"].problems == ()
    assert cases["s0003"].patient == "s0003"
    assert any("puts it into 'holdout'" in p for p in cases["s0004"].problems)
    assert any("has no row" in p for p in cases["s0005"].problems)
    assert any("ct.nii.gz' is missing" in p for p in cases["s0001"].problems)


def test_without_the_table_no_part_is_known(root: Path) -> None:
    (root / "meta.csv").unlink()
    case = _only(root)
    assert case.split is None
    assert any("meta.csv' is missing" in p for p in case.problems)


def test_a_missing_mask_of_a_bone_takes_its_annotation_away(root: Path) -> None:
    (root / "s0003/segmentations/femur_left.nii.gz").unlink()
    (root / "s0003/segmentations/vertebrae_S1.nii.gz").unlink()
    case = _only(root)
    assert case.annotated == {"level"}
    assert len(case.problems) == 2
    assert "lacks the masks vertebrae_S1" in case.problems[0]
    assert "lacks the masks femur_left" in case.problems[1]
    assert (case.read_labels(read_scan(case.image).volume).level.array == L1).any()


def test_a_missing_vertebra_is_told_and_its_labels_are_refused(root: Path) -> None:
    (root / "s0003/segmentations/vertebrae_T4.nii.gz").unlink()
    case = _only(root)
    assert "lacks the masks vertebrae_T4" in case.problems[0]
    with pytest.raises(InputError, match="lacks the masks vertebrae_T4"):
        case.read_labels(read_scan(case.image).volume)


def test_overlapping_masks_are_counted_and_the_lower_vertebra_stays(root: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:8, 4:9, 12:18] = 1
    _save(root / "s0003/segmentations/vertebrae_L1.nii.gz", mask, np.diag([1.5, 2.0, 1.5, 1.0]))
    case = _only(root)
    labels = case.read_labels(read_scan(case.image).volume)
    assert labels.problems == (
        "The masks vertebrae_L2 and vertebrae_L1 overlap in 20 voxels, which count as vertebrae_L2.",
    )
    assert (labels.level.array[4:8, 4:9, 12] == L2).all()


def test_organs_that_tell_left_from_right_are_given(root: Path) -> None:
    liver = np.zeros(SHAPE, np.uint8)
    liver[10:13, 4:7, 16:19] = 1
    _save(root / "s0003/segmentations/liver.nii.gz", liver, np.diag([1.5, 2.0, 1.5, 1.0]))
    case = _only(root)
    organs = case.read_labels(read_scan(case.image).volume).organs_mm
    assert set(organs) == {"liver"}
    assert organs["liver"] == pytest.approx([11 * 1.5, 5 * 2.0, 17 * 1.5])
    assert root / "s0003/segmentations/liver.nii.gz" in case.sources
    assert root / "s0003/segmentations/vertebrae_C3.nii.gz" in case.sources


def test_a_mask_on_another_grid_is_refused_by_its_name(root: Path) -> None:
    _save(
        root / "s0003/segmentations/hip_left.nii.gz", np.zeros(SHAPE, np.uint8), np.diag([1.5, 2.0, 1.6, 1.0])
    )
    case = _only(root)
    with pytest.raises(InputError, match=r"hip_left\.nii\.gz' does not lie on its image's grid: the spacing"):
        case.read_labels(read_scan(case.image).volume)


def test_one_map_reads_as_the_masks_do(tmp_path: Path) -> None:
    folder = _write_case(tmp_path, "s0007", OBLIQUE)
    case = _only(tmp_path)
    volume = read_scan(case.image).volume
    masks = case.read_labels(volume)
    numbers = {name: number for number, name in TOTALSEGMENTATOR_NAMES.items()}
    merged = np.zeros(SHAPE, np.uint8)
    for structure, box in BOXES.items():
        merged[box] = numbers[structure]
    for path in (folder / "segmentations").iterdir():
        path.unlink()
    (folder / "segmentations").rmdir()
    _save(folder / "segmentations.nii.gz", merged, OBLIQUE)
    one = _only(tmp_path).read_labels(volume)
    np.testing.assert_array_equal(one.level.array, masks.level.array)
    assert one.tissue is not None and masks.tissue is not None
    np.testing.assert_array_equal(one.tissue.array, masks.tissue.array)
    assert _only(tmp_path).sources == (folder / "segmentations.nii.gz",)


def test_a_map_with_unknown_numbers_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = _write_case(tmp_path, "s0007", FLIPPED)
    _save(folder / "segmentations.nii.gz", np.full(SHAPE, 200, np.uint8), FLIPPED)
    case = _only(tmp_path)
    with pytest.raises(InputError, match=r"segmentations\.nii\.gz': The label map holds the numbers 200"):
        case.read_labels(read_scan(case.image).volume)


def test_what_is_not_the_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no case of TotalSegmentator"):
        find_cases(tmp_path)
    (tmp_path / "s0001/segmentations").mkdir(parents=True)
    (tmp_path / "meta.csv").write_text("image_id,split\ns0001,train\n")
    with pytest.raises(InputError, match="separated by semicolons"):
        find_cases(tmp_path)
