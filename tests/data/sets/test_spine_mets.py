import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.io.conftest import LPS, SmallScan
from vertseg.data.sets.found import FoundCase
from vertseg.data.sets.spine_mets import find_cases
from vertseg.errors import InputError
from vertseg.io import read_scan
from vertseg.labels import SACRUM
from vertseg.volume import Grid, restore

hd = pytest.importorskip("highdicom")

SHAPE = (16, 24, 12)
T12, L1, L2 = 19, 20, 21
TURNED = np.array([[0.8, -0.6, 0.0], [-0.6, -0.8, 0.0], [0.0, 0.0, 1.0]])
MANIFEST = "manifest-1724965242274/Spine-Mets-CT-SEG"


def _scan(patient: str, turned: bool = False) -> SmallScan:
    values = np.linspace(-1000, 1000, int(np.prod(SHAPE)))
    hu = np.random.default_rng(3).permutation(values).reshape(SHAPE).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = (TURNED if turned else np.diag(LPS)) * np.array([1.5, 1.25, 3.0])
    affine[:3, 3] = (80.5, 60.25, -140)
    root = f"1.2.826.{patient}"
    tags = {
        "PatientID": patient, "PatientName": f"{patient}^", "SliceThickness": 3.0, "PatientBirthDate": "", "PatientSex": "O",
        "StudyInstanceUID": root, "SeriesInstanceUID": f"{root}.1", "FrameOfReferenceUID": f"{root}.9",
        "StudyID": "1", "AccessionNumber": "", "StudyDate": "20090404", "StudyTime": "101010",
        "ReferringPhysicianName": "",
    }  # fmt: skip
    return SmallScan(hu, affine, tags)


def _drawn() -> NDArray[np.uint8]:
    """Segments 1 (upper) and 2 (lower) of a scan, (column, row, slice)."""
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[4:11, 6:17, 7:11] = 1
    drawn[4:11, 6:17, 2:6] = 2
    drawn[3, 20, 7] = 1
    return drawn


def _segment(number: int, label: str, meaning: str, value: str = "1") -> Any:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=hd.sr.CodedConcept(value, "SCT", meaning),
        algorithm_type="MANUAL",
    )


def _slices(scan: SmallScan) -> list[Any]:
    slices = scan.slices()
    for k, dataset in enumerate(slices):
        dataset.SOPInstanceUID = f"{scan.tags['SeriesInstanceUID']}.{k + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return slices


def _segmentation(
    scan: SmallScan, pixels: Any, names: tuple[str, ...] = ("T12 vertebra", "L1 vertebra"), **kwargs: Any
) -> Any:
    return hd.seg.Segmentation(
        source_images=_slices(scan),
        pixel_array=pixels,
        **({"segmentation_type": "BINARY"} | kwargs),
        segment_descriptions=[_segment(n, name, name) for n, name in enumerate(names, start=1)],
        series_instance_uid=f"{scan.tags['StudyInstanceUID']}.300",
        series_number=300,
        sop_instance_uid=f"{scan.tags['StudyInstanceUID']}.300.1",
        instance_number=1,
        manufacturer="Drawn",
        manufacturer_model_name="Drawn",
        software_versions="1",
        device_serial_number="1",
        series_description="Spine Segmentation",
    )


def _write(root: Path, scan: SmallScan, *segmentations: Any) -> Path:
    """A patient as the NBIA Data Retriever lays them out."""
    patient = scan.tags["PatientID"]
    study = root / MANIFEST / patient / "04-04-2009-NA-SpineSPINEBONESBRT Adult-04098"
    ct = study / f"5.000000-SKINTOSKINSIM0.5MM{patient}a iMAR-27242"
    ct.mkdir(parents=True)
    for k, dataset in enumerate(_slices(scan)):
        dataset.save_as(ct / f"1-{(k * 37 + 11) % 101:03d}.dcm", enforce_file_format=True)
    for n, segmentation in enumerate(segmentations):
        folder = study / f"{300 + n}.000000-Spine Segmentation-86171"
        folder.mkdir()
        segmentation.save_as(folder / "1-1.dcm")
    (root / MANIFEST).parent.joinpath("metadata.csv").write_text("Series UID,Collection\n")
    return ct


def _only(root: Path) -> FoundCase:
    (case,) = find_cases(root)
    return case


def _expected() -> NDArray[np.uint8]:
    return np.array([0, T12, L1], np.uint8)[_drawn()]


def _read_level(case: FoundCase, drawn: SmallScan) -> NDArray[Any]:
    """Levels in the order of voxels in which the scan was drawn."""
    scan = read_scan(case.image)
    labels = case.read_labels(scan.volume)
    assert labels.level.grid.matches(scan.volume.grid)
    assert labels.problems == ()
    stored: NDArray[Any] = restore(labels.level, Grid(SHAPE, drawn.affine)).array
    return stored


