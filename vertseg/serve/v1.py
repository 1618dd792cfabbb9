"""vertseg's own face: /v1/jobs and what belongs to it."""

import asyncio
import contextlib
import json
import secrets
import zipfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Header, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from vertseg.dicom_out.names import SEGMENTATION
from vertseg.inference.leak_model import load_leak_model
from vertseg.inference.options import Plan
from vertseg.planning.risk import risk_of_features
from vertseg.serve.answers import JobView, view
from vertseg.serve.jobs import FINISHED
from vertseg.serve.service import Service, client_of
from vertseg.serve.wishes import Wishes, parse_level_names, parse_point
from vertseg.serve.worker import FEATURES

_TYPES: Final = {
    ".json": "application/json", ".csv": "text/csv", ".png": "image/png", ".html": "text/html; charset=utf-8",
    ".gz": "application/gzip", ".dcm": "application/dicom",
}  # fmt: skip
_KEEPALIVE_S: Final = 15.0

Levels = Annotated[
    str | None, Form(description="Levels to examine, such as L1,L2; all when absent.", max_length=200)
]
Point = Annotated[
    str | None,
    Form(description="x,y,z in or near one vertebra, mm, world RAS.", max_length=100, examples=["0,10,-120"]),
]
Series = Annotated[str | None, Form(description="DICOM series: UID, number or description.", max_length=200)]
Cement = Annotated[float | None, Form(description="Planned cement in ml, for the leak risk.", examples=[4.0])]
Viscosity = Annotated[Literal["low", "medium", "high"] | None, Form(description="Of the cement.")]
Approach = Annotated[Literal["unipedicular", "bipedicular"] | None, Form(description="Of the cannula.")]
Key = Annotated[
    str | None,
    Header(description="Your own name for this request: sent again, it gives the same job.", max_length=200),
]


class WhatIf(BaseModel):
    """A plan for one vertebra of a finished job."""

    level: str = Field(max_length=20, examples=["L1"])
    cement_ml: float | None = Field(default=None, gt=0, le=20, examples=[4.0])
    viscosity: Literal["low", "medium", "high"] | None = None
    approach: Literal["unipedicular", "bipedicular"] | None = None


def router(service: Service) -> APIRouter:
    """Routes of /v1."""
    routes = APIRouter(prefix="/v1")
    _submitting(routes, service)
    _following(routes, service)
    _results(routes, service)
    return routes


def _submitting(routes: APIRouter, service: Service) -> None:
    @routes.post("/jobs", status_code=202, tags=["jobs"], summary="Submit a scan")
    async def submit(
        request: Request,
        scan: UploadFile,
        levels: Levels = None,
        point_mm: Point = None,
        series: Series = None,
        cement_ml: Cement = None,
        viscosity: Viscosity = None,
        approach: Approach = None,
        idempotency_key: Key = None,
    ) -> JSONResponse:
        """Send a NIfTI file (.nii, .nii.gz) or a zip of a DICOM series as the form's `scan`; get a job."""
        wishes = Wishes(
            parse_level_names(levels), parse_point(point_mm), series or None, cement_ml, viscosity, approach
        )
        job = await service.accept(scan, wishes, client_of(request), idempotency_key)
        answer = view(job, service.dispatcher.step(job.id)).model_dump(mode="json")
        return JSONResponse(answer, 202, {"location": f"/v1/jobs/{job.id}"})

    @routes.post("/vertebra", tags=["jobs"], summary="One vertebra, answered at once")
    async def vertebra(
        request: Request,
        scan: UploadFile,
        level: Annotated[str | None, Form(max_length=20, examples=["L1"])] = None,
        point_mm: Point = None,
        series: Series = None,
        cement_ml: Cement = None,
        viscosity: Viscosity = None,
        approach: Approach = None,
    ) -> dict[str, Any]:
        """Wait for the vertebra of a level, or that in which or nearest to which a point lies."""
        if (level is None) == (point_mm is None):
            raise HTTPException(422, "Give either a level or a point.")
        names = (level,) if level is not None else ()
        wishes = Wishes(names, parse_point(point_mm), series or None, cement_ml, viscosity, approach)
        job = await service.predicted(scan, wishes, request)
        report = await run_in_threadpool(service.report, job.id)
        if not report["vertebrae"]:
            raise HTTPException(404, " ".join(report["warnings"]) or "No vertebra was found there.")
        return {"job": job.id, "vertebra": report["vertebrae"][0], "leak_basis": report["leak_basis"]}


