"""A client that speaks MONAI Label's protocol as its extensions for 3D Slicer and OHIF do.

Written from what those send and parse (Project-MONAI/MONAILabel at 058ddfc4, plugins/slicer and plugins/ohifv3): bodies,
paths and headers as theirs, answers parsed with the tools that they use (`cgi` there; raw NRRD by offset in OHIF).
"""

import cgi
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import numpy as np
from fastapi.testclient import TestClient
from numpy.typing import NDArray

_BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"


@dataclass(frozen=True)
class Slicer:
    """The calls of 3D Slicer's extension."""

    http: TestClient

    def info(self) -> dict[str, Any]:
        return self._json(self.http.get("/info/"))

    def create_session(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as file:
            return self._json(
                self.http.put(
                    "/session/", files=[("files", (path.name, file))], data={"client_id": "user-xyz"}
                )
            )

    def upload_image(self, path: Path, image_id: str) -> dict[str, Any]:
        body = _form({"params": json.dumps({"client_id": "user-xyz"})}, {"file": path})
        return self._json(self._send("PUT", f"/datastore/?image={quote_plus(image_id)}", body))

    def infer(
        self, model: str, image_id: str, session_id: str | None = None
    ) -> tuple[str, bytes, dict[str, Any]]:
        """File name, bytes and params of the answer."""
        params = {"result_extension": ".nrrd", "result_dtype": "uint8", "client_id": "user-xyz"}
        path = f"/infer/{quote_plus(model)}?image={quote_plus(image_id)}"
        if session_id:
            path += f"&session_id={quote_plus(session_id)}"
        answer = self._send("POST", path, _form({"params": json.dumps(params)}, {}))
        assert answer.status_code == 200, answer.text
        assert "transfer-encoding" not in answer.headers
        fields = cgi.FieldStorage(
            fp=io.BytesIO(answer.content),
            environ={"REQUEST_METHOD": "POST"},
            headers={key: answer.headers[key] for key in ("content-type", "content-length")},
            keep_blank_values=True,
        )
        form = {f.name: f.value for f in fields.list if not f.filename}
        files = {f.filename: f.value for f in fields.list if f.filename}
        (name, content), *none = files.items()
        assert not none and set(form) == {"params"}
        return name, content, json.loads(form["params"])

    def _send(self, method: str, path: str, body: bytes) -> Any:
        headers = {
            "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
            "content-length": str(len(body)),
        }
        return self.http.request(method, path, content=body, headers=headers)

    @staticmethod
    def _json(answer: Any) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = json.loads(answer.content)
        return result


@dataclass(frozen=True)
class Ohif:
    """The calls of OHIF's extension."""

    http: TestClient

    def infer(self, model: str, image: str) -> tuple[dict[str, str], NDArray[np.uint8]]:
        """NRRD header, and the bytes that the viewer puts over the series, x fastest."""
        params = {
            "result_extension": ".nrrd", "result_dtype": "uint8", "result_compress": False,
            "restore_label_idx": False,
        }  # fmt: skip
        answer = self.http.post(
            f"/infer/{model}?image={quote_plus(image)}&output=image",
            files={"params": (None, json.dumps(params))},
            headers={"accept": "application/json, multipart/form-data"},
        )
        assert answer.status_code == 200, answer.text
        head, _, data = answer.content.partition(b"\n\n")
        header = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:])
        assert header["encoding"] == "raw"
        return header, np.frombuffer(data, np.uint8)


def _form(fields: dict[str, str], files: dict[str, Path]) -> bytes:
    lines: list[bytes] = []
    for name, value in fields.items():
        lines += [
            f"--{_BOUNDARY}".encode(),
            f'Content-Disposition: form-data; name="{name}"'.encode(),
            b"",
            value.encode(),
        ]
    for name, path in files.items():
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{path}"'
        lines += [f"--{_BOUNDARY}".encode(), disposition.encode(), b"Content-Type: application/gzip", b""]
        lines += [path.read_bytes()]
    return b"\r\n".join([*lines, f"--{_BOUNDARY}--".encode(), b"", b""])
