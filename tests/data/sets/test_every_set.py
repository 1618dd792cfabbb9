"""Every set of another adapter goes through `vertseg prepare`, from its own layout to an index that reads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.sets.spine import affine, drawn_spine, save
from tests.io.conftest import SmallScan
from vertseg.cli import main
from vertseg.data.cases import Case, read_case, read_index
from vertseg.labels import LEVEL_NAMES, LocateClass, level_name
from vertseg.phantom.painting.label_maps import TOTALSEGMENTATOR_NAMES

hd = pytest.importorskip("highdicom")
LEVELS = (20, 21, 22)


def _prepared(name: str, source: Path, index: Path, *more: str) -> list[Case]:
    """All cases of the index that the command writes; numbers must have become VerSe's."""
    assert main(["prepare", name, str(source), "--output", str(index), "--quiet", *more]) == 0
    cases = [case for cases in read_index(index, needed=()).values() for case in cases]
    for case in cases:
        assert set(np.unique(read_case(case, 3.0)["level"])) == {0, *LEVELS}
        assert case.set_name == name
    return cases


def _totalsegmentator(root: Path, name: str, liver_right: bool) -> None:
    spine = drawn_spine(LEVELS)
    save(root / name / "ct.nii.gz", spine.hu)
    for structure in TOTALSEGMENTATOR_NAMES.values():
        mask = np.zeros_like(spine.level)
        for number in LEVELS:
            if structure == f"vertebrae_{level_name(number)}":
                mask[spine.level == number] = 1
        if structure == "liver":
            mask[np.s_[28:32] if liver_right else np.s_[3:7], 24:34, 10:20] = 1
        save(root / name / "segmentations" / f"{structure}.nii.gz", mask)


def test_totalsegmentator_and_a_mirrored_case_of_it(tmp_path: Path) -> None:
    _totalsegmentator(tmp_path / "set", "s0001", liver_right=True)
    _totalsegmentator(tmp_path / "set", "s0002", liver_right=False)
    rows = ["image_id;split", "s0001;test", "s0002;train"]
    (tmp_path / "set" / "meta.csv").write_text("\n".join(rows))
    (case,) = _prepared("totalsegmentator", tmp_path / "set", tmp_path / "index.json")
    assert case.name == "s0001"
    assert case.annotated == {"level", "sacrum", "other_bone"}
    assert case.level == tmp_path / "index_labels" / "s0001_level.nii.gz"
    assert set(np.unique(read_case(case, 3.0)["tissue"])) == {0, LocateClass.BODY}
    report = json.loads((tmp_path / "index_report.json").read_text())
    (mirrored,) = (c for c in report["cases"] if c["case"] == "s0002")
    assert any(
        p["severity"] == "error" and "liver on the wrong side" in p["sentence"] for p in mirrored["problems"]
    )


def _numbered(root: Path, layout: dict[str, Any], image: str) -> Path:
    """Two cases whose numbers run from the feet, with their dataset.json."""
    for case in (1, 2):
        spine = drawn_spine(LEVELS, case)
        numbers = np.where(spine.level > 0, 23 - spine.level, 0).astype(np.uint8)
        save(root / "imagesTr" / image.format(case), spine.hu)
        save(root / "labelsTr" / f"spine_{case}.nii.gz", numbers)
    (root / "dataset.json").write_text(json.dumps(layout))
    return root


def test_nnunet_with_a_name_that_a_mapping_explains(tmp_path: Path) -> None:
    labels = {"background": 0, "L3": 1, "L2": 2, "first": 3}
    layout = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 2, "file_ending": ".nii.gz"}
    source = _numbered(tmp_path / "Dataset001_Spine", layout, "spine_{}_0000.nii.gz")
    mapping = tmp_path / "mapping.json"
    mapping.write_text('{"first": "L1"}')
    cases = _prepared("nnunet", source, tmp_path / "index.json", "--mapping", str(mapping))
    assert [case.name for case in cases] == ["spine_1", "spine_2"]


def test_decathlon(tmp_path: Path) -> None:
    pairs = [
        {"image": f"./imagesTr/spine_{n}.nii.gz", "label": f"./labelsTr/spine_{n}.nii.gz"} for n in (1, 2)
    ]
    labels = {"0": "background", "1": "L3", "2": "L2", "3": "L1"}
    layout = {
        "modality": {"0": "CT"},
        "labels": labels,
        "tensorImageSize": "3D",
        "training": pairs,
        "test": [],
    }
    source = _numbered(tmp_path / "Task11_Spine", layout, "spine_{}.nii.gz")
    assert [case.name for case in _prepared("decathlon", source, tmp_path / "index.json")] == [
        "spine_1",
        "spine_2",
    ]


def _segment(number: int) -> Any:
    name = f"{LEVEL_NAMES[LEVELS[number - 1]]} vertebra"
    return hd.seg.SegmentDescription(
        number,
        name,
        hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
        hd.sr.CodedConcept("1", "SCT", name),
        "MANUAL",
    )


def test_spine_mets(tmp_path: Path) -> None:
    spine = drawn_spine(LEVELS)
    shape = spine.hu.shape
    # DICOM's columns grow to the left and its rows to the back.
    lps = affine("LPS", shape)
    tags = {
        "PatientID": "10001", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "FrameOfReferenceUID": "1.2.3.9",
        "PatientName": "", "PatientBirthDate": "", "PatientSex": "O", "StudyID": "1", "AccessionNumber": "",
        "StudyDate": "20090404", "StudyTime": "101010", "ReferringPhysicianName": "", "SliceThickness": 3.0,
    }  # fmt: skip
    slices = SmallScan(spine.hu[::-1, ::-1], lps, tags).slices()
    for number, dataset in enumerate(slices, start=1):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.1.{number}"
        path = tmp_path / "set" / "10001" / "ct" / f"1-{number:03d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
    pixels = np.where(spine.level > 0, spine.level - 19, 0).astype(np.uint8)[::-1, ::-1].transpose(2, 1, 0)
    segmentation = hd.seg.Segmentation(
        slices, pixels, "BINARY", [_segment(n) for n in (1, 2, 3)], "1.2.3.2", 300, "1.2.3.2.1", 1,
        "Drawn", "Drawn", "1", "1",
    )  # fmt: skip
    (tmp_path / "set" / "10001" / "seg").mkdir()
    segmentation.save_as(tmp_path / "set" / "10001" / "seg" / "1-1.dcm")
    (case,) = _prepared("spine-mets", tmp_path / "set", tmp_path / "index.json")
    assert case.patient == "10001"
    assert case.image == tmp_path / "set" / "10001" / "ct"
