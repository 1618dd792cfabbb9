"""The HTTP application: all faces of one server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.cors import CORSMiddleware

import vertseg
from vertseg.errors import ConfigError, InputError, OutputError, VertsegError
from vertseg.serve import kserve, monai_label, v1
from vertseg.serve.dispatcher import Busy, WorkerDied
from vertseg.serve.page import documentation
from vertseg.serve.security import Guard
from vertseg.serve.service import Service
from vertseg.serve.settings import ServeSettings

_DESCRIPTION = (
    "Vertebrae and the bone missing from them, on spine CT. Research software, not a medical device; leak risks are "
    "provisional, learned from phantoms."
)


def create_app(settings: ServeSettings) -> FastAPI:
    """The application; its `state.service` is what the routes share.

    Raises:
        OutputError: the folder cannot be written.
        ConfigError: another server uses it.
    """
    service = Service(settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="vertseg", version=vertseg.__version__, description=_DESCRIPTION, lifespan=life,
        docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = service
    _operations(app, service)
    for routes in (v1.router(service), monai_label.router(service), kserve.router(service)):
        app.include_router(routes)
    _refusals(app)
    if settings.allow_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allow_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE", "HEAD"],
            allow_headers=["authorization", "content-type", "idempotency-key", "accept"],
        )
    app.add_middleware(Guard, settings=settings, closed=service.closed, seen=service.seen)
    return app


def _operations(app: FastAPI, service: Service) -> None:
    @app.get("/health", tags=["operation"], summary="Is the process alive")
    async def health() -> dict[str, str]:
        """Answers as long as the server does."""
        return {"status": "alive", "version": vertseg.__version__}

    @app.get("/ready", tags=["operation"], summary="Can it predict")
    async def ready() -> JSONResponse:
        """200 when a worker has its networks loaded and jobs are accepted, else 503 and why."""
        if service.dispatcher.draining:
            return JSONResponse({"status": "stopping"}, 503)
        if service.dispatcher.about is None:
            return JSONResponse({"status": "loading", "detail": service.dispatcher.failure}, 503)
        return JSONResponse({"status": "ready", "waiting": service.store.waiting()})

    @app.get("/metrics", tags=["operation"], summary="Figures for Prometheus")
    async def metrics() -> Response:
        """Requests, jobs and times, in Prometheus' text format."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/v1/models", tags=["operation"], summary="The networks that are loaded")
    async def models() -> dict[str, Any]:
        """Engine, device, and what each network's checkpoint says of itself."""
        about = service.dispatcher.about
        if about is None:
            raise HTTPException(503, "The networks are still being loaded.")
        return about

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(documentation(app.openapi()))


def _refusals(app: FastAPI) -> None:
    """Every refusal is a sentence under `detail`."""

    @app.exception_handler(StarletteHTTPException)
    async def told(_: Request, error: StarletteHTTPException) -> Response:
        if error.status_code == 404 and error.detail == "Not Found":
            return JSONResponse({"detail": "There is nothing at this path; see /docs."}, 404)
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may name a patient.
        parts = [f"{'.'.join(str(x) for x in e['loc'][1:]) or 'body'}: {e['msg']}" for e in error.errors()]
        return JSONResponse({"detail": "The request is not right: " + "; ".join(parts) + "."}, 422)

    @app.exception_handler(VertsegError)
    async def refused(_: Request, error: VertsegError) -> Response:
        status = 422 if isinstance(error, InputError | ConfigError) else 500
        return JSONResponse({"detail": str(error)}, 507 if isinstance(error, OutputError) else status)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        sentence = f"Something broke inside vertseg ({type(error).__name__}); the server's log says where."
        return JSONResponse({"detail": sentence}, 500)

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> Response:
        return JSONResponse({"detail": "Too many tensors wait; try again."}, 429, {"retry-after": "2"})

    @app.exception_handler(WorkerDied)
    async def died(_: Request, error: WorkerDied) -> Response:
        sentence = "The worker died or is being stopped; try again."
        return JSONResponse({"detail": sentence}, 503, {"retry-after": "5"})
