from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.data.sets.spine import affine, drawn_spine, save
from vertseg.data.sets.image_checks import check_fit, check_header, check_spacing, thinned
from vertseg.volume import Volume


def _volume(array: np.ndarray) -> Volume:
    return Volume(np.ascontiguousarray(array), affine())


def test_labels_on_bone_pass_and_mirrored_ones_do_not() -> None:
    spine = drawn_spine((20, 21, 22))
    hu = _volume(spine.hu.astype(np.float32))
    assert check_fit(hu, _volume(spine.level)) == []
    for axis, words in enumerate(("left to right", "front to back", "upside down")):
        (problem,) = check_fit(hu, _volume(np.flip(spine.level, axis)))
        assert problem.severity == "error"
        assert f"when mirrored {words}" in problem.sentence


def test_labels_beside_the_bone_are_doubted() -> None:
    spine = drawn_spine((20, 21, 22))
    aside = np.zeros_like(spine.level)
    aside[7:10, 8:12, 8:30] = 20
    (problem,) = check_fit(_volume(spine.hu.astype(np.float32)), _volume(aside))
    assert problem.severity == "warning"
    assert "look at whether they lie on the vertebrae" in problem.sentence


@pytest.mark.parametrize(
    ("spacing", "count"),
    [((0.45, 0.45, 5.0), 0), ((1.0, 1.0, 7.5), 1), ((0.3, 0.3, 5.0), 1), ((0.3, 0.3, 8.0), 2)],
)
def test_odd_spacing(spacing: tuple[float, float, float], count: int) -> None:
    assert [problem.severity for problem in check_spacing(spacing)] == ["warning"] * count


def test_headers_that_contradict_themselves(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    good = save(tmp_path / "good.nii.gz", spine.hu)
    assert check_header(good) == []
    assert check_header(tmp_path) == []
    image = nib.Nifti1Image(spine.hu, affine())
    image.set_sform(affine("LAS", spine.hu.shape), code=1)
    image.set_qform(affine(), code=1)
    nib.save(image, tmp_path / "mirror.nii")
    (problem,) = check_header(tmp_path / "mirror.nii")
    assert "mirror images of each other" in problem.sentence
    image = nib.Nifti1Image(spine.hu, affine())
    image.header["pixdim"][1:4] = (3, 3, 1)
    image.set_sform(affine(), code=1)
    image.header["qform_code"] = 0
    nib.save(image, tmp_path / "zoom.nii")
    (problem,) = check_header(tmp_path / "zoom.nii")
    assert "says the spacing is 3 x 3 x 1 mm but its affine 3 x 3 x 3 mm" in problem.sentence


def test_thinning_keeps_places() -> None:
    fine = Volume(np.arange(10 * 4 * 4).reshape(10, 4, 4), np.diag([0.5, 2.0, 3.0, 1.0]))
    thin = thinned(fine, 2.0)
    assert thin.array.shape == (3, 4, 4)
    assert thin.grid.world([2, 1, 1]) == pytest.approx(fine.grid.world([8, 1, 1]))
    assert thin.array[2, 1, 1] == fine.array[8, 1, 1]
