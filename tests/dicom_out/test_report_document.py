"""The structured report read back by highdicom: numbers known beforehand, in their units, with their segments."""

import subprocess
from shutil import which

import pytest

from tests.dicom_out.random_findings import LEVELS, random_findings, vertebra
from vertseg import io
from vertseg.labels import level_code, level_name

hd = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")

from vertseg.dicom_out.files import write_dicom  # noqa: E402
from vertseg.dicom_out.measures import CodedAnswer, CodedNumber, coded_values, vertebra_values  # noqa: E402
from vertseg.dicom_out.source import source_frames  # noqa: E402
from vertseg.report.summary import report  # noqa: E402


@pytest.fixture
def written(tmp_path, small_scan):
    """Maker of a folder with a series' segmentation and report; changes go to every vertebra."""

    def make(plans=None, **changes):
        series = small_scan().write_dicom(tmp_path / "ct")
        findings = random_findings(io.read_scan(series), **changes)
        write_dicom(findings, source_frames(series), tmp_path, plans=plans)
        return tmp_path

    return make


def groups_of(folder):
    document = hd.sr.srread(folder / "measurements.dcm")
    return document, document.content.get_volumetric_roi_measurement_groups()


def numbers_of(group) -> dict[str, tuple[float, str]]:
    return {m.name.value: (float(m.value), m.unit.value) for m in group.get_measurements()}


def answers_of(group) -> dict[str, str]:
    return {e.name.value: e.value.meaning for e in group.get_qualitative_evaluations()}


def test_each_vertebra_has_its_numbers_in_their_units(written) -> None:
    _, groups = groups_of(written())
    assert [g.tracking_identifier for g in groups] == [level_name(n) for n in LEVELS]
    for group, level in zip(groups, LEVELS, strict=True):
        assert numbers_of(group) == {
            "LEVEL_CONFIDENCE": (0.9, "1"),
            "118565006": (40.5, "cm3"),
            "BODY_VOLUME": (30.25, "cm3"),
            "POSTERIOR_VOLUME": (10.25, "cm3"),
            "LYTIC_VOLUME": (3.5, "cm3"),
            "SCLEROTIC_VOLUME": (0.0, "cm3"),
            "CEMENT_VOLUME": (0.0, "cm3"),
            "LESION_SHARE": (0.125, "1"),
            "WALL_DEFECT_AREA": (42.0, "mm2"),
            "HEIGHT_ANTERIOR": (24.0, "mm"),
            "HEIGHT_MIDDLE": (22.0, "mm"),
            "LEAK_B": (0.1, "1"),
            "LEAK_S": (0.2, "1"),
            "LEAK_C": (0.3, "1"),
            "LEAK_D": (0.4, "1"),
            "LEAK_ANY": (0.7, "1"),
            "LEAK_CONFIDENCE": (0.8, "1"),
        }
        assert group.finding_sites[0].value.value == level_code(level).value
        assert answers_of(group)["CUT_BY_FIELD"] == ("Yes" if level == LEVELS[0] else "No")
        assert answers_of(group)["LEAK_ABSTAINED"] == "No"


def test_the_height_that_was_not_measured_is_not_there(written) -> None:
    _, groups = groups_of(written())
    names = numbers_of(groups[0])
    assert "HEIGHT_POSTERIOR" not in names and "HEIGHT_RATIO" not in names


def test_an_abstention_is_said_and_no_probability_given(written) -> None:
    _, groups = groups_of(written(leak_abstained=True))
    for group in groups:
        assert answers_of(group)["LEAK_ABSTAINED"] == "Yes"
        assert not [name for name in numbers_of(group) if name.startswith("LEAK")]


