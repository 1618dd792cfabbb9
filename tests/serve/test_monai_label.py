"""MONAI Label's protocol, driven as 3D Slicer's and OHIF's extensions drive it."""

import re
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.serve.labelling_client import Ohif, Slicer
from tests.serve.scans import NAMES, SPINE
from vertseg.labels import LEVEL_NAMES, SACRUM, level_colour, level_number
from vertseg.serve.labelling import MODELS
from vertseg.serve.nrrd import Segment, nrrd_bytes
from vertseg.volume import Volume

FOUND = [*NAMES.split(), "sacrum"]


@pytest.fixture(scope="module")
def slicer(served: TestClient) -> Slicer:
    return Slicer(served)


@pytest.fixture(scope="module")
def session(slicer: Slicer, scan: Path) -> str:
    return str(slicer.create_session(scan)["session_id"])


def test_info_has_what_the_extensions_read(slicer: Slicer) -> None:
    info = slicer.info()
    # A key of that name makes Slicer's extension ask for a newer server.
    assert "config" not in info
    assert info["trainers"] == {} and info["strategies"] == {}
    assert info["datastore"].keys() >= {"total", "completed"}
    levels = info["models"]["vertebrae"]
    assert levels["type"] == "segmentation" and levels["dimension"] == 3
    assert levels["labels"] == {n: i for i, n in LEVEL_NAMES.items() if n != "coccyx"}
    assert set(info["labels"]) == {name for model in info["models"].values() for name in model["labels"]}


def test_session_is_predicted_and_named_as_slicer_counts(slicer: Slicer, session: str) -> None:
    name, content, params = slicer.infer("vertebrae", "volume", session)
    assert name.endswith(".nrrd") and "/" not in name
    labels = [k for k, _ in sorted(params["label_names"].items(), key=lambda item: item[1])]
    head, _, data = content.partition(b"\n\n")
    found = sorted(set(np.unique(np.frombuffer(data, np.uint8))) - {0})
    # Slicer gives the k-th number found the k-th name.
    assert labels == FOUND
    assert [LEVEL_NAMES[n] for n in found] == labels
    assert params["label_colors"]["L2"] == list(level_colour(level_number("L2")))
    assert b"space: left-posterior-superior" in head


def test_image_lies_where_slicer_shows_it(slicer: Slicer, session: str, tmp_path: Path) -> None:
    itk = pytest.importorskip("SimpleITK", reason="reads the answer as 3D Slicer does")
    name, content, params = slicer.infer("vertebrae", "volume", session)
    (tmp_path / name).write_bytes(content)
    image = itk.ReadImage(str(tmp_path / name))
    centre_lps = SPINE.centres_mm[level_number("L2")] * (-1, -1, 1)
    assert (
        image.GetPixel(image.TransformPhysicalPointToIndex(centre_lps.tolist()))
        == params["label_names"]["L2"]
    )
    assert image.GetSize() == SPINE.grid.shape


def test_datastore_image_is_predicted_by_the_name_that_the_viewer_gave(slicer: Slicer, scan: Path) -> None:
    assert slicer.upload_image(scan, "DOE^JANE 1950/5")["image"] == "DOE^JANE 1950/5"
    service = slicer.http.app.state.service  # type: ignore[attr-defined]
    assert not any(
        re.search(rb"DOE.?JANE", p.read_bytes()) for p in service.settings.folder.rglob("*") if p.is_file()
    )
    _, _, params = slicer.infer("tissue", "DOE^JANE 1950/5")
    assert params["label_names"] == {"body": 1, "posterior_elements": 2}
    assert slicer.http.get("/datastore/", params={"output": "stats"}).json()["total"] == 1
    got = slicer.http.get("/datastore/image", params={"image": "DOE^JANE 1950/5"})
    assert got.content == scan.read_bytes()
    assert slicer.http.delete("/datastore/", params={"id": "DOE^JANE 1950/5"}).status_code == 200
    assert slicer.http.head("/datastore/image", params={"image": "DOE^JANE 1950/5"}).status_code == 404


def test_a_refused_upload_leaves_the_image_of_that_name_and_a_good_one_replaces_its_file(
    slicer: Slicer, scan: Path, tmp_path: Path
) -> None:
    images = slicer.http.app.state.service.places.images  # type: ignore[attr-defined]
    before = set(images.iterdir())
    slicer.upload_image(scan, "twice")
    (first,) = set(images.iterdir()) - before
    refused = slicer.http.put("/datastore/image", params={"image": "twice"}, files={"file": b"no scan"})
    assert refused.status_code == 422
    assert set(images.iterdir()) - before == {first}
    assert slicer.http.get("/datastore/image", params={"image": "twice"}).content == scan.read_bytes()
    slicer.upload_image(scan, "twice")
    (second,) = set(images.iterdir()) - before
    assert second != first
    slicer.http.delete("/datastore/", params={"id": "twice"})
    assert set(images.iterdir()) == before