def _following(routes: APIRouter, service: Service) -> None:
    @routes.get("/jobs/{job_id}", tags=["jobs"], summary="State of a job")
    async def state(job_id: str) -> JobView:
        """How far a job is, or how it ended."""
        return view(service.job(job_id), service.dispatcher.step(job_id))

    @routes.get("/jobs/{job_id}/events", tags=["jobs"], summary="A job's progress as server-sent events")
    async def events(job_id: str) -> StreamingResponse:
        """Events `progress`, then one `end`; or `closing` when the server stops first."""
        service.job(job_id)
        return StreamingResponse(_events(service, job_id), media_type="text/event-stream")

    @routes.delete("/jobs/{job_id}", tags=["jobs"], summary="Cancel a job, or remove its results")
    async def remove(request: Request, job_id: str) -> dict[str, str]:
        """A job that waits or runs is cancelled; of one that has ended all is removed."""
        job = service.job(job_id)
        if job.status in FINISHED:
            await run_in_threadpool(service.forget, job_id)
            service.audit.write("removed", client_of(request), job=job_id)
            return {"id": job_id, "status": "removed"}
        await run_in_threadpool(service.dispatcher.cancel, job_id)
        service.audit.write("cancelled", client_of(request), job=job_id)
        return {"id": job_id, "status": service.job(job_id).status}


async def _events(service: Service, job_id: str) -> AsyncIterator[str]:
    last = ""
    async with service.watch.of(job_id) as event:
        while True:
            event.clear()
            job = service.store.get(job_id)
            if job is None:
                yield _event("end", "{}")
                return
            text = view(job, service.dispatcher.step(job_id)).model_dump_json()
            if job.status in FINISHED:
                yield _event("end", text)
                return
            if service.dispatcher.draining:
                yield _event("closing", text)
                return
            yield _event("progress", text) if text != last else ": still here\n\n"
            last = text
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), _KEEPALIVE_S)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"


