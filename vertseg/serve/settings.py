"""What a server is started with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vertseg.errors import ConfigError
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.options import Device

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_LEAST_TOKEN: Final = 16


@dataclass(frozen=True)
class Limits:
    """What a client may ask for, and how long things are kept.

    Attributes:
        upload_mib: bytes of one request, as they come over the net.
        inflated_mib: bytes of one scan when unpacked, as voxels of 4 bytes.
        files: files in one zip.
        queue: jobs that wait or run; one more is answered 429.
        job_s: seconds that a job may run.
        attempts: how often a job is begun when the worker dies under it.
        per_minute: requests of one client in a minute.
        keep_h: hours that results are kept, of the server's running time.
        upload_h: hours that images of MONAI Label's datastore and sessions are kept; the scan of a job goes when
            the job ends.
        drain_s: seconds that a server told to stop waits for its running jobs.

    Raises:
        ConfigError: a value that is not positive.
    """

    upload_mib: int = 1024
    inflated_mib: int = 4096
    files: int = 20_000
    queue: int = 16
    job_s: float = 600.0
    attempts: int = 2
    per_minute: int = 600
    keep_h: float = 24.0
    upload_h: float = 1.0
    drain_s: float = 120.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"The limit {name} must be above 0, not {value}.")


def _opened(settings: "ServeSettings") -> Engine:
    return open_engine(settings.engine, settings.checkpoint_dir, settings.device, settings.threads)


@dataclass(frozen=True)
class ServeSettings:
    """A server's settings.

    Attributes:
        folder: where jobs, uploads, results and the audit log lie; made, for its owner's eyes only.
        token: what clients must send as a bearer token; None lets everyone on this machine in.
        allow_origins: web pages' origins that may call, such as OHIF's.
        workers: processes, each with its networks loaded.
        opener: gives the engine of a worker; it must be a function of a module.

    Raises:
        ConfigError: an address beyond this machine without a token, or a token too short to be one.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()
    engine: str = "auto"
    device: Device = "auto"
    checkpoint_dir: Path | None = None
    threads: int | None = None
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    opener: Callable[["ServeSettings"], Engine] = _opened

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < _LEAST_TOKEN:
            raise ConfigError(
                f"The token is shorter than {_LEAST_TOKEN} characters; take a longer, random one."
            )
        if self.token is None and self.host not in LOOPBACK:
            raise ConfigError(
                f"{self.host} can be reached from other machines, so clients need a token: put a random one into a "
                "file and give it with --token-file, or listen on 127.0.0.1 behind a proxy that asks for one."
            )
        if self.workers < 1:
            raise ConfigError(f"--workers must be at least 1, not {self.workers}.")
        if "*" in self.allow_origins:
            raise ConfigError(
                "--allow-origin needs the pages' own origins, such as https://ohif.example; not '*'."
            )
