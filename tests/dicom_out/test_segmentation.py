"""DICOM segmentations read back by highdicom, voxel for voxel against the NIfTI outputs."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from tests.dicom_out.random_findings import random_findings
from tests.io.multi_frame import enhanced
from vertseg import io
from vertseg.errors import InputError
from vertseg.io import write_nifti
from vertseg.labels import FINDINGS, Tissue, level_code, level_colour, level_name

hd = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")

from vertseg.dicom_out.files import write_dicom  # noqa: E402
from vertseg.dicom_out.source import source_frames  # noqa: E402

LPS = np.array([-1.0, -1.0, 1.0])
PLANES = {
    "axial": np.diag(LPS),
    "axial from head to foot": np.diag([-1.0, -1.0, -1.0]),
    "sagittal": np.array([[0, 0, -1.0], [-1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]]),
    "oblique": Rotation.from_euler("xyz", (14, -9, 31), degrees=True).as_matrix() @ np.diag(LPS),
}


def written(folder: Path, scan, **changes):
    """The series, its prediction and the segmentation as it is read from disk."""
    series = scan.write_dicom(folder / "ct", **changes)
    read = io.read_scan(series)
    findings = random_findings(read)
    write_dicom(findings, source_frames(series), folder)
    return series, findings, hd.seg.segread(folder / "segmentation.dcm")


def nifti_masks(folder: Path, findings) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mask and affine of each segment by name, out of NIfTI files."""
    volumes = {"levels": findings.levels, "tissue": findings.tissue, **findings.masks}
    stored = {}
    for name, volume in volumes.items():
        write_nifti(folder / f"{name}.nii.gz", volume)
        image = nib.load(folder / f"{name}.nii.gz")
        stored[name] = np.asarray(image.dataobj), image.affine
    levels, affine = stored["levels"]
    masks = {level_name(n): levels == n for n in np.unique(levels) if n}
    masks["vertebral bodies"] = stored["tissue"][0] == Tissue.BODY
    masks["posterior elements"] = stored["tissue"][0] == Tissue.POSTERIOR
    for finding in FINDINGS:
        words = finding.replace("_", " ")
        for n in np.unique(levels[stored[finding][0] > 0]):
            name = f"{level_name(int(n))} {words}" if n else f"{words} outside of vertebrae"
            masks[name] = (stored[finding][0] > 0) & (levels == n)
    return {name: (mask, affine) for name, mask in masks.items()}