def test_ohif_gets_raw_voxels_in_the_order_of_the_series(
    served: TestClient, slicer: Slicer, scan: Path
) -> None:
    slicer.upload_image(scan, "1.2.840.1")
    header, voxels = Ohif(served).infer("vertebrae", "1.2.840.1")
    shape = tuple(int(n) for n in header["sizes"].split())
    assert shape == SPINE.grid.shape
    found = voxels.reshape(shape, order="F") == level_number("L2")
    drawn = SPINE.level == level_number("L2")
    assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.9


@pytest.mark.parametrize(
    ("ending", "start"), [(".nii.gz", b"\x1f\x8b"), (".nii", b"\\"), (".seg.nrrd", b"NRRD")]
)
def test_other_endings(served: TestClient, session: str, ending: str, start: bytes) -> None:
    form = {"params": f'{{"result_extension": "{ending}"}}'}
    answer = served.post(f"/infer/vertebrae?session_id={session}&output=image", data=form)
    assert answer.content.startswith(start)
    assert answer.headers["content-disposition"].endswith(f'{ending}"')


def test_json_alone_and_a_file_in_the_same_call(served: TestClient, scan: Path) -> None:
    with scan.open("rb") as file:
        answer = served.post(
            "/infer/vertebrae?output=json", files={"file": file}, data={"params": '{"levels": "L2"}'}
        )
    assert answer.json()["label_names"] == {"L2": level_number("L2")}


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/infer/spleen?session_id={s}", {}, 404),
        ("/infer/vertebrae", {}, 422),
        ("/infer/vertebrae?image=absent", {}, 404),
        ("/infer/vertebrae?session_id=absent", {}, 404),
        ("/infer/vertebrae?session_id={s}", {"params": "{"}, 422),
        ("/infer/vertebrae?session_id={s}", {"params": "[1]"}, 422),
        ("/infer/vertebrae?session_id={s}", {"params": '{"levels": 3}'}, 422),
        ("/infer/vertebrae?session_id={s}", {"params": '{"result_extension": "/../x"}'}, 422),
    ],
)
def test_what_cannot_be_inferred(
    served: TestClient, session: str, path: str, form: dict[str, str], status: int
) -> None:
    answer = served.post(path.format(s=session), data=form)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")


def test_what_is_not_served_says_so(served: TestClient) -> None:
    # Slicer's extension takes 200 for "training runs".
    assert served.get("/train/?check_if_running=true").status_code == 404
    for method, path in (
        ("POST", "/train/vertebrae"),
        ("DELETE", "/train/"),
        ("POST", "/activelearning/random"),
        ("PUT", "/datastore/label?image=x"),
        ("PUT", "/model/vertebrae"),
    ):
        answer = served.request(method, path)
        assert answer.status_code == 405 and answer.json()["detail"].endswith(".")


def test_a_session_ends(served: TestClient, slicer: Slicer, scan: Path) -> None:
    session = slicer.create_session(scan)["session_id"]
    assert served.get(f"/session/{session}").json()["name"] == session
    served.delete(f"/session/{session}")
    assert served.get(f"/session/{session}").status_code == 404


def test_every_label_of_every_model_has_a_number_of_its_own() -> None:
    for model in MODELS.values():
        assert 0 not in model.segments and max(model.segments) < 256
        assert len(model.labels) == len(model.segments)
    assert MODELS["vertebrae"].segments[SACRUM].name == "sacrum"


def test_nrrd_of_a_turned_grid_keeps_every_voxel_s_place() -> None:
    affine = np.array([[0, -2.0, 0, 10], [1.5, 0, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1]])
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = nrrd_bytes(Volume(array, affine), {5: Segment("five", (255, 0, 51))})
    head, _, data = content.partition(b"\n\n")
    lines = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:] if ": " in line)
    assert lines["space directions"] == "(0.0,-1.5,0.0) (2.0,0.0,0.0) (0.0,0.0,3.0)"
    assert lines["space origin"] == "(-10.0,20.0,30.0)"
    np.testing.assert_array_equal(np.frombuffer(data, np.uint8).reshape((2, 3, 4), order="F"), array)
    assert b"Segment0_Name:=five\nSegment0_Color:=1.0000 0.0000 0.2000\nSegment0_LabelValue:=5" in head
