"""The guard: who may call, how often, and what every answer carries."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from vertseg.errors import ConfigError
from vertseg.serve.security import RateLimiter, allowed
from vertseg.serve.settings import Limits, ServeSettings

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "server.example"])
def test_other_machines_are_let_in_with_a_token_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="token"):
        ServeSettings(tmp_path, host=host)
    assert ServeSettings(tmp_path, host=host, token=TOKEN).host == host


def test_short_tokens_and_every_origin_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shorter"):
        ServeSettings(tmp_path, token="secret")
    with pytest.raises(ConfigError, match="own origins"):
        ServeSettings(tmp_path, allow_origins=("*",))


def test_the_token_is_not_in_what_is_printed_of_the_settings(tmp_path: Path) -> None:
    assert TOKEN not in repr(ServeSettings(tmp_path, token=TOKEN))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        ("Basic " + base64.b64encode(f"anyone:{TOKEN}".encode()).decode(), True),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        (TOKEN, False),
        ("Bearer ", False),
        ("Basic !!!", False),
        ("Basic " + base64.b64encode(b"\xff\xfe").decode(), False),
        (f"Digest {TOKEN}", False),
        ("Bearer tökën", False),
        (None, False),
    ],
)
def test_who_has_the_token(header: str | None, expected: bool) -> None:
    assert allowed(header, TOKEN) is expected


def test_a_bucket_refills_evenly_and_each_client_has_its_own() -> None:
    now = [0.0]
    limiter = RateLimiter(60, clock=lambda: now[0])
    assert [limiter.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert limiter.wait_s("a") == pytest.approx(1.0)
    assert limiter.wait_s("b") == 0.0
    now[0] = 1.5
    assert limiter.wait_s("a") == 0.0
    assert limiter.wait_s("a") == pytest.approx(0.5)


def test_with_a_token_only_health_and_login_are_open(serving: Callable[..., TestClient]) -> None:
    client = serving(token=TOKEN)
    assert client.get("/health").status_code == 200
    for path in (
        "/v1/models",
        "/metrics",
        "/info/",
        "/docs",
        "/openapi.json",
        "/datastore/",
        "/v2/models/locate",
    ):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/info/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_login_of_3d_slicer_gives_the_token_for_the_password(serving: Callable[..., TestClient]) -> None:
    client = serving(token=TOKEN)
    assert client.get("/auth/").json()["enabled"] is True
    login = {"username": "user-xyz", "password": TOKEN, "grant_type": "password"}
    answer = client.post("/auth/token", data=login).json()
    header = {"authorization": f"{answer['token_type']} {answer['access_token']}"}
    assert client.get("/auth/token/valid", headers=header).status_code == 200
    assert client.post("/auth/token", data={**login, "password": "wrong"}).status_code == 401
    assert client.get("/auth/token/valid").status_code == 401


def test_pages_of_other_origins_and_rebound_names_are_refused(serving: Callable[..., TestClient]) -> None:
    client = serving(allow_origins=("https://ohif.example",))
    assert client.get("/info/", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get("/info/", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/info/", headers={"origin": "http://127.0.0.1"}).status_code == 200
    answer = client.get("/info/", headers={"origin": "https://ohif.example"})
    assert answer.headers["access-control-allow-origin"] == "https://ohif.example"
    asked = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    assert "access-control-allow-origin" not in client.options("/info/", headers=asked).headers


def test_too_many_requests_are_told_when_to_come_back(serving: Callable[..., TestClient]) -> None:
    client = serving(limits=Limits(per_minute=3))
    statuses = [client.get("/health").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert 1 <= int(client.get("/health").headers["retry-after"]) <= 21


def test_bodies_over_the_limit_are_refused_with_and_without_a_length(
    serving: Callable[..., TestClient],
) -> None:
    client = serving(limits=Limits(upload_mib=1))
    body = b"x" * ((1 << 20) + 1)
    assert client.post("/v1/jobs", files={"scan": body}).status_code == 413
    head = b'--b\r\ncontent-disposition: form-data; name="scan"; filename="s"\r\n\r\n'
    pieces = iter([head, *[b"x" * 65536] * 20, b"\r\n--b--\r\n"])
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/jobs", content=pieces, headers=kind)
    assert answer.status_code == 413
    assert "larger than the 1 MiB" in answer.json()["detail"]


def test_every_answer_carries_the_headers(serving: Callable[..., TestClient]) -> None:
    client = serving()
    for answer in (client.get("/health"), client.get("/nothing"), client.post("/v1/jobs")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_two_servers_do_not_share_a_folder(serving: Callable[..., TestClient], tmp_path: Path) -> None:
    serving(folder=tmp_path / "one")
    with pytest.raises(ConfigError, match="Another server"):
        serving(folder=tmp_path / "one")
