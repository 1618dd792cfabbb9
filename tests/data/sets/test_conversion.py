from pathlib import Path

import nibabel as nib
import numpy as np

from tests.data.sets.spine import affine, drawn_spine, save
from vertseg.data.sets.conversion import file_name, prepare_case
from vertseg.data.sets.folder import find_cases


def _folder(tmp_path: Path, cells: str = "none") -> Path:
    """A case stored L-A-S, of which somebody looked for lytic lesions and found none."""
    spine = drawn_spine()
    matrix = affine("LAS", spine.hu.shape)
    save(tmp_path / "ct.nii.gz", spine.hu[::-1], matrix)
    save(tmp_path / "level.nii.gz", spine.level[::-1].astype(np.float64), matrix)
    (tmp_path / "cases.csv").write_text(f"image,level,lytic_lesion\nct.nii.gz,level.nii.gz,{cells}\n")
    return tmp_path


def test_labels_in_place_stay_and_others_are_written_in_the_images_own_order(tmp_path: Path) -> None:
    (found,) = find_cases(_folder(tmp_path))
    case = prepare_case(found, tmp_path / "labels")
    assert case.problems == ()
    assert case.files["level"] == str(tmp_path / "level.nii.gz")
    assert case.levels == ("T12", "L1", "L2", "L3", "L4")
    assert case.spacing_mm == (3.0, 3.0, 3.0)
    written = nib.Nifti1Image.from_filename(case.files["lytic_lesion"])
    assert Path(case.files["lytic_lesion"]).parent == tmp_path / "labels"
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(written.affine, nib.Nifti1Image.from_filename(tmp_path / "ct.nii.gz").affine)
    assert not written.get_fdata().any()
    assert set(case.sha256) == {"image", "level", "lytic_lesion"}


def test_a_map_moved_by_less_than_half_a_voxel_is_put_onto_the_image(tmp_path: Path) -> None:
    spine = drawn_spine()
    matrix = affine("LAS", spine.hu.shape)
    matrix[0, 3] += 0.9
    folder = _folder(tmp_path, "")
    save(tmp_path / "level.nii.gz", spine.level[::-1], matrix)
    (found,) = find_cases(folder)
    case = prepare_case(found, tmp_path / "labels")
    (problem,) = case.problems
    assert (problem.check, problem.severity) == ("grid", "warning")
    written = nib.Nifti1Image.from_filename(case.files["level"])
    assert np.array_equal(written.affine, nib.Nifti1Image.from_filename(tmp_path / "ct.nii.gz").affine)
    assert np.array_equal(written.get_fdata(), spine.level[::-1])


def test_a_finished_case_is_not_made_again_until_its_files_change(tmp_path: Path) -> None:
    (found,) = find_cases(_folder(tmp_path))
    labels = tmp_path / "labels"
    first = prepare_case(found, labels)
    times = {path: path.stat().st_mtime_ns for path in labels.iterdir()}
    assert len(times) == 2
    assert prepare_case(found, labels) == first
    assert {path: path.stat().st_mtime_ns for path in labels.iterdir()} == times
    Path(first.files["lytic_lesion"]).unlink()
    assert prepare_case(found, labels) == first
    assert Path(first.files["lytic_lesion"]).exists()
    spine = drawn_spine()
    changed = np.where(spine.level == 19, 0, spine.level)[::-1].astype(np.uint8)
    save(tmp_path / "level.nii.gz", changed, affine("LAS", spine.hu.shape))
    assert prepare_case(found, labels).levels == ("L1", "L2", "L3", "L4")


def test_a_case_with_an_error_writes_no_labels(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    save(tmp_path / "level.nii.gz", drawn_spine().level[:-1], affine("LAS", drawn_spine().hu.shape))
    (found,) = find_cases(folder)
    case = prepare_case(found, tmp_path / "labels")
    assert not case.usable
    assert case.files == {}
    assert [path.suffix for path in (tmp_path / "labels").iterdir()] == [".json"]


def test_names_that_no_file_can_have() -> None:
    assert file_name("sub-verse004_ct") == "sub-verse004_ct"
    assert file_name("a/b") != file_name("a b")
    assert "/" not in file_name("../../etc")
    assert not file_name("../../etc").startswith(".")
