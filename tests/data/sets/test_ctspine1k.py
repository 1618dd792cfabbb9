from pathlib import Path

import numpy as np
import pytest

from tests.data.sets.spine import drawn_spine, save
from vertseg.data.sets.ctspine1k import find_cases
from vertseg.errors import InputError
from vertseg.io import read_scan

_SPLIT = """trainset:
1.3.6.1.4.1.9328.50.4.0001.nii.gz
HN_P001.nii.gz

test_public:
liver_0.nii.gz

test_private:
volume-covid19-A-0202_0_ct.nii.gzvolume-covid19-A-0319_ct.nii.gz
"""
"""As the original reads, with its two names on one line at the end."""

_PARTS = {
    "1.3.6.1.4.1.9328.50.4.0001": ("COLONOG", "colon", "training"),
    "HN_P001": ("HNSCC-3DCT-RT", "HNSCC-3DCT-RT_neck", "training"),
    "liver_0": ("MSD-T10", "liver", "validation"),
    "volume-covid19-A-0202_0_ct": ("COVID-19", "COVID-19", "test"),
    "volume-covid19-A-0319_ct": ("COVID-19", "COVID-19", "test"),
}


@pytest.mark.parametrize(
    ("images", "labels", "which"), [("raw_data/volumes", "raw_data/labels", 0), ("data", "label", 1)]
)
def test_every_source_is_paired_and_split(tmp_path: Path, images: str, labels: str, which: int) -> None:
    spine = drawn_spine((22, 23))
    for name, folders in _PARTS.items():
        save(tmp_path / images / folders[which] / f"{name}.nii.gz", spine.hu)
        save(tmp_path / labels / folders[which] / f"{name}_seg.nii.gz", spine.level.astype(np.int16))
    save(tmp_path / labels / "completed_annotation_verse" / "verse004_seg.nii.gz", spine.level)
    place = tmp_path / ("metadata" if which == 0 else ".") / "data_split.txt"
    place.parent.mkdir(exist_ok=True)
    place.write_text(_SPLIT)
    cases = {case.name: case for case in find_cases(tmp_path)}
    assert {name: case.split for name, case in cases.items()} == {n: p[2] for n, p in _PARTS.items()}
    assert cases["volume-covid19-A-0202_0_ct"].patient == "volume-covid19-A-0202"
    labels_read = cases["HN_P001"].read_labels(read_scan(cases["HN_P001"].image).volume)
    assert np.array_equal(labels_read.level.array, spine.level)


def test_the_authors_folders_give_the_split_without_the_file(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    for name, folder in (("liver_1", "trainset"), ("liver_2", "test_public"), ("liver_3", "test_private")):
        save(tmp_path / "data" / "liver" / f"{name}.nii.gz", spine.hu)
        save(tmp_path / "label" / folder / "gt" / f"{name}_seg.nii.gz", spine.level)
    splits = {case.name: case.split for case in find_cases(tmp_path)}
    assert splits == {"liver_1": "training", "liver_2": "validation", "liver_3": "test"}


def test_numbers_beyond_l6_and_a_lost_image_are_refused(tmp_path: Path) -> None:
    spine = drawn_spine((24, 26))
    save(tmp_path / "data" / "liver" / "liver_1.nii.gz", spine.hu)
    save(tmp_path / "label" / "liver" / "liver_1_seg.nii.gz", spine.level)
    save(tmp_path / "label" / "liver" / "liver_2_seg.nii.gz", spine.level)
    first, second = find_cases(tmp_path)
    with pytest.raises(InputError, match=r"holds the number 26; CTSpine1K's labels are 1 \(C1\) to 25"):
        first.read_labels(read_scan(first.image).volume)
    with pytest.raises(InputError, match=r"liver_2.nii.gz' does not exist"):
        read_scan(second.image)
