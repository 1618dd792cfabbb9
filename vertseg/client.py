"""A client of `vertseg serve`: submit a scan, follow its job, fetch what was found.

with Client("http://127.0.0.1:8000") as client:
    job = client.submit("scan.nii.gz", levels=("L1", "L2"))
    job = client.wait(job.id)
    print(client.report(job.id)["vertebrae"])
    client.download(job.id, "out")
"""

import json
import os
import secrets
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from vertseg.errors import InputError, OutputError, VertsegError
from vertseg.io.atomic import atomic_path

_FINISHED: Final = ("done", "failed", "cancelled")
_POLL_S: Final = 0.5
_CONNECT_TRIES: Final = 5


class ServerError(VertsegError):
    """The server refused or failed; the text is its sentence.

    Attributes:
        status: the HTTP status, 0 when it could not be reached.
        retry_s: seconds after which the server may be tried again.
    """

    def __init__(self, sentence: str, status: int = 0, retry_s: float = 1.0) -> None:
        super().__init__(sentence)
        self.status, self.retry_s = status, retry_s


@dataclass(frozen=True)
class RemoteJob:
    """State of a job on the server.

    Attributes:
        status: "queued", "running", "done", "failed" or "cancelled".
        stage: what it is at while it runs; `done` of `total` steps.
        error: the server's sentence where it failed.
    """

    id: str
    status: str
    stage: str | None = None
    done: int | None = None
    total: int | None = None
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in _FINISHED


class Client:
    """A connection to a server.

    Args:
        url: such as "http://127.0.0.1:8000".
        token: where the server asks for one.
        timeout_s: for each answer.
        transport: how requests are sent, for tests.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def submit(
        self,
        scan: str | os.PathLike[str],
        levels: Sequence[str] = (),
        point_mm: tuple[float, float, float] | None = None,
        plan: dict[str, str | float] | None = None,
        series: str | None = None,
        patience_s: float = 600.0,
    ) -> RemoteJob:
        """Send a scan and get its job.

        A full queue is waited for as the server says; a broken connection is tried again under the same key, so that
        the scan is never predicted twice.

        Args:
            scan: a NIfTI file, or a zip of a DICOM series.
            levels: those to examine; none takes all.
            point_mm: a point in or near one vertebra, world RAS mm.
            plan: `cement_ml`, `viscosity` and `approach`, of what is known.
            series: DICOM series where the zip holds several.
            patience_s: how long to try.

        Raises:
            InputError: there is no such file.
            ServerError: the server refused it, or could not be reached.
        """
        form = _form(levels, point_mm, plan, series)
        answer = self._patiently("/v1/jobs", Path(scan), form, patience_s)
        return _job(answer.json())

    def vertebra(
        self,
        scan: str | os.PathLike[str],
        level: str | None = None,
        point_mm: tuple[float, float, float] | None = None,
        plan: dict[str, str | float] | None = None,
        patience_s: float = 600.0,
    ) -> dict[str, Any]:
        """One vertebra of a scan, as the report tells it.

        Raises:
            InputError: there is no such file.
            ServerError: the server refused it, or it is not in the scan.
        """
        form = _form((), point_mm, plan, None) | ({"level": level} if level else {})
        answer: dict[str, Any] = self._patiently("/v1/vertebra", Path(scan), form, patience_s).json()
        vertebra: dict[str, Any] = answer["vertebra"]
        return vertebra

    def job(self, job_id: str) -> RemoteJob:
        """State of a job.

        Raises:
            ServerError: there is no such job.
        """
        return _job(self._ask("GET", f"/v1/jobs/{job_id}").json())

    def wait(
        self, job_id: str, timeout_s: float = 3600.0, changed: Callable[[RemoteJob], None] | None = None
    ) -> RemoteJob:
        """Wait until a job has ended; a server that is restarted meanwhile is waited for.

        Args:
            job_id: of `submit`.
            timeout_s: how long at most.
            changed: called with each new state.

        Raises:
            ServerError: there is no such job, or it has not ended in time.
        """
        until, last = time.monotonic() + timeout_s, None
        while time.monotonic() < until:
            try:
                job = self.job(job_id)
            except ServerError as error:
                if error.status not in (0, 429, 503):
                    raise
            else:
                if changed is not None and job != last:
                    changed(job)
                last = job
                if job.has_ended:
                    return job
            time.sleep(_POLL_S)
        raise ServerError(f"Job {job_id} did not end within {timeout_s:g} s.")

    def events(self, job_id: str) -> Iterator[RemoteJob]:
        """States of a job as they come, until it has ended or the server stops.

        Raises:
            ServerError: there is no such job.
        """
        with self._http.stream("GET", f"/v1/jobs/{job_id}/events", timeout=None) as answer:
            if answer.status_code != 200:
                answer.read()
            _raise_for(answer)
            for line in answer.iter_lines():
                if line.startswith("data: {") and line != "data: {}":
                    yield _job(json.loads(line[6:]))

    def report(self, job_id: str) -> dict[str, Any]:
        """The report of a job that is done; its schema is vertseg/report/schema.json.

        Raises:
            ServerError: there is none.
        """
        report: dict[str, Any] = self._ask("GET", f"/v1/jobs/{job_id}/report").json()
        return report

    def what_if(self, job_id: str, level: str, **plan: str | float) -> dict[str, Any]:
        """The leak risk of a vertebra under another plan (`cement_ml`, `viscosity`, `approach`).

        Raises:
            ServerError: the server cannot tell.
        """
        answer: dict[str, Any] = self._ask(
            "POST", f"/v1/jobs/{job_id}/what-if", json={"level": level, **plan}
        ).json()
        return answer

    def download(self, job_id: str, folder: str | os.PathLike[str]) -> list[Path]:
        """Fetch all result files of a job into a folder; their paths.

        Raises:
            ServerError: there are none.
            OutputError: the folder cannot be written.
        """
        target = Path(folder)
        names = self._ask("GET", f"/v1/jobs/{job_id}/files").json()
        paths = []
        for name in names:
            if Path(name).name != name:
                raise OutputError(f"The server named a file '{name}', which leads out of the folder.")
            content = self._ask("GET", f"/v1/jobs/{job_id}/files/{name}").content
            with atomic_path(target / name) as partial:
                partial.write_bytes(content)
            paths.append(target / name)
        return paths

    def remove(self, job_id: str) -> str:
        """Cancel a job that has not ended, or remove all of one that has; the word for what was done.

        Raises:
            ServerError: there is no such job.
        """
        return str(self._ask("DELETE", f"/v1/jobs/{job_id}").json()["status"])

    def models(self) -> dict[str, Any]:
        """What the server's networks say of themselves."""
        models: dict[str, Any] = self._ask("GET", "/v1/models").json()
        return models

    def _patiently(self, path: str, scan: Path, form: dict[str, str], patience_s: float) -> httpx.Response:
        if not scan.exists():
            raise InputError(f"'{scan}' does not exist; check the path.")
        headers = {"idempotency-key": secrets.token_hex(16)}
        until, broken = time.monotonic() + patience_s, 0
        with _sendable(scan) as file:
            while True:
                try:
                    with file.open("rb") as content:
                        # The server needs no name, and a name may be a patient's.
                        return self._ask(
                            "POST", path, data=form, files={"scan": ("scan", content)}, headers=headers,
                            timeout=httpx.Timeout(patience_s, connect=10.0),
                        )  # fmt: skip
                except ServerError as error:
                    broken += error.status == 0
                    again = error.status in (429, 503) or (error.status == 0 and broken < _CONNECT_TRIES)
                    if not again or time.monotonic() + error.retry_s > until:
                        raise
                    time.sleep(error.retry_s)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ServerError(f"The server at {self._http.base_url} does not answer ({error}).") from error
        _raise_for(answer)
        return answer


