"""The guard before every route: token, origin, rate and size of a request, and the headers of each answer."""

import base64
import binascii
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vertseg.serve.settings import LOOPBACK, ServeSettings

_OPEN: Final = frozenset(
    {"/health", "/ready", "/auth", "/auth/", "/auth/token", "/v2/health/live", "/v2/health/ready"}
)
"""Paths that need no token: they tell nothing, or are where a token is got."""
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
_CLIENTS: Final = 4096
_DRAINED_BYTES: Final = 16 << 20
"""A refused body up to this size is read and thrown away, so that the client hears the answer."""
_MIB: Final = 1 << 20


@dataclass
class _Bucket:
    left: float
    at: float


class RateLimiter:
    """A token bucket for each client: `per_minute` requests at once, refilled evenly.

    Args:
        clock: seconds that never jump.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """0 when the client may go on, which is counted; else the seconds to wait."""
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._most, now)
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._most / 60)
        bucket.at = now
        self._buckets[client] = bucket
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return (1 - bucket.left) * 60 / self._most
        bucket.left -= 1
        return 0.0


class BodyTooLarge(HTTPException):
    """More bytes came than a request may have.

    An HTTPException, because FastAPI turns every other error while it reads a body into 400.
    """


class Guard:
    """ASGI middleware that refuses what should not reach a route.

    Args:
        closed: why no job can be accepted now: status, seconds after which to try again, sentence; else None.
        seen: called with (event, client, values) for the audit log, and for each answer with event "answer".
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServeSettings,
        closed: Callable[[], tuple[int, float, str] | None],
        seen: Callable[..., None],
    ) -> None:
        self._app, self._settings, self._closed, self._seen = app, settings, closed, seen
        self._rate = RateLimiter(settings.limits.per_minute)
        self._most = settings.limits.upload_mib * _MIB
        self._sentence = f"The upload is larger than the {settings.limits.upload_mib} MiB this server takes."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else "-"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                route = getattr(scope.get("route"), "path", "other")
                self._seen("answer", client, method=scope["method"], route=route, status=message["status"])
            await send(message)

        refusal = self._refusal(scope, client)
        if refusal is not None:
            await _drained(receive, Headers(scope=scope))
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, self._counted(receive), guarded)

    def _refusal(self, scope: Scope, client: str) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return None
        wait = self._rate.wait_s(client)
        if wait > 0:
            self._seen("refused", client, reason="rate")
            return _later(429, wait, "Too many requests; wait a little.")
        if not self._right_page(headers):
            self._seen("refused", client, reason="origin")
            return _said(
                403, "This page may not call this server; start it with --allow-origin for the page."
            )
        if scope["path"] not in _OPEN and not allowed(headers.get("authorization"), self._settings.token):
            self._seen("refused", client, reason="token")
            answer = _said(401, "A token is needed: send 'Authorization: Bearer TOKEN'.")
            answer.headers["www-authenticate"] = "Bearer"
            return answer
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return _said(400, "Content-Length is no number.")
        if int(length) > self._most:
            self._seen("refused", client, reason="size")
            return _said(413, self._sentence)
        if scope["method"] == "POST" and accepts_jobs(scope["path"]):
            closed = self._closed()
            if closed is not None:
                self._seen("refused", client, reason="full" if closed[0] == 429 else "closed")
                return _later(*closed)
        return None

    def _right_page(self, headers: Headers) -> bool:
        """Whether a browser's page may call: one of this server or of an allowed origin.

        Without a token the name in Host must be this machine's, or a page could reach a loopback server through a
        name of its own that resolves to 127.0.0.1 (DNS rebinding).
        """
        origin, host = headers.get("origin"), headers.get("host", "")
        if self._settings.token is None and urlsplit(f"//{host}").hostname not in (
            *LOOPBACK,
            self._settings.host,
        ):
            return False
        if origin is None or origin in self._settings.allow_origins:
            return True
        return urlsplit(origin).netloc == host

    def _counted(self, receive: Receive) -> Receive:
        came = 0

        async def counting() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most:
                self._seen("refused", "-", reason="size")
                raise BodyTooLarge(413, self._sentence)
            return message

        return counting


def accepts_jobs(path: str) -> bool:
    """Whether a POST to the path puts a job into the queue."""
    return path in ("/v1/jobs", "/v1/vertebra") or path.startswith("/infer/")


def allowed(authorization: str | None, token: str | None) -> bool:
    """Whether an Authorization header carries the token: as a bearer, or as the password of a basic login."""
    if token is None:
        return True
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "bearer":
        value = ""
    return same_token(value, token)


def same_token(given: str, token: str) -> bool:
    """Whether two tokens are one, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.strip().encode(), token.encode())


def _said(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status)


def _later(status: int, wait_s: float, sentence: str) -> JSONResponse:
    answer = _said(status, sentence)
    answer.headers["retry-after"] = str(max(1, round(wait_s + 0.5)))
    return answer


async def _drained(receive: Receive, headers: Headers) -> None:
    length: Any = headers.get("content-length", "0")
    if not length.isdigit() or not 0 < int(length) <= _DRAINED_BYTES:
        return
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