def _plain(scan: SmallScan) -> Any:
    return _segmentation(scan, _drawn().transpose(2, 1, 0))


def _other_way_round(scan: SmallScan) -> Any:
    """Rows from bottom to top and columns from right to left, in a volume that starts at the upper end."""
    affine = np.diag([*LPS, 1.0]) @ scan.affine
    volume = hd.Volume(_drawn().transpose(2, 1, 0), affine[:, [2, 1, 0, 3]], coordinate_system="PATIENT")
    return _segmentation(scan, volume.flip_spatial([0, 1, 2]))


def _part_of_the_grid(scan: SmallScan) -> Any:
    affine = np.diag([*LPS, 1.0]) @ scan.affine
    volume = hd.Volume(_drawn().transpose(2, 1, 0), affine[:, [2, 1, 0, 3]], coordinate_system="PATIENT")
    return _segmentation(scan, volume[1:, 5:21, 2:14])


def _frames_in_disorder(scan: SmallScan) -> Any:
    from pydicom.pixels import pack_bits

    segmentation = _plain(scan)
    order = np.random.default_rng(5).permutation(segmentation.number_of_frames)
    frames = segmentation.pixel_array[order]
    groups = segmentation.PerFrameFunctionalGroupsSequence
    segmentation.PerFrameFunctionalGroupsSequence = [groups[i] for i in order]
    segmentation.PixelData = pack_bits(frames.ravel())
    return segmentation


def _label_map(scan: SmallScan) -> Any:
    return _segmentation(scan, _drawn().transpose(2, 1, 0), segmentation_type="LABELMAP")


def _fractional(scan: SmallScan) -> Any:
    """Certain to 0.6 where the segments are and to 0.4 everywhere else."""
    masks = np.stack([_drawn() == 1, _drawn() == 2], axis=-1)
    fractions = np.where(masks, 0.6, 0.4).transpose(2, 1, 0, 3)
    return _segmentation(scan, fractions, segmentation_type="FRACTIONAL")


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize(
    "make", [_plain, _other_way_round, _part_of_the_grid, _frames_in_disorder, _label_map, _fractional]
)
def test_frames_come_to_their_place_voxel_for_voxel(
    tmp_path: Path, make: Callable[[SmallScan], Any], turned: bool
) -> None:
    scan = _scan("10250", turned)
    ct = _write(tmp_path, scan, make(scan))
    case = _only(tmp_path)
    assert (case.name, case.patient, case.image, case.split) == ("10250", "10250", ct, None)
    assert case.annotated == {"level"}
    assert case.problems == ()
    np.testing.assert_array_equal(_read_level(case, scan), _expected())


def test_names_of_folders_do_not_count(tmp_path: Path) -> None:
    scan = _scan("10352")
    ct = _write(tmp_path, scan, _plain(scan))
    ct.parent.joinpath("300.000000-Spine Segmentation-86171").rename(tmp_path / MANIFEST / "5.0-SKINTOSKIN")
    ct.rename(tmp_path / "Segmentation")
    case = _only(tmp_path)
    assert (case.name, case.image) == ("10352", tmp_path / "Segmentation")
    np.testing.assert_array_equal(_read_level(case, scan), _expected())


def test_each_patient_has_a_case_and_without_a_segmentation_it_is_told(tmp_path: Path) -> None:
    for patient in ("14", "12"):
        scan = _scan(patient)
        _write(tmp_path, scan, _plain(scan))
    _write(tmp_path, _scan("13"))
    cases = find_cases(tmp_path)
    assert [case.patient for case in cases] == ["12", "13", "14"]
    assert [len(case.problems) for case in cases] == [0, 1, 0]
    assert "has no segmentation; download" in cases[1].problems[0]
    with pytest.raises(InputError, match="has no segmentation"):
        cases[1].read_labels(read_scan(cases[1].image).volume)


def test_two_segmentations_of_a_patient_are_two_cases(tmp_path: Path) -> None:
    scan = _scan("12")
    second = _plain(scan)
    second.SeriesInstanceUID, second.SOPInstanceUID = "1.2.826.12.301", "1.2.826.12.301.1"
    _write(tmp_path, scan, _plain(scan), second)
    assert [(case.name, case.patient) for case in find_cases(tmp_path)] == [("12_1", "12"), ("12_2", "12")]


def test_a_segmentation_without_its_ct_is_told(tmp_path: Path) -> None:
    scan = _scan("12")
    ct = _write(tmp_path, scan, _plain(scan))
    for path in ct.iterdir():
        path.unlink()
    case = _only(tmp_path)
    assert case.problems[0].startswith("no CT series found for")
    with pytest.raises(InputError):
        read_scan(case.image)


