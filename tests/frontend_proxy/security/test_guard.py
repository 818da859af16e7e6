"""Credentials, rate limits, origins and slow bodies as clients meet them, on a real server."""

import asyncio
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from frontend_proxy.background import Background
from frontend_proxy.security.auth import Authenticator, caller_of
from frontend_proxy.security.guard import Guard
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve
from tests.frontend_proxy.test_app import assert_contract

KEY = "key-of-the-first-shop"
SECRET = "a secret of more than 32 bytes for HS256"
CAPTURE = {"user_image": FRAME, "jacket_render": RENDER, "pose": None}


async def test_a_call_needs_a_key_where_keys_are_set(serve: Serve) -> None:
    async with serve(api_keys=KEY) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for method, path in [("GET", "/api/fabric/catalog"), ("POST", "/virtual-tryon"), ("GET", "/metrics")]:
            refused = await client.request(method, path, headers={"Origin": "https://shop.example"})
            assert_contract(refused, 401, "UNAUTHORIZED")
            assert refused.headers["WWW-Authenticate"] == "Bearer"
        for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}):
            answer = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
            assert answer.json()["success"] is True


@pytest.mark.parametrize("path", ["/", "/health", "/health/live", "/textures/nothing.png"])
async def test_pages_probes_and_textures_need_no_credentials(serve: Serve, path: str) -> None:
    """A texture loader sends no header, and a load balancer has no key."""
    async with serve(api_keys=KEY) as address, httpx.AsyncClient() as client:
        assert (await client.get(f"http://{address}{path}")).status_code in (200, 404)


async def test_a_preflight_needs_no_credentials(serve: Serve) -> None:
    """A browser sends it without credentials, whatever the page would send."""
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    async with serve(api_keys=KEY) as address, httpx.AsyncClient() as client:
        assert (await client.options(f"http://{address}/virtual-tryon", headers=asked)).status_code == 200


async def test_a_socket_opens_with_a_token_in_its_subprotocol_or_query(serve: Serve) -> None:
    token = jwt.encode({"sub": "shopper-1", "exp": time.time() + 60}, SECRET)
    async with serve(jwt_secret=SECRET) as address:
        url = f"ws://{address}/ws"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body)["code"] == "UNAUTHORIZED"
        async with connect(url, subprotocols=["lucy.json.v1", f"lucy.auth.{token}"]) as socket:  # type: ignore[list-item]
            assert socket.subprotocol == "lucy.json.v1", "the answer never repeats the token"
        async with connect(f"{url}?token={token}") as socket:
            await socket.send('{"type": "keyframe", "timestamp": 1}')
            assert json.loads(await socket.recv())["timestamp"] == 1


async def test_pages_of_other_origins_open_no_socket(serve: Serve) -> None:
    async with serve(cors_origins=["https://shop.example"]) as address:
        url = f"ws://{address}/ws"
        for origin in ("https://shop.example", f"http://{address}", None):
            async with connect(url, origin=origin):  # type: ignore[arg-type]
                pass
        for origin in ("https://elsewhere.example", "null", "https://shop.example.elsewhere.example"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, origin=origin)  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403
            assert json.loads(refused.value.response.body)["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/virtual-tryon"),
        ("POST", "/api/virtual-tryon"),
        ("POST", "/api/fabric/scan"),
        ("PUT", "/api/fabric/mine"),
        ("DELETE", "/api/fabric/mine"),
        ("DELETE", "/virtual-tryon/0123"),
        ("PATCH", "/api/fabric/mine"),
    ],
)
async def test_pages_of_other_origins_send_no_unsafe_request(
    serve: Serve, server: FakeServer, method: str, path: str
) -> None:
    """A page may send a POST of text/plain without a preflight: it made a capture and saved a fabric."""
    body = json.dumps({**CAPTURE, "image": None, "save": True, "name": "Evil"})
    async with (
        serve(cors_origins=["https://shop.example:443"]) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):

        async def refused(**headers: str) -> bool:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await client.request(
                method, path, content=body, headers={"Content-Type": "text/plain", **named}
            )
            return answer.status_code == 403 and answer.json()["code"] == "FORBIDDEN"

        evil = {"Origin": "http://evil.example", "Host": "evil.example"}
        assert await refused(Origin="https://evil.example")
        assert await refused(Origin="null")
        assert await refused(Sec_Fetch_Site="cross-site")
        assert await refused(**evil)
        assert await refused(**evil, X_Forwarded_Host="evil.example")
        assert not server.started
        for own in (f"http://{address}", "https://shop.example", "https://Shop.example:443"):
            assert not await refused(Origin=own)
        assert not await refused(Origin="https://tryon.example", X_Forwarded_Host="tryon.example:443")
        assert not await refused()


