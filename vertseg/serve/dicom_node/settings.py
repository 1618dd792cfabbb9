"""What a DICOM node listens to, how much it takes, and whom it answers."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from vertseg.errors import ConfigError

_PEER: Final = re.compile(r"^(?P<aet>[^@]+)@(?P<host>[^@:]+):(?P<port>\d+)$")


@dataclass(frozen=True)
class Peer:
    """A DICOM application that objects are sent to."""

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.aet}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Web:
    """A DICOMweb service that objects are sent to."""

    url: str

    def __str__(self) -> str:
        return self.url


Target = Peer | Web


@dataclass(frozen=True)
class Limits:
    """What one sender can fill the disk or the memory with.

    Attributes:
        object_bytes: one instance.
        instances: of one series.
        inbox_bytes: all that lies received.
        associations: at once.
    """

    object_bytes: int = 2 * 1024**3
    instances: int = 5000
    inbox_bytes: int = 50 * 1024**3
    associations: int = 10


@dataclass(frozen=True)
class NodeSettings:
    """How a node runs.

    Attributes:
        folder: received series and their results.
        aet: its own name; callers must use it.
        host: address to listen on.
        port: 0 takes a free one.
        allow: names of callers; empty allows all, which is only possible on the loopback address.
        complete_on: "quiet" when nothing came for `quiet_s`; "association" already when the sender hung up.
        quiet_s: seconds.
        keep_s: how long received images (and results, once they are sent) are kept afterwards.
        retry_s: first wait after a send that failed; it doubles up to 64 times that.
        targets: whom results are sent to.

    Raises:
        ConfigError: a name or number that is not possible.
    """

    folder: Path
    aet: str = "VERTSEG"
    host: str = "127.0.0.1"
    port: int = 11112
    allow: tuple[str, ...] = ()
    complete_on: Literal["quiet", "association"] = "quiet"
    quiet_s: float = 20.0
    keep_s: float = 24 * 3600.0
    retry_s: float = 5.0
    targets: tuple[Target, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in (self.aet, *self.allow):
            check_aet(name)
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"{self.port} is no port; give 1 to 65535.")
        if self.quiet_s <= 0 or self.keep_s < 0:
            raise ConfigError("--quiet-seconds must be above 0 and --keep-hours not below it.")
        if not self.allow and not _is_loopback(self.host):
            raise ConfigError(
                f"On {self.host} any machine could send and fill the disk; name those that may with --allow AET, or "
                "listen on 127.0.0.1."
            )


def check_aet(name: str) -> str:
    """The AE title, if it is one (PS3.5 6.2: 1 to 16 characters, no backslash, not blank).

    Raises:
        ConfigError: it is none.
    """
    if (
        not 1 <= len(name) <= 16
        or not name.strip()
        or "\\" in name
        or not name.isascii()
        or not name.isprintable()
    ):
        raise ConfigError(f"'{name}' is no AE title; it has 1 to 16 plain characters.")
    return name


def parse_peer(text: str) -> Peer:
    """The application of "AET@host:port".

    Raises:
        ConfigError: the text is not of that form.
    """
    match = _PEER.match(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ConfigError(f"'{text}' is no DICOM address; write it like PACS@192.168.0.5:104.")
    return Peer(check_aet(match["aet"]), match["host"], int(match["port"]))


def parse_web(url: str) -> Web:
    """The DICOMweb service at a URL.

    Raises:
        ConfigError: it is no http or https URL.
    """
    if not re.match(r"^https?://[^/]+", url):
        raise ConfigError(f"'{url}' is no DICOMweb address; write it like https://pacs/dicom-web.")
    return Web(url.rstrip("/"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
