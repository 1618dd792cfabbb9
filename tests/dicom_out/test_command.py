"""`vertseg predict --dicom-seg` and `--dicom-sr`, from the command line to the files."""

from pathlib import Path

import numpy as np
import pytest

hd = pytest.importorskip("highdicom")

from tests.inference.drawn import draw_spine  # noqa: E402
from tests.inference.oracle import Oracle, hu_of  # noqa: E402
from tests.io.conftest import SmallScan  # noqa: E402
from vertseg import Volume  # noqa: E402
from vertseg.cli import main  # noqa: E402
from vertseg.inference import command  # noqa: E402


@pytest.fixture(autouse=True)
def oracle(monkeypatch: pytest.MonkeyPatch) -> Oracle:
    """The drawn scans' own engine instead of the networks."""
    engine = Oracle(["L1", "L2"])
    monkeypatch.setattr(command, "open_engine", lambda *_: engine)
    return engine


def as_scan(volume: Volume) -> SmallScan:
    stored = volume.oriented("LPS")
    return SmallScan(np.rint(stored.array).astype(np.int16), stored.affine)


@pytest.fixture
def spine() -> SmallScan:
    """Two vertebrae."""
    return as_scan(hu_of(draw_spine("L1 L2")))


@pytest.mark.parametrize(
    ("option", "files"),
    [
        ("--dicom-seg", {"segmentation.dcm"}),
        ("--dicom-sr", {"segmentation.dcm", "measurements.dcm"}),
    ],
)
def test_objects_lie_beside_the_other_results(tmp_path: Path, spine, option, files) -> None:
    series = spine.write_dicom(tmp_path / "ct")
    assert main(["predict", str(series), "--output", str(tmp_path / "out"), "--quiet", option]) == 0
    assert {p.name for p in (tmp_path / "out").glob("*.dcm")} == files
    seg = hd.seg.segread(tmp_path / "out" / "segmentation.dcm")
    assert [seg.get_segment_description(n).segment_label for n in (1, 2)] == ["L1", "L2"]
    assert (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize("option", ["--dicom-seg", "--dicom-sr"])
def test_a_nifti_is_refused_before_it_is_predicted(tmp_path: Path, spine, oracle, capsys, option) -> None:
    scan = spine.write_nifti(tmp_path / "scan.nii.gz")
    assert main(["predict", str(scan), "--output", str(tmp_path / "out"), option]) == 2
    assert "is no DICOM" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and oracle.examined == 0


def test_a_scan_without_a_vertebra_has_no_objects(tmp_path: Path) -> None:
    hu = np.full((40, 40, 20), 40.0, np.float32)
    hu[:, -3:] = -1000
    hu[5:8, 5:8, 5:8] = 300
    empty = as_scan(Volume(hu, np.diag([3.0, 3, 3, 1])))
    series = empty.write_dicom(tmp_path / "ct")
    assert main(["predict", str(series), "--output", str(tmp_path / "out"), "--quiet", "--dicom-sr"]) == 0
    assert (tmp_path / "out" / "report.json").exists()
    assert not list((tmp_path / "out").glob("*.dcm"))


def test_a_folder_of_many_is_refused(tmp_path: Path, spine, capsys) -> None:
    spine.write_dicom(tmp_path / "in" / "a", series=2)
    spine.write_dicom(tmp_path / "in" / "b", series=3)
    assert main(["predict", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--dicom-seg"]) == 2
    assert "single scans" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["scan.nii.gz", "--dicomweb", "http://x"], ["--dicomweb", "http://x"]]
)
def test_a_scan_is_named_once(tmp_path: Path, capsys, arguments) -> None:
    assert main(["predict", *arguments, "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("vertseg: ")