def _results(routes: APIRouter, service: Service) -> None:
    @routes.get("/jobs/{job_id}/report", tags=["results"], summary="The report as JSON")
    async def report(request: Request, job_id: str) -> JSONResponse:
        """Vertebrae with their measures and leak risks; the schema is vertseg/report/schema.json."""
        service.done(job_id)
        service.audit.write("read", client_of(request), job=job_id)
        return JSONResponse(await run_in_threadpool(service.report, job_id))

    @routes.get("/jobs/{job_id}/files", tags=["results"], summary="Names of the result files")
    async def files(job_id: str) -> list[str]:
        """What can be had under files/NAME."""
        service.done(job_id)
        return sorted(path.name for path in service.places.results(job_id).iterdir())

    @routes.get("/jobs/{job_id}/files/{name}", tags=["results"], summary="One result file")
    async def file(request: Request, job_id: str, name: str) -> FileResponse:
        """Masks (.nii.gz on the scan's own grid), the table, the pictures and the report page."""
        path = _result(service, job_id, name)
        service.audit.write("read", client_of(request), job=job_id, file=path.name)
        return FileResponse(path, media_type=_TYPES.get(path.suffix), filename=path.name)

    @routes.get("/jobs/{job_id}/report.html", tags=["results"], summary="The report page")
    async def page(request: Request, job_id: str) -> FileResponse:
        """The page for people, where this version writes one."""
        path = _result(service, job_id, "report.html")
        service.audit.write("read", client_of(request), job=job_id, file="report.html")
        return FileResponse(
            path, media_type=_TYPES[".html"], headers={"content-security-policy": _PAGE_POLICY}
        )

    @routes.get("/jobs/{job_id}/archive", tags=["results"], summary="All result files as a zip")
    async def archive(request: Request, job_id: str) -> FileResponse:
        """Everything that `vertseg predict` would have written."""
        service.done(job_id)
        path = await run_in_threadpool(_archive, service, job_id)
        service.audit.write("read", client_of(request), job=job_id, file="archive")
        return FileResponse(
            path, media_type="application/zip", filename=f"{job_id}.zip",
            background=BackgroundTask(path.unlink, missing_ok=True),
        )  # fmt: skip

    @routes.get("/jobs/{job_id}/dicom-seg", tags=["results"], summary="The masks as DICOM SEG")
    async def dicom_seg(request: Request, job_id: str) -> FileResponse:
        """On the frames of the series that was sent; 404 for NIfTI, or where nothing was found."""
        path = _result(service, job_id, SEGMENTATION)
        service.audit.write("read", client_of(request), job=job_id, file=path.name)
        return FileResponse(path, media_type=_TYPES[".dcm"], filename=path.name)

    @routes.post(
        "/jobs/{job_id}/what-if", tags=["results"], summary="Leak risk of another plan, no new upload"
    )
    async def what_if(job_id: str, plan: WhatIf) -> dict[str, Any]:
        """The risk of one vertebra under another volume, viscosity or approach."""
        service.done(job_id)
        return await run_in_threadpool(what_if_of, service, job_id, plan)


_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src data: blob:; frame-ancestors 'none'"
)
"""The report page carries its pictures and scripts in itself and fetches nothing."""


def what_if_of(service: Service, job_id: str, plan: WhatIf) -> dict[str, Any]:
    """The leak risk of a vertebra under another plan, from what the network saw when it was predicted.

    Raises:
        HTTPException: 404, no such level in it; 409, the networks' graph gave no leak features, or other weights are
            loaded now.
        CheckpointError: the weights cannot be read.
    """
    report = service.report(job_id)
    wanted = plan.level.strip().upper()
    rows = [v for v in report["vertebrae"] if v["level"].upper() == wanted]
    if not rows:
        found = ", ".join(v["level"] for v in report["vertebrae"]) or "none"
        raise HTTPException(404, f"The report has no such level; it has {found}.")
    features = _features(service, job_id).get(rows[0]["level"])
    about = service.dispatcher.about
    if features is None or (about and about["checkpoints"]["examine"] != report["checkpoints"]["examine"]):
        raise HTTPException(
            409, "What the network saw was not kept, or other weights are loaded now; send the scan again."
        )
    model = load_leak_model(service.settings.checkpoint_dir)
    risk = risk_of_features(features, Plan(plan.cement_ml, plan.viscosity, plan.approach), model)
    return {"level": rows[0]["level"], **asdict(risk), "leak_basis": report["leak_basis"]}


def _features(service: Service, job_id: str) -> dict[str, list[float]]:
    path = service.places.results(job_id) / FEATURES
    result: dict[str, list[float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return result


def _result(service: Service, job_id: str, name: str) -> Path:
    """A result file; only names that the folder lists are looked for, so that none leads elsewhere."""
    service.done(job_id)
    for path in service.places.results(job_id).iterdir():
        if path.name == name and path.is_file():
            return path
    raise HTTPException(404, "The job has no such file; ask for files/ to see which there are.")


def _archive(service: Service, job_id: str) -> Path:
    target = service.places.spool / f"{job_id}-{secrets.token_hex(4)}.zip"
    # The masks are packed already.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(service.places.results(job_id).iterdir()):
            archive.write(path, path.name)
    return target