def test_each_group_refers_to_the_segment_of_its_vertebra(written) -> None:
    folder = written()
    segments = hd.seg.segread(folder / "segmentation.dcm")
    document, groups = groups_of(folder)
    for group in groups:
        item = group.reference_type
        assert item.value == "121191"
        segment = group.referenced_segment
        reference = segment[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == segments.SOPInstanceUID
        label = segments.get_segment_description(int(reference.ReferencedSegmentNumber)).segment_label
        assert label == group.tracking_identifier
        described = segments.get_tracking_ids()
        assert (group.tracking_identifier, group.tracking_uid) in [(i, u) for i, u in described]
    evidence = [
        instance.ReferencedSOPInstanceUID
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]
    assert segments.SOPInstanceUID in evidence


def test_purpose_basis_and_warnings_are_said(written) -> None:
    document, _ = groups_of(written())
    comments = [
        i.TextValue for i in document.ContentSequence if i.ValueType == "TEXT" and "Comment" in i.name.meaning
    ]
    assert comments[0] == "Research use only; not a medical device."
    assert "not from patients" in comments[1]
    assert comments[2:] == ["L3 was not looked at."]
    assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_planned_values_come_along_with_their_units(written) -> None:
    plan = {
        "kyphosis_deg": 12.5,
        "corridor": {"left": {"width_mm": 6.25, "fits": True, "hit": None}, "approach": "left"},
        "trabecular_hu": 80,
        "points_mm": [1, 2, 3],
        "fracture_grade": 2,
        "secret": 7,
    }
    _, groups = groups_of(written(plans={20: plan}))
    numbers = numbers_of(groups[1])
    assert numbers["KYPHOSIS_DEG"] == (12.5, "deg")
    assert numbers["CORRIDOR_LEFT_WIDTH_MM"] == (6.25, "mm")
    assert numbers["TRABECULAR_HU"] == (80.0, "[hnsf'U]")
    assert numbers["FRACTURE_GRADE"] == (2.0, "1")
    assert answers_of(groups[1])["CORRIDOR_LEFT_FITS"] == "Yes"
    assert not {"KYPHOSIS_DEG", "SECRET", "POINTS_MM"} & set(numbers_of(groups[0]))
    assert not {"SECRET", "POINTS_MM"} & set(numbers)


def test_a_name_is_only_read_as_a_unit_where_it_ends_in_one() -> None:
    values = list(coded_values({"html": 3.0, "bone_ml": 2.0, "sum": 1.0}))
    assert [(v.name.value, v.unit.value) for v in values if isinstance(v, CodedNumber)] == [
        ("BONE_ML", "cm3")
    ]


def test_every_number_of_the_report_has_a_code(small_scan, tmp_path) -> None:
    findings = random_findings(io.read_scan(small_scan().write_nifti(tmp_path / "a.nii.gz")))
    values = report(findings)["vertebrae"][0]
    coded = {v.name.value for v in vertebra_values(values)}
    numbers = [k for k, v in values.items() if isinstance(v, float) and k != "confidence"]
    assert len(numbers) + len(values["leak_probability"]) + 1 == sum(
        isinstance(v, CodedNumber) for v in vertebra_values(values)
    )
    assert sum(isinstance(v, CodedAnswer) for v in vertebra_values(values)) == 3
    assert all(len(code) <= 16 for code in coded)


@pytest.mark.parametrize("name", ["segmentation.dcm", "measurements.dcm"])
def test_dciodvfy_finds_no_error(written, name) -> None:
    if which("dciodvfy") is None:
        pytest.skip("dciodvfy is not there; get it with: apt-get install dicom3tools")
    folder = written(plans={20: {"corridor": {"left": {"width_mm": 6.25, "fits": True}}}})
    told = subprocess.run(
        ["dciodvfy", "-new", str(folder / name)], capture_output=True, text=True, check=False, timeout=60
    ).stderr
    assert [line for line in told.splitlines() if line.startswith("Error")] == []
    unexpected = [
        line
        for line in told.splitlines()
        if line.startswith("Warning") and "<99VERTSEG>" not in line and "DICOMDIR" not in line
    ]
    assert unexpected == []


def test_vertebra_without_a_voxel_has_no_group(tmp_path, small_scan) -> None:
    from dataclasses import replace

    series = small_scan().write_dicom(tmp_path / "ct")
    findings = random_findings(io.read_scan(series))
    more = replace(findings, vertebrae=(*findings.vertebrae, vertebra(24)))
    write_dicom(more, source_frames(series), tmp_path)
    _, groups = groups_of(tmp_path)
    assert [g.tracking_identifier for g in groups] == [level_name(n) for n in LEVELS]
