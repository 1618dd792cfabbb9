"""vertseg's own face, with an engine that reads the drawn truth: what is found, what is refused, what is forgotten."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.serve.conftest import ended, until_ready
from tests.serve.scans import NAMES, SPINE, deadly, slow
from vertseg.labels import level_number
from vertseg.serve.settings import Limits


def submit(client: TestClient, scan: Path, **form: str) -> str:
    with scan.open("rb") as file:
        answer = client.post("/v1/jobs", files={"scan": (scan.name, file)}, data=form)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def job(served: TestClient, scan: Path) -> str:
    job_id = submit(served, scan)
    assert ended(served, job_id)["status"] == "done"
    return job_id


def test_report_tells_the_drawn_levels(served: TestClient, job: str) -> None:
    report = served.get(f"/v1/jobs/{job}/report").json()
    assert [v["level"] for v in report["vertebrae"]] == NAMES.split()
    assert report["input"]["path"] == "scan"


def test_masks_come_back_on_the_scans_grid(served: TestClient, job: str, tmp_path: Path) -> None:
    content = served.get(f"/v1/jobs/{job}/files/levels.nii.gz").content
    (tmp_path / "levels.nii.gz").write_bytes(content)
    image = nib.load(tmp_path / "levels.nii.gz")
    np.testing.assert_allclose(image.affine, SPINE.grid.affine)
    found = np.asarray(image.dataobj) == level_number("L2")
    drawn = SPINE.level == level_number("L2")
    assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.9


def test_archive_holds_every_file(served: TestClient, job: str) -> None:
    names = served.get(f"/v1/jobs/{job}/files").json()
    archive = zipfile.ZipFile(io.BytesIO(served.get(f"/v1/jobs/{job}/archive").content))
    assert sorted(archive.namelist()) == names
    assert {"levels.nii.gz", "tissue.nii.gz", "report.json", "preview.png"} <= set(names)
    spool = served.app.state.service.places.spool
    assert not list(spool.iterdir())


def test_events_end_with_the_end(served: TestClient, job: str) -> None:
    lines = served.get(f"/v1/jobs/{job}/events").text.splitlines()
    assert lines[0] == "event: end"
    assert json.loads(lines[1].removeprefix("data: "))["status"] == "done"


def test_nothing_of_the_client_s_names_is_kept_or_told(served: TestClient, job: str) -> None:
    service = served.app.state.service
    texts = [p.read_bytes() for p in service.settings.folder.rglob("*") if p.is_file()]
    assert not any(re.search(rb"DOE.?JANE", text) for text in texts)
    assert not any("DOE" in p.name for p in service.settings.folder.rglob("*"))
    assert "DOE" not in served.get("/metrics").text + served.get("/logs/").text


def test_the_scan_is_gone_when_its_job_has_ended(served: TestClient, job: str) -> None:
    folder = served.app.state.service.places.job(job)
    assert [path.name for path in folder.iterdir()] == ["results"]


@pytest.mark.parametrize(
    "name", ["../../jobs.sqlite", "..%2f..%2fjobs.sqlite", "%2e%2e/audit.jsonl", "absent"]
)
def test_no_name_leads_out_of_the_results(served: TestClient, job: str, name: str) -> None:
    assert served.get(f"/v1/jobs/{job}/files/{name}").status_code == 404


def test_one_vertebra_by_level_and_by_point(served: TestClient, scan: Path) -> None:
    x, y, z = SPINE.centres_mm[level_number("L3")]
    for form in ({"level": "L3"}, {"point_mm": f"{x + 3},{y},{z + 2}"}):
        with scan.open("rb") as file:
            answer = served.post("/v1/vertebra", files={"scan": file}, data=form)
        assert answer.status_code == 200, answer.text
        vertebra = answer.json()["vertebra"]
        assert vertebra["level"] == "L3"
        np.testing.assert_allclose(vertebra["centroid_mm"], (x, y, z), atol=3)


def test_a_point_far_from_the_spine_is_refused(served: TestClient, scan: Path) -> None:
    with scan.open("rb") as file:
        answer = served.post("/v1/vertebra", files={"scan": file}, data={"point_mm": "900,900,900"})
    assert 400 <= answer.status_code < 500
    assert "point" in answer.json()["detail"]


def test_the_same_key_gives_the_same_job(served: TestClient, scan: Path) -> None:
    ids = set()
    for _ in range(2):
        with scan.open("rb") as file:
            answer = served.post("/v1/jobs", files={"scan": file}, headers={"idempotency-key": "mine"})
        ids.add(answer.json()["id"])
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"levels": "Q9"}, "not a vertebral level"),
        ({"cement_ml": "99"}, "not possible"),
        ({"cement_ml": "much"}, "cement_ml"),
        ({"viscosity": "runny"}, "viscosity"),
        ({"point_mm": "1,2"}, "three numbers"),
        ({"point_mm": "nan,0,0"}, "finite"),
        ({"levels": "L1", "point_mm": "1,2,3"}, "not both"),
    ],
)
def test_wishes_that_are_not_possible(
    served: TestClient, scan: Path, form: dict[str, str], says: str
) -> None:
    with scan.open("rb") as file:
        answer = served.post("/v1/jobs", files={"scan": file}, data=form)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_what_is_no_ct_fails_with_a_sentence_without_paths(served: TestClient, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((40, 40, 40), np.int16), np.eye(4)), tmp_path / "flat.nii.gz")
    job = ended(served, submit(served, tmp_path / "flat.nii.gz"))
    assert (job["status"], job["error_kind"]) == ("failed", "input")
    assert job["error"] == "'scan' holds the same value (0) in every voxel; it is no scan."


def test_what_if_without_features_says_so(served: TestClient, job: str) -> None:
    answer = served.post(f"/v1/jobs/{job}/what-if", json={"level": "L2", "cement_ml": 4})
    assert answer.status_code == 409 and "send the scan again" in answer.json()["detail"]
    assert served.post(f"/v1/jobs/{job}/what-if", json={"level": "T3"}).status_code == 404
    assert served.post(f"/v1/jobs/{job}/what-if", json={"level": "L2", "cement_ml": 99}).status_code == 422


def test_removing_leaves_nothing(served: TestClient, scan: Path) -> None:
    job_id = submit(served, scan)
    ended(served, job_id)
    assert served.delete(f"/v1/jobs/{job_id}").json()["status"] == "removed"
    assert served.get(f"/v1/jobs/{job_id}").status_code == 404
    assert not served.app.state.service.places.job(job_id).exists()


def test_what_is_kept_long_enough_goes(served: TestClient, scan: Path) -> None:
    job_id = submit(served, scan)
    ended(served, job_id)
    service = served.app.state.service
    service.sweep(service.settings.limits.keep_h * 3600 - 1)
    assert service.places.job(job_id).exists()
    service.sweep(2)
    assert not service.places.job(job_id).exists()


@pytest.mark.slow
def test_a_full_queue_says_when_to_come_back_and_a_cancelled_job_makes_room(
    serving: Callable[..., TestClient], scan: Path
) -> None:
    client = serving(opener=slow, limits=Limits(queue=1))
    job_id = submit(client, scan)
    with scan.open("rb") as file:
        answer = client.post("/v1/jobs", files={"scan": file})
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    client.delete(f"/v1/jobs/{job_id}")
    assert ended(client, job_id)["status"] == "cancelled"
    submit(client, scan)


@pytest.mark.slow
def test_a_job_over_its_time_fails_and_the_next_one_gets_a_new_worker(
    serving: Callable[..., TestClient], scan: Path
) -> None:
    client = serving(opener=slow, limits=Limits(job_s=0.5))
    until_ready(client)
    for _ in range(2):
        job = ended(client, submit(client, scan))
        assert (job["status"], job["error_kind"]) == ("failed", "limit")


@pytest.mark.slow
def test_a_scan_that_kills_its_worker_is_given_up_after_two_tries(
    serving: Callable[..., TestClient], scan: Path
) -> None:
    client = serving(opener=deadly)
    job = ended(client, submit(client, scan))
    assert (job["status"], job["error_kind"]) == ("failed", "worker")
    assert client.app.state.service.dispatcher.restarts == 2
