import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.sets.spine import drawn_spine, save, save_verse
from vertseg.data.sets.found import FoundCase
from vertseg.data.sets.verse import find_cases
from vertseg.errors import InputError
from vertseg.io import read_scan


def _by_name(root: Path) -> dict[str, FoundCase]:
    return {case.name: case for case in find_cases(root)}


def test_subject_based_folders_give_split_patient_and_series(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    save_verse(tmp_path / "VerSe19" / "dataset-verse19training", "sub-verse401_split-verse201", spine)
    save_verse(tmp_path / "VerSe19" / "dataset-verse19training", "sub-verse401_split-verse253", spine)
    save_verse(tmp_path / "VerSe19" / "dataset-verse19validation", "sub-verse005", spine, "seg-vb")
    save_verse(tmp_path / "VerSe20" / "dataset-03test", "sub-gl017_dir-ax", spine)
    cases = _by_name(tmp_path)
    assert {name: (case.patient, case.split) for name, case in cases.items()} == {
        "sub-verse401_split-verse201": ("verse401", "training"),
        "sub-verse401_split-verse253": ("verse401", "training"),
        "sub-verse005": ("verse005", "validation"),
        "sub-gl017_dir-ax": ("gl017", "test"),
    }
    assert all(case.annotated == {"level"} for case in cases.values())
    assert len(cases["sub-verse005"].sources) == 2


def test_both_releases_of_a_scan_keep_their_patient_and_get_two_names(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    save_verse(tmp_path / "dataset-01training", "sub-verse004", spine)
    save_verse(tmp_path / "dataset-verse19test", "sub-verse004", spine)
    cases = _by_name(tmp_path)
    assert set(cases) == {"sub-verse004", "sub-verse004_dataset-verse19test"}
    assert {case.patient for case in cases.values()} == {"verse004"}


def test_challenge_folders_give_the_same(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    save(tmp_path / "01_training" / "verse014.nii.gz", spine.hu)
    save(tmp_path / "01_training" / "verse014_seg.nii.gz", spine.level)
    save(tmp_path / "02_validation" / "GL017" / "GL017_CT_ax.nii.gz", spine.hu)
    save(tmp_path / "02_validation" / "GL017" / "GL017_CT_ax_seg.nii.gz", spine.level)
    # 1 mm steps from the anterior, superior, left corner.
    x, y, z = spine.middles[22]
    shape = spine.hu.shape
    entry = {"label": 22, "X": 3 * (shape[1] - 1 - y), "Y": 3 * (shape[2] - 1 - z), "Z": 3 * x}
    (tmp_path / "02_validation" / "GL017" / "GL017_CT_ax_iso-ctd.json").write_text(json.dumps([entry]))
    cases = _by_name(tmp_path)
    assert {n: (c.patient, c.split) for n, c in cases.items()} == {
        "verse014": ("verse014", "training"),
        "GL017_CT_ax": ("gl017", "validation"),
    }
    scan = read_scan(cases["GL017_CT_ax"].image).volume
    labels = cases["GL017_CT_ax"].read_labels(scan)
    assert labels.centres_mm[22] == pytest.approx(3 * spine.middles[22])


def test_masks_and_centroids_come_to_the_same_place_from_any_orientation(tmp_path: Path) -> None:
    spine = drawn_spine((28, 20, 21))
    save_verse(tmp_path, "sub-verse600_dir-sag", spine)
    (case,) = find_cases(tmp_path)
    labels = case.read_labels(read_scan(case.image).volume)
    assert np.array_equal(labels.level.array, spine.level)
    assert set(labels.centres_mm) == {28, 20, 21}
    for number, middle in spine.middles.items():
        assert labels.centres_mm[number] == pytest.approx(3 * middle)


def test_a_scan_without_mask_and_a_mask_without_scan_are_cases_that_cannot_be_read(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    for name in ("sub-verse001", "sub-verse002"):
        save_verse(tmp_path, name, spine)
    next(tmp_path.rglob("sub-verse001_seg-vert_msk.nii.gz")).unlink()
    next(tmp_path.rglob("sub-verse002_ct.nii.gz")).unlink()
    cases = _by_name(tmp_path)
    with pytest.raises(
        InputError, match=r"derivatives/sub-verse001/sub-verse001_seg-vert_msk.nii.gz' does not exist"
    ):
        cases["sub-verse001"].read_labels(read_scan(cases["sub-verse001"].image).volume)
    with pytest.raises(InputError, match=r"rawdata/sub-verse002/sub-verse002_ct.nii.gz' does not exist"):
        read_scan(cases["sub-verse002"].image)


def test_damaged_centroids_are_told_and_nan_is_left_out(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    save_verse(tmp_path, "sub-verse001", spine)
    place = next(tmp_path.rglob("*_ctd.json"))
    place.write_text('[{"direction": ["P", "I", "R"]}, {"label": 22, "X": NaN, "Y": 1, "Z": 2}]')
    (case,) = find_cases(tmp_path)
    assert case.read_labels(read_scan(case.image).volume).centres_mm == {}
    assert case.problems == ()
    place.write_text('[{"direction": ["P", "I", "R"]}, {"label": 22, "X": 1')
    (case,) = find_cases(tmp_path)
    assert "is no list of VerSe's centroids" in case.problems[0]
