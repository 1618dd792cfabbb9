"""A real Orthanc with its DICOMweb plugin, started on free ports for a test and stopped after it."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import requests

_PLUGINS = (Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so"),)


@dataclass(frozen=True)
class Orthanc:
    """Where it listens.

    Attributes:
        http: root of its REST interface.
        dicom_port: of its AE "ORTHANC".
    """

    http: str
    dicom_port: int

    @property
    def web(self) -> str:
        """Root of its DICOMweb services."""
        return f"{self.http}/dicom-web"

    def post(self, path: str, body: Any) -> Any:
        answer = requests.post(f"{self.http}{path}", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def instances(self, modality: str) -> list[bytes]:
        """Files of all instances of a modality."""
        query = {"Level": "Instance", "Query": {"Modality": modality}}
        found = self.post("/tools/find", query)
        return [requests.get(f"{self.http}/instances/{i}/file", timeout=60).content for i in found]

    def wait_for(self, modality: str, seconds: float) -> list[bytes]:
        """`instances`, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.instances(modality)
            if found:
                return found
            time.sleep(0.5)
        raise AssertionError(f"No {modality} came within {seconds} s.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_orthanc(folder: Path, node_port: int) -> Iterator[Orthanc]:
    """Orthanc with an empty store, that knows the node as "vertseg"; the test is skipped where there is none."""
    binary = which("Orthanc") or which("orthanc")
    plugin = next((p for p in _PLUGINS if p.exists()), None)
    if binary is None or plugin is None:
        pytest.skip("Orthanc is not there; get it with: apt-get install orthanc orthanc-dicomweb")
    http, dicom = free_port(), free_port()
    settings = {
        "Name": "vertseg test",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"vertseg": ["VERTSEG", "127.0.0.1", node_port]},
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    folder.mkdir(parents=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, str(folder / "orthanc.json")], stdout=log, stderr=log)
        try:
            orthanc = Orthanc(f"http://127.0.0.1:{http}", dicom)
            _wait_until_it_answers(orthanc, process, folder / "log")
            yield orthanc
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_it_answers(orthanc: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(120):
        if process.poll() is not None:
            pytest.skip(f"Orthanc does not start here: {log.read_text(errors='replace')[-300:]}")
        try:
            requests.get(f"{orthanc.http}/system", timeout=2).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.25)
    pytest.skip("Orthanc does not answer")