async def test_with_the_default_settings_pages_of_every_origin_may_call(serve: Serve) -> None:
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for headers in ({"Origin": "https://shop.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
            assert answer.json()["success"] is True


async def test_a_proxy_that_is_not_trusted_names_no_host(serve: Serve) -> None:
    forwarded = {"Origin": "https://tryon.example", "X-Forwarded-Host": "tryon.example"}
    for trusted, status in (("127.0.0.1", 200), ("203.0.113.1", 403)):
        async with (
            serve(cors_origins=[], forwarded_allow_ips=trusted) as address,
            httpx.AsyncClient() as client,
        ):
            answer = await client.post(f"http://{address}/virtual-tryon", json=CAPTURE, headers=forwarded)
        assert answer.status_code == status


async def test_the_caller_s_id_is_in_the_request_s_state() -> None:
    seen: list[str | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(caller_of(scope))

    settings = Settings(_env_file=None, api_keys=KEY)
    guard = Guard(app, settings, Authenticator(settings), Background())
    bare = {"type": "http", "method": "GET", "query_string": b"", "client": None}
    for path, headers in (("/metrics", [(b"x-api-key", KEY.encode())]), ("/textures/a", []), ("/health", [])):
        await guard({**bare, "path": path, "headers": headers}, None, None)  # type: ignore[arg-type]
    assert seen == [Authenticator(settings).identify(KEY).id, None, None]


async def test_one_address_cannot_hold_all_sockets(serve: Serve) -> None:
    async with serve(max_sockets_per_address=2) as address:
        url = f"ws://{address}/ws"
        async with connect(url):
            async with connect(url):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url)
                assert refused.value.response.status_code == 429
                assert refused.value.response.headers["Retry-After"]
                assert json.loads(refused.value.response.body)["code"] == "OVERLOADED"
            await asyncio.sleep(0.1)
            async with connect(url):
                pass


async def test_the_rate_limit_of_an_address(serve: Serve) -> None:
    async with (
        serve(rate_limit_per_address="3/minute") as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        passed = [(await client.get("/api/fabric/catalog")).status_code for _ in range(3)]
        refused = await client.get("/api/fabric/catalog", headers={"Origin": "https://shop.example"})
        assert passed == [200, 200, 200]
        assert_contract(refused, 429, "OVERLOADED")
        assert int(refused.headers["Retry-After"]) > 0
        assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]
        with pytest.raises(InvalidStatus) as socket:
            await connect(f"ws://{address}/ws")
        assert socket.value.response.status_code == 429
        assert (await client.get("/health/live")).status_code == 200, "a probe is not counted"


async def test_the_address_comes_from_a_trusted_reverse_proxy(serve: Serve) -> None:
    async def passes(client: httpx.AsyncClient, forwarded: str) -> bool:
        headers = {"X-Forwarded-For": forwarded}
        return (await client.get("/api/fabric/catalog", headers=headers)).status_code == 200

    async with (
        serve(rate_limit_per_address="1/minute") as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        assert await passes(client, "192.0.2.1")
        assert await passes(client, "192.0.2.2")
        assert not await passes(client, "192.0.2.1")
    async with (
        serve(rate_limit_per_address="1/minute", forwarded_allow_ips="203.0.113.1") as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        assert await passes(client, "192.0.2.1")
        assert not await passes(client, "192.0.2.2"), "anybody can write that header"


async def test_guesses_of_keys_are_counted(serve: Serve) -> None:
    async with (
        serve(api_keys=KEY, rate_limit_per_address="2/minute") as address,
        httpx.AsyncClient() as client,
    ):
        url = f"http://{address}/api/fabric/catalog"
        statuses = [
            (await client.get(url, headers={"X-API-Key": f"guess-number-{n:08}"})).status_code
            for n in range(4)
        ]
    assert statuses == [401, 401, 429, 429]


async def test_each_key_has_its_own_rate_limit(serve: Serve) -> None:
    other = "key-of-the-second-shop"
    async with (
        serve(api_keys=f"{KEY},{other}", rate_limit_per_key="2/minute") as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):

        async def ask(key: str) -> int:
            return (await client.get("/api/fabric/catalog", headers={"X-API-Key": key})).status_code

        assert [await ask(KEY), await ask(KEY), await ask(KEY), await ask(other)] == [200, 200, 429, 200]


@pytest.mark.nightly
async def test_a_slow_body_is_refused(serve: Serve) -> None:
    """A slow body held a connection and its memory for as long as the client liked."""
    async with serve(body_timeout_s=0.3) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /virtual-tryon HTTP/1.1\r\nHost: lucy\r\nContent-Length: 1000\r\n\r\n{")
        trickle = asyncio.create_task(_trickle(writer, b" "))
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 408 ")
            answer = await asyncio.wait_for(reader.read(), 20)  # until the server closes
        finally:
            trickle.cancel()
            writer.close()
        assert json.loads(answer)["code"] == "TIMEOUT"


async def test_the_deadline_of_the_body_does_not_limit_the_answer(serve: Serve, server) -> None:
    """The deadline is the body's: a capture takes longer than it."""
    server.delay_s = 0.6
    async with serve(body_timeout_s=0.3) as address, httpx.AsyncClient() as client:
        answer = await client.post(f"http://{address}/virtual-tryon", json=CAPTURE)
    assert answer.json()["success"] is True


async def _trickle(writer: asyncio.StreamWriter, byte: bytes) -> None:
    while True:
        await asyncio.sleep(0.05)
        writer.write(byte)
