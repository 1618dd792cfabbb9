"""`vertseg serve`: predictions over HTTP."""

import argparse
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from vertseg.errors import ConfigError, DeviceError
from vertseg.serve.app import create_app
from vertseg.serve.settings import Limits, ServeSettings

_TOKEN_VARIABLE = "VERTSEG_SERVE_TOKEN"
_MOST_CONNECTIONS = 256
_LIMITS = {
    "queue": "jobs that wait or run at most",
    "job_s": "seconds that a job may run",
    "upload_mib": "size of an upload",
    "inflated_mib": "size of a scan when unpacked, as voxels of 4 bytes",
    "per_minute": "requests of one client in a minute",
    "keep_h": "hours that results are kept",
    "upload_h": "hours that MONAI Label's images are kept; a job's scan goes when the job ends",
    "drain_s": "seconds that a server told to stop waits for running jobs",
}
"""Those of `Limits` that are options, and what each is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg serve`."""
    limits = Limits()
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; beyond this machine needs a token"
    )
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--folder", type=Path, default=Path("vertseg-serve"), metavar="DIR",
        help="jobs, uploads, results and the audit log; put it on an encrypted disk, for nothing in it is encrypted",
    )  # fmt: skip
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE",
        help=f"file with the token that clients must send (or the environment's {_TOKEN_VARIABLE})",
    )  # fmt: skip
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL",
        help="web page that may call, such as OHIF's https://viewer.example; may be given again",
    )  # fmt: skip
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--engine", default="auto", metavar="E", help="as for vertseg predict")
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="folder with other weights")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of each worker")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes, each with its networks loaded"
    )
    for name, about in _LIMITS.items():
        value = getattr(limits, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(value),
            default=value,
            metavar="N",
            help=f"{about} ({value:g})",
        )


def settings_of(arguments: argparse.Namespace) -> ServeSettings:
    """Settings from the command line's options.

    Raises:
        ConfigError: one that is not possible.
    """
    return ServeSettings(
        folder=arguments.folder.absolute(),
        host=arguments.host,
        port=arguments.port,
        token=_token(arguments.token_file),
        allow_origins=tuple(origin.rstrip("/") for origin in arguments.allow_origin),
        engine=arguments.engine,
        device=arguments.device,
        checkpoint_dir=arguments.checkpoint_dir,
        threads=arguments.threads,
        workers=arguments.workers,
        limits=Limits(**{name: getattr(arguments, name) for name in _LIMITS}),
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; 0.

    Raises:
        VertsegError: an option, the folder or the engine cannot be used.
    """
    settings = settings_of(arguments)
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    return serve(settings)


def serve(settings: ServeSettings) -> int:
    """Serve until told to stop; 0.

    Raises:
        VertsegError: the folder or the engine cannot be used.
    """
    app = create_app(settings)
    # Bodies that are being received are spooled there and not into a /tmp that others share.
    tempfile.tempdir = str(app.state.service.places.spool)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, access_log=False, log_level="warning", server_header=False,
        timeout_graceful_shutdown=int(settings.limits.drain_s) + 1, limit_concurrency=_MOST_CONNECTIONS,
    )  # fmt: skip
    server = _Server(config)
    place = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(
        f"vertseg serves on http://{place}:{settings.port} (see /docs); stop it with Ctrl-C.", file=sys.stderr
    )
    server.run()
    failure = app.state.service.dispatcher.failure
    if failure is not None:
        raise DeviceError(failure)
    if not server.started:
        raise ConfigError(
            f"Nothing can listen on {place}:{settings.port}; is another server there? Choose --port."
        )
    return 0


class _Server(uvicorn.Server):
    """Tells the service of a stop at once, so that event streams end and no further job is begun."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self._service.drain()
        if sig == signal.SIGINT and self.should_exit:
            self.force_exit = True
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Once each tenth of a second; stops when no worker can ever be started."""
        stop = await super().on_tick(counter)
        return stop or self._service.dispatcher.failure is not None

    @property
    def _service(self) -> Any:
        app: Any = self.config.app
        return app.state.service


def _token(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(_TOKEN_VARIABLE) or None
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The token file '{path}' could not be read; check its path and permissions."
        ) from error
    if not text:
        raise ConfigError(f"The token file '{path}' is empty; put a long random token into it.")
    return text
