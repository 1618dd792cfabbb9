"""A zip of a DICOM series: read, predicted, and given back as DICOM SEG on its own frames."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

pydicom = pytest.importorskip("pydicom")  # the imports below need it

from tests.inference.oracle import hu_of  # noqa: E402
from tests.io.conftest import SmallScan  # noqa: E402
from tests.serve.conftest import ended  # noqa: E402
from tests.serve.scans import NAMES, SPINE  # noqa: E402


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The drawn scan as scanners order it: columns to the left, rows to the back, slices to the head."""
    hu = hu_of(SPINE).array[::-1, ::-1].astype(np.int16)
    affine = SPINE.grid.affine.copy()
    affine[:2, 3] += affine[[0, 1], [0, 1]] * (np.array(hu.shape[:2]) - 1)
    affine[:2, :2] *= -1
    tags = {"PatientName": "DOE^JANE", "PatientID": "4711", "StudyDate": "20260131", "StudyTime": "081500"}
    folder = SmallScan(np.ascontiguousarray(hu), affine, tags).write_dicom(tmp_path_factory.mktemp("dicom"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"DOE^JANE/{path.name}")
    return out.getvalue()


def test_series_is_predicted_and_segmented_on_its_own_frames(
    served: TestClient, series: bytes, tmp_path: Path
) -> None:
    job_id = served.post("/v1/jobs", files={"scan": ("DOE^JANE.zip", series)}).json()["id"]
    assert ended(served, job_id)["error"] is None
    report = served.get(f"/v1/jobs/{job_id}/report").json()
    assert [v["level"] for v in report["vertebrae"]] == NAMES.split()
    assert "DOE" not in served.get(f"/v1/jobs/{job_id}/report").text
    answer = served.get(f"/v1/jobs/{job_id}/dicom-seg")
    assert answer.status_code == 200, report["warnings"]
    segmentation = pydicom.dcmread(io.BytesIO(answer.content))
    assert segmentation.Modality == "SEG"
    assert {item.SegmentLabel for item in segmentation.SegmentSequence} >= set(NAMES.split())


def test_monai_label_gives_the_segmentation_too(served: TestClient, series: bytes) -> None:
    answer = served.post("/infer/vertebrae?output=dicom_seg", files={"file": ("s.zip", series)})
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.content[128:132] == b"DICM"


def test_nifti_has_no_dicom_segmentation(served: TestClient, scan: Path) -> None:
    with scan.open("rb") as file:
        answer = served.post("/infer/vertebrae?output=dicom_seg", files={"file": file})
    assert answer.status_code == 422 and "DICOM series" in answer.json()["detail"]
