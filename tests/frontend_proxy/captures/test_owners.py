"""Captures of one credential and the callers with another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr

from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.test_local_captures import ASYNC
from tests.frontend_proxy.conftest import CAPTURE
from tests.redis_server import RedisServer

KEYS = ["a" * 32, "b" * 32]
JWT_SECRET = "s" * 32


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def token(subject: str) -> str:
    return jwt.encode({"sub": subject, "exp": 2**32}, JWT_SECRET, "HS256")


@pytest.fixture(params=["local", "redis"])
async def transport(
    request: pytest.FixtureRequest, settings: Settings, server: FakeServer
) -> AsyncIterator[httpx.ASGITransport]:
    changes: dict[str, Any] = {
        "api_keys": SecretStr(",".join(KEYS)),
        "jwt_secret": SecretStr(JWT_SECRET),
    }
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        changes["redis_url"] = SecretStr(redis.url)
    app = create_app(settings.model_copy(update=changes), server)
    (create,) = (route.endpoint.post for route in app.routes if route.path == "/virtual-tryon")
    async with create.__self__._captures.running():
        yield httpx.ASGITransport(app)


@pytest.fixture
async def client(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    ("owner", "other"),
    [
        (KEYS[0], KEYS[1]),
        (token("alice"), token("bob")),
        (KEYS[0], token("alice")),
        (token("\ud800"), token("alice")),
    ],
)
async def test_only_the_owner_may_read_and_delete(client: httpx.AsyncClient, owner: str, other: str) -> None:
    created = await client.post("/virtual-tryon", json=CAPTURE, headers=bearer(owner))
    path = f"/virtual-tryon/{created.json()['result_id']}"
    for alias in (path, f"/api{path}"):
        missing = await client.get("/virtual-tryon/nothing", headers=bearer(other))
        for call in (client.get, client.delete):
            refused = await call(alias, headers=bearer(other))
            assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")
            assert set(refused.json()) == set(missing.json())
        assert (await client.get(alias, headers=bearer(owner))).status_code == 200
    # Image URLs are capability URLs.
    assert (await client.get(created.json()["images"][0]["url"])).status_code == 200
    assert (await client.delete(path, headers=bearer(owner))).status_code == 200
    assert (await client.get(path, headers=bearer(owner))).status_code == 404


async def test_a_new_token_of_the_same_subject_is_the_same_owner(client: httpx.AsyncClient) -> None:
    created = await client.post("/virtual-tryon", json=CAPTURE, headers=bearer(token("alice")))
    fresh = jwt.encode({"sub": "alice", "exp": 2**32 + 1}, JWT_SECRET, "HS256")
    path = f"/virtual-tryon/{created.json()['result_id']}"
    assert (await client.get(path, headers=bearer(fresh))).status_code == 200


async def test_a_running_capture_is_cancelled_by_its_owner_only(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    server.delay_s = 60
    accepted = await client.post("/virtual-tryon", json=CAPTURE, headers={**bearer(KEYS[0]), **ASYNC})
    async with asyncio.timeout(5):
        while not server.started:
            await asyncio.sleep(0.01)
    url = accepted.headers["Location"]
    assert (await client.delete(url, headers=bearer(KEYS[1]))).status_code == 404
    assert not server.cancelled
    assert (await client.delete(url, headers=bearer(KEYS[0]))).status_code == 200


async def test_idempotency_keys_of_credentials_do_not_meet(client: httpx.AsyncClient) -> None:
    results = set()
    for credential in (*KEYS, token("alice"), token("bob")):
        headers = {**bearer(credential), "Idempotency-Key": "order-1"}
        first, again = [await client.post("/virtual-tryon", json=CAPTURE, headers=headers) for _ in range(2)]
        assert first.json()["result_id"] == again.json()["result_id"]
        results.add(first.json()["result_id"])
    assert len(results) == 4


@pytest.mark.parametrize("storage", ["local", "redis"])
async def test_anonymous_callers(
    request: pytest.FixtureRequest, settings: Settings, server: FakeServer, storage: str
) -> None:
    """Whoever knows the id may read it, as before; keys of two addresses do not meet."""
    if storage == "redis":
        url = SecretStr(request.getfixturevalue("redis_server").url)
        settings = settings.model_copy(update={"redis_url": url})
    app = create_app(settings, server)
    (create,) = (route.endpoint.post for route in app.routes if route.path == "/virtual-tryon")
    headers = {"Idempotency-Key": "order-1"}
    async with create.__self__._captures.running():
        ids = []
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2"):
            transport = httpx.ASGITransport(app, client=(address, 1234))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://lucy.test", timeout=20
            ) as client:
                answer = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
                ids.append(answer.json()["result_id"])
                assert (await client.get(f"/virtual-tryon/{ids[0]}")).status_code == 200
    assert ids[0] == ids[2]
    assert len(set(ids)) == 4
