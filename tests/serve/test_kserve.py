"""KServe's protocol v2 with JSON and binary tensors."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.inference.oracle import hu_of
from tests.serve.scans import SPINE
from vertseg.labels import LocateClass
from vertseg.preprocess import normalise_hu

SHAPE = (48, 48, 64)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    hu = hu_of(SPINE).array[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    padded = np.full(SHAPE, -1000, np.float32)
    padded[: hu.shape[0], : hu.shape[1], : hu.shape[2]] = hu
    return np.asarray(normalise_hu(padded), dtype="<f4")[None, None]


def request(image: np.ndarray, **more: object) -> dict[str, object]:
    return {"inputs": [{"name": "image", "datatype": "FP32", "shape": list(image.shape), **more}]}


def test_metadata_names_every_tensor(served: TestClient) -> None:
    told = served.get("/v2/models/examine").json()
    assert [t["name"] for t in told["inputs"]] == ["image", "plan"]
    assert told["inputs"][0]["shape"][:2] == [-1, 2]
    assert {t["datatype"] for t in (*told["inputs"], *told["outputs"])} == {"FP32"}
    assert served.get("/v2/models/locate/ready").json()["ready"] is True
    assert served.get("/v2/health/ready").json() == {"ready": True}
    assert served.get("/v2/models/spleen").status_code == 404


def test_binary_and_json_tensors_are_one(served: TestClient, image: np.ndarray) -> None:
    header = request(image, parameters={"binary_data_size": image.nbytes})
    header |= {"id": "7", "outputs": [{"name": "tissue", "parameters": {"binary_data": True}}]}
    text = json.dumps(header).encode()
    answer = served.post(
        "/v2/models/locate/infer", content=text + image.tobytes(),
        headers={"inference-header-content-length": str(len(text))},
    )  # fmt: skip
    length = int(answer.headers["inference-header-content-length"])
    told = json.loads(answer.content[:length])
    assert told["id"] == "7" and told["outputs"][0]["shape"] == [1, len(LocateClass), *SHAPE]
    tissue = np.frombuffer(answer.content[length:], "<f4").reshape(1, len(LocateClass), *SHAPE)
    drawn = (SPINE.tissue == LocateClass.BODY)[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    part = tuple(slice(0, n) for n in drawn.shape)
    assert (tissue[0, LocateClass.BODY][part] > 0.5)[drawn].mean() > 0.9

    plain = request(image, data=image.ravel().tolist()) | {"outputs": [{"name": "tissue"}]}
    got = served.post("/v2/models/locate/infer", json=plain).json()["outputs"][0]
    np.testing.assert_array_equal(np.array(got["data"], np.float32), tissue.ravel())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"inputs": 3}', 400),
        (b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}', 400),
        (
            b'{"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 1, 16, 16, 15], "data": [0]}]}',
            400,
        ),
        (
            b'{"inputs": [{"name": "image", "datatype": "FP32", "shape": [9, 999999, 999999], "data": []}]}',
            413,
        ),
        (b'{"inputs": [{"name": "image", "datatype": "FP32", "shape": [-1], "data": []}]}', 400),
        (b'{"inputs": [{"name": "image", "datatype": "FP32", "shape": [2], "data": ["a", {}]}]}', 400),
        (b"[" * 100_000, 400),
    ],
)
def test_what_is_no_request_is_refused(served: TestClient, body: bytes, status: int) -> None:
    answer = served.post("/v2/models/locate/infer", content=body)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("length", ["99999999", "-1", "x"])
def test_lengths_that_do_not_fit(served: TestClient, length: str) -> None:
    headers = {"inference-header-content-length": length}
    assert served.post("/v2/models/locate/infer", content=b"{}", headers=headers).status_code == 400


def test_lengths_that_the_network_cannot_take(served: TestClient) -> None:
    image = np.zeros((1, 1, 15, 16, 16), np.float32)
    answer = served.post("/v2/models/locate/infer", json=request(image, data=image.ravel().tolist()))
    assert answer.status_code == 400 and "multiples of 16" in answer.json()["detail"]