class _sendable:
    """The file itself, or a temporary zip of a DICOM folder, its files under numbers."""

    def __init__(self, scan: Path) -> None:
        self._scan, self._folder = scan, None if scan.is_file() else tempfile.TemporaryDirectory()

    def __enter__(self) -> Path:
        if self._folder is None:
            return self._scan
        path = Path(self._folder.name) / "series.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for index, file in enumerate(sorted(p for p in self._scan.rglob("*") if p.is_file())):
                archive.write(file, f"{index:06d}")
        return path

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()


def _form(
    levels: Sequence[str],
    point_mm: tuple[float, float, float] | None,
    plan: dict[str, str | float] | None,
    series: str | None,
) -> dict[str, str]:
    form = {name: str(value) for name, value in (plan or {}).items()}
    if levels:
        form["levels"] = ",".join(levels)
    if point_mm is not None:
        form["point_mm"] = ",".join(repr(float(x)) for x in point_mm)
    if series:
        form["series"] = series
    return form


def _raise_for(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        sentence = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        sentence = f"The server answered {answer.status_code}."
    wait = answer.headers.get("retry-after", "1")
    raise ServerError(sentence, answer.status_code, float(wait) if wait.isdigit() else 1.0)


def _job(values: dict[str, Any]) -> RemoteJob:
    return RemoteJob(
        id=str(values["id"]),
        status=str(values["status"]),
        stage=values.get("stage"),
        done=values.get("done"),
        total=values.get("total"),
        error=values.get("error"),
    )
