"""A real PACS: CT goes in, the node gets it from there, and segmentation and report are found there."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
hd = pytest.importorskip("highdicom")
pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")

from tests.io.conftest import SmallScan  # noqa: E402
from tests.serve.dicom_node.orthanc import Orthanc, free_port, running_orthanc  # noqa: E402
from vertseg import predict  # noqa: E402
from vertseg.cli import main  # noqa: E402
from vertseg.inference import command  # noqa: E402
from vertseg.labels import level_name  # noqa: E402
from vertseg.serve.dicom_node.sender import send  # noqa: E402
from vertseg.serve.dicom_node.settings import Peer, Web  # noqa: E402
from vertseg.serve.dicom_web import fetched_series  # noqa: E402

pytestmark = pytest.mark.slow


@contextmanager
def running_node(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`vertseg dicom-node` as a process of its own, with the default weights."""
    arguments = ["dicom-node", "--output", str(folder), "--port", str(port), "--quiet-seconds", "2", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "vertseg", *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert "listens on" in process.stderr.readline()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def phantom(folder: Path) -> SmallScan:
    """A lumbar phantom with voxels of 3 mm, of a seed that is for validation."""
    path = folder / "phantom.nii.gz"
    assert (
        main(["phantom", "scan", str(path), "--seed", "900006", "--field", "lumbar", "--spacing", "3,3,3"])
        == 0
    )
    image = nib.as_closest_canonical(nib.load(path))
    # As a scanner stores it: columns to the left, rows to the back, 12 bits, places in few digits.
    hu = np.clip(np.rint(np.asarray(image.dataobj)), -1024, 3071).astype(np.int16)[::-1, ::-1]
    affine = image.affine @ np.diag([-1.0, -1, 1, 1])
    affine[:3, 3] = image.affine[:3] @ [hu.shape[0] - 1, hu.shape[1] - 1, 0, 1]
    affine[:3, 3] = np.round(affine[:3, 3], 2)
    return SmallScan(hu, affine)


def assert_equal_masks(segmentation: bytes, slices: list, levels: np.ndarray) -> None:
    """A segmentation's vertebrae against a level map (column, row, slice)."""
    seg = hd.seg.Segmentation.from_dataset(pydicom.dcmread(BytesIO(segmentation)))
    pixels = seg.get_pixels_by_source_instance(
        [s.SOPInstanceUID for s in slices], assert_missing_frames_are_empty=True
    )
    names = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
    found = np.unique(levels[levels > 0])
    assert len(found) >= 2
    for number in found:
        mine = pixels[..., names.index(level_name(int(number)))].astype(bool)
        np.testing.assert_array_equal(mine, (levels == number).transpose(2, 1, 0))


def upload(orthanc: Orthanc, folder: Path, target: Peer | Web) -> None:
    send(sorted(folder.glob("*.dcm")), target, "SENDER")
    sent = len(list(folder.glob("*.dcm")))
    assert len(orthanc.instances("CT")) == sent


def test_ct_in_segmentation_and_report_out(tmp_path: Path) -> None:
    scan = phantom(tmp_path)
    series = scan.write_dicom(tmp_path / "ct")
    assert len(list(series.iterdir())) == scan.hu.shape[2]
    port = free_port()
    with running_orthanc(tmp_path / "orthanc", port) as orthanc:
        pacs = Peer("ORTHANC", "127.0.0.1", orthanc.dicom_port)
        with running_node(tmp_path / "node", port, "--send-to", str(pacs)):
            upload(orthanc, series, pacs)
            (key,) = orthanc.post("/tools/find", {"Level": "Series", "Query": {"Modality": "CT"}})
            assert orthanc.post("/modalities/vertseg/store", key)["FailedInstancesCount"] == 0
            (report,) = orthanc.wait_for("SR", 300)
            (segmentation,) = orthanc.instances("SEG")
    assert (
        main(["predict", str(scan.write_nifti(tmp_path / "scan.nii.gz")), "--output", str(tmp_path / "out")])
        == 0
    )
    levels = np.asarray(nib.load(tmp_path / "out" / "levels.nii.gz").dataobj)
    assert_equal_masks(segmentation, scan.slices(), levels)
    (tmp_path / "segmentation.dcm").write_bytes(segmentation)
    document = hd.sr.Comprehensive3DSR.from_dataset(pydicom.dcmread(BytesIO(report)))
    groups = document.content.get_volumetric_roi_measurement_groups()
    told = json.loads((tmp_path / "out" / "report.json").read_text())["vertebrae"]
    assert [g.tracking_identifier for g in groups] == [v["level"] for v in told]
    for group, vertebra in zip(groups, told, strict=True):
        volumes = {m.name.value: float(m.value) for m in group.get_measurements()}
        assert volumes["118565006"] == pytest.approx(vertebra["volume_ml"], abs=1e-3)


def test_dicomweb_in_and_out(tmp_path: Path, spine, oracle, start_node, monkeypatch) -> None:
    slices = spine.slices()
    series = spine.write_dicom(tmp_path / "ct")
    monkeypatch.setattr(command, "open_engine", lambda *_: oracle)
    with running_orthanc(tmp_path / "orthanc", free_port()) as orthanc:
        upload(orthanc, series, Web(orthanc.web))
        study = slices[0].StudyInstanceUID
        with fetched_series(orthanc.web, study) as folder:
            assert len(list(folder.iterdir())) == len(slices)
        output = tmp_path / "out"
        asked = [
            "predict",
            "--dicomweb",
            orthanc.web,
            "--study",
            study,
            "--output",
            str(output),
            "--dicom-sr",
        ]
        assert main(asked) == 0
        node = start_node(targets=(Web(orthanc.web),))
        assert node.store(slices) == [0] * len(slices)
        node.work()
        (segmentation,) = orthanc.instances("SEG")
        assert len(orthanc.instances("SR")) == 1
        assert main([*asked[:-2], str(tmp_path / "no"), "--series", "1.2.3.99"]) == 2
        assert main([*asked[:4], "1.2.3.98", "--output", str(tmp_path / "no")]) == 2
    assert main(asked) == 2
    expected = predict(spine.write_nifti(tmp_path / "scan.nii.gz"), engine=oracle).levels.array
    assert_equal_masks(segmentation, slices, expected)
    assert_equal_masks((output / "segmentation.dcm").read_bytes(), slices, expected)
    assert not (tmp_path / "no").exists()