def world_of_frames(seg, number: int) -> set[tuple[int, int, int]]:
    """Places in RAS, in 0.01 mm, of a segment's pixels, from what each of its frames says of itself alone."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    places = set()
    for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence):
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
            continue
        orientation = (shared if "PlaneOrientationSequence" in shared else group).PlaneOrientationSequence[0]
        along_row, along_column = np.array(orientation.ImageOrientationPatient, float).reshape(2, 3)
        rows_mm, columns_mm = shared.PixelMeasuresSequence[0].PixelSpacing
        first = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(seg.get_stored_frame(index + 1))
        points = (
            first
            + np.outer(columns, along_row * float(columns_mm))
            + np.outer(rows, along_column * float(rows_mm))
        ) * LPS
        places |= set(map(tuple, np.rint(points * 100).astype(int).tolist()))
    return places


def assert_same_places(seg, masks) -> None:
    labels = {seg.get_segment_description(n).segment_label: n for n in seg.segment_numbers}
    assert set(labels) == set(masks)
    for name, (mask, affine) in masks.items():
        expected = nib.affines.apply_affine(affine, np.argwhere(mask)) * 100
        found = np.array(sorted(world_of_frames(seg, labels[name])))
        expected = np.array(sorted(map(tuple, np.rint(expected).astype(int).tolist())))
        assert found.shape == expected.shape, name
        # Rounding to 0.01 mm may fall either way.
        distance, _ = cKDTree(expected).query(found)
        assert distance.max() <= 2, name


@pytest.mark.parametrize("plane", PLANES)
def test_every_voxel_lies_where_the_nifti_has_it(tmp_path, small_scan, plane) -> None:
    _, findings, seg = written(tmp_path, small_scan(PLANES[plane], (25, 23, 10)))
    assert_same_places(seg, nifti_masks(tmp_path, findings))


@pytest.mark.parametrize("plane", PLANES)
def test_frames_are_the_sources_frames(tmp_path, small_scan, plane) -> None:
    series, findings, seg = written(tmp_path, small_scan(PLANES[plane]))
    headers = {h.SOPInstanceUID: h for h in map(pydicom.dcmread, series.iterdir())}
    shared = seg.SharedFunctionalGroupsSequence[0]
    first = next(iter(headers.values()))
    assert (seg.Rows, seg.Columns) == (first.Rows, first.Columns)
    assert seg.FrameOfReferenceUID == first.FrameOfReferenceUID
    for mine, scanners in (
        (shared.PlaneOrientationSequence[0].ImageOrientationPatient, first.ImageOrientationPatient),
        (shared.PixelMeasuresSequence[0].PixelSpacing, first.PixelSpacing),
    ):
        np.testing.assert_allclose(mine, scanners, rtol=0, atol=1e-9)
    for group in seg.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = group.PlanePositionSequence[0].ImagePositionPatient
        assert position == headers[source].ImagePositionPatient
    uids = sorted(headers, key=lambda uid: float(np.dot(headers[uid].ImagePositionPatient, normal(first))))
    pixels = seg.get_pixels_by_source_instance(
        uids, ignore_spatial_locations=False, assert_missing_frames_are_empty=True
    )
    masks = nifti_masks(tmp_path, findings)
    for index, number in enumerate(seg.segment_numbers):
        name = seg.get_segment_description(number).segment_label
        mask = masks[name][0]
        np.testing.assert_array_equal(pixels[..., index].astype(bool), mask.transpose(2, 1, 0), err_msg=name)


def normal(header) -> np.ndarray:
    row, column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    return np.cross(row, column)


@pytest.mark.parametrize("tilt_deg", [-18, 11])
def test_a_tilted_gantry_keeps_every_frame_in_its_place(tmp_path, small_scan, tilt_deg) -> None:
    plane = Rotation.from_euler("x", tilt_deg, degrees=True).as_matrix() @ np.diag(LPS)
    plane[:, 2] = (0, 0, 1)
    _, findings, seg = written(tmp_path, small_scan(plane))
    assert_same_places(seg, nifti_masks(tmp_path, findings))


def test_a_multi_frame_source_whose_frames_are_in_no_order(tmp_path, small_scan) -> None:
    scan = small_scan(PLANES["oblique"])
    dataset = enhanced(scan, shared_orientation=True)
    dataset.ContentDate, dataset.ContentTime = "20250101", "120000"
    dataset.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    findings = random_findings(io.read_scan(tmp_path / "ct.dcm"))
    write_dicom(findings, source_frames(tmp_path / "ct.dcm"), tmp_path)
    seg = hd.seg.segread(tmp_path / "segmentation.dcm")
    assert_same_places(seg, nifti_masks(tmp_path, findings))


def test_the_real_tilted_series_with_uneven_slices_is_refused(shared_data) -> None:
    with pytest.raises(InputError, match=r"uneven distances.*NIfTI"):
        source_frames(shared_data / "dicom_tilt")


def test_uneven_slices_are_refused(tmp_path, small_scan) -> None:
    for k, dataset in enumerate(small_scan().slices()):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + (0.5 if k > 4 else 0)]
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match="uneven distances"):
        source_frames(tmp_path)


def test_another_series_is_refused(tmp_path, small_scan) -> None:
    series = small_scan().write_dicom(tmp_path / "a")
    other = small_scan(shape=(26, 24, 9)).write_dicom(tmp_path / "b")
    with pytest.raises(InputError, match="the series it was made from"):
        write_dicom(random_findings(io.read_scan(series)), source_frames(other), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_series_without_a_frame_of_reference_is_refused(tmp_path, small_scan) -> None:
    series = small_scan().write_dicom(tmp_path / "ct", FrameOfReferenceUID=None)
    with pytest.raises(InputError, match="has no FrameOfReferenceUID"):
        source_frames(series)


def test_segments_say_what_they_are(tmp_path, small_scan) -> None:
    _, _, seg = written(tmp_path, small_scan())
    described = {d.segment_label: d for d in map(seg.get_segment_description, seg.segment_numbers)}
    assert list(described)[:4] == ["T12", "L1", "L6", "sacrum"]
    for number, name in ((19, "T12"), (20, "L1"), (25, "L6")):
        kind, code = described[name].segmented_property_type, level_code(number)
        assert (kind.scheme_designator, kind.value) == (code.scheme, code.value)
        assert described[name].segmented_property_category.value == "123037004"
        colour = hd.color.CIELabColor.from_dicom_value(described[name].RecommendedDisplayCIELabValue)
        np.testing.assert_allclose(colour.to_rgb(), level_colour(number), atol=2)
    lesion = described["L1 lytic lesion"]
    assert lesion.segmented_property_category.value == "49755003"
    assert lesion.anatomic_regions[0].value == level_code(20).value
    assert "cement outside of vertebrae" in described
    about = lesion.algorithm_identification
    assert (about.name, about.parameters["locate"]) == ("vertseg", "ab" * 8)
    assert "research use" in seg.SeriesDescription and "not a medical device" in seg.ContentDescription
    assert len({d.tracking_uid for d in described.values()}) == len(described)
    assert (seg.PatientID, seg.StudyInstanceUID) == ("SECRET", "1.2.3")


def test_what_a_minimal_exporter_leaves_out_is_no_hindrance(tmp_path, small_scan) -> None:
    _, findings, seg = written(tmp_path, small_scan(), PatientName=None, PatientID=None, SeriesNumber=None)
    assert seg.PatientID == ""
    assert_same_places(seg, nifti_masks(tmp_path, findings))