def test_ct_series_in_one_folder_are_told(tmp_path: Path) -> None:
    scan = _scan("12")
    ct = _write(tmp_path, scan, _plain(scan))
    scan.write_dicom(ct, series=7, SeriesInstanceUID="1.2.826.12.7", FrameOfReferenceUID="1.2.826.12.8")
    assert "holds 2 CT series; move each into a folder of its own" in _only(tmp_path).problems[0]


def test_s1_is_the_sacrums_but_does_not_annotate_it(tmp_path: Path) -> None:
    scan = _scan("12")
    _write(tmp_path, scan, _segmentation(scan, _drawn().transpose(2, 1, 0), ("L5 vertebra", "S1 vertebra")))
    case = _only(tmp_path)
    assert case.annotated == {"level"}
    assert set(np.unique(_read_level(case, scan))) == {0, 24, SACRUM}


def test_a_coded_type_names_the_level_where_the_label_does_not(tmp_path: Path) -> None:
    scan = _scan("12")
    segmentation = _plain(scan)
    segmentation.SegmentSequence = [
        _segment(1, "Segment_1", "Twelfth thoracic vertebra"),
        _segment(2, "Segment_2", "bone", value="66794005"),
    ]
    _write(tmp_path, scan, segmentation)
    case = _only(tmp_path)
    assert case.problems == ()
    np.testing.assert_array_equal(_read_level(case, scan), _expected())


def test_segments_that_are_no_level_or_doubtful_are_told(tmp_path: Path) -> None:
    scan = _scan("12")
    segmentation = _plain(scan)
    segmentation.SegmentSequence = [
        _segment(1, "tumour", "Neoplasm"),
        _segment(2, "L1 vertebra", "L2 vertebra"),
    ]
    _write(tmp_path, scan, segmentation)
    case = _only(tmp_path)
    assert "is called 'tumour' or 'Neoplasm', no level; it is left out" in case.problems[0]
    assert "is called 'L1 vertebra' and 'L2 vertebra'; its label counts" in case.problems[1]
    labels = case.read_labels(read_scan(case.image).volume)
    assert set(np.unique(labels.level.array)) == {0, L1}


def test_overlapping_segments_are_counted(tmp_path: Path) -> None:
    scan = _scan("12")
    masks = np.stack([_drawn() == 1, _drawn() == 2], axis=-1)
    masks[4, 6:16, 7, 1] = True
    _write(tmp_path, scan, _segmentation(scan, masks.transpose(2, 1, 0, 3)))
    case = _only(tmp_path)
    (problem,) = case.read_labels(read_scan(case.image).volume).problems
    assert problem == "The segments T12 and L1 overlap in 10 voxels, which count as T12."


def test_a_scan_that_goes_on_beyond_its_labels_is_told(tmp_path: Path) -> None:
    scan = _scan("12")
    scan.affine[2, 2] = 20.0
    _write(tmp_path, scan, _plain(scan))
    case = _only(tmp_path)
    assert case.read_labels(read_scan(case.image).volume).problems == ()
    drawn = np.where(_drawn() == 2, 1, 0).astype(np.uint8)
    drawn[:, :, 8:] = 0
    scan = _scan("14")
    scan.affine[2, 2] = 20.0
    _write(tmp_path / "other", scan, _segmentation(scan, drawn.transpose(2, 1, 0), ("T5 vertebra",)))
    case = _only(tmp_path / "other")
    (above,) = case.read_labels(read_scan(case.image).volume).problems
    assert above == "The scan goes on 120 mm above T5; vertebrae there have no label."


def test_a_segmentation_on_another_grid_is_refused_by_its_name(tmp_path: Path) -> None:
    scan, shifted = _scan("12"), _scan("12")
    shifted.affine[:3, 3] += 0.6
    _write(tmp_path, scan, _plain(shifted))
    case = _only(tmp_path)
    with pytest.raises(InputError, match=r"1-1\.dcm' does not lie on its image's grid"):
        case.read_labels(read_scan(case.image).volume)


def test_a_folder_without_segmentations_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, _scan("12"))
    with pytest.raises(InputError, match="holds no DICOM segmentation"):
        find_cases(tmp_path)


def test_without_highdicom_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = _scan("12")
    _write(tmp_path, scan, _plain(scan))
    case = _only(tmp_path)
    volume = read_scan(case.image).volume
    usual = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("highdicom"):
            raise ModuleNotFoundError("No module named 'highdicom'", name="highdicom")
        return usual(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(
        InputError, match=r"needs highdicom to be read; install it with pip install 'vertseg\[dicom\]'"
    ):
        case.read_labels(volume)
