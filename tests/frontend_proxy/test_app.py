"""Rules for every endpoint: the shape of errors, CORS, limits, request ids."""

import asyncio
import logging
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import httpx
import pytest

from frontend_proxy import logs
from frontend_proxy.app import byte_budget
from frontend_proxy.jobs import ModelHealth
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import Serve

MIB = 2**20
ORIGIN = {"Origin": "https://shop.example"}


def assert_contract(response: httpx.Response, status: int, code: str) -> None:
    """Some clients read `error`, others `detail`."""
    body = response.json()
    assert response.status_code == status
    assert set(body) == {"success", "error", "detail", "code", "request_id"}
    assert (body["success"], body["code"]) == (False, code)
    assert body["error"] == body["detail"] != ""
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/textures/nothing.png", 404, "NOT_FOUND"),
        ("GET", "/textures/../../pyproject.toml", 404, "NOT_FOUND"),
        ("GET", "/textures/%2e%2e/%2e%2e/pyproject.toml", 404, "NOT_FOUND"),
        ("GET", "/textures/", 404, "NOT_FOUND"),
        ("GET", "/virtual-tryon", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/health", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/virtual-tryon", 400, "INVALID_INPUT"),
        ("POST", "/api/fabric/scan", 400, "INVALID_INPUT"),
        ("GET", "/api/fabric/nothing", 404, "NOT_FOUND"),
        ("DELETE", "/api/fabric/denim-blue", 403, "READ_ONLY"),
    ],
)
async def test_every_error_is_json_of_one_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    assert_contract(await client.request(method, path, headers=ORIGIN), status, code)


async def test_an_unexpected_error_has_the_same_shape_and_hides_its_text(
    client: httpx.AsyncClient, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Starlette's own 500 would lack the CORS headers, so a browser could not read it."""
    server.health = AsyncMock(side_effect=RuntimeError("secret"))  # type: ignore[method-assign]
    response = await client.get("/health", headers=ORIGIN)
    assert_contract(response, 500, "INTERNAL")
    assert "secret" not in response.text
    assert "secret" in caplog.text


async def test_a_body_over_the_limit_is_refused(serve: Serve) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    async with (
        serve(max_image_bytes=1000) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        declared = await client.post("/virtual-tryon", content=b"x" * 2_000_000, headers=ORIGIN)
        counted = await client.post("/virtual-tryon", content=chunks(), headers=ORIGIN)
    assert_contract(declared, 413, "OVERLOADED")
    assert_contract(counted, 413, "OVERLOADED")


@pytest.mark.parametrize(
    "limits",
    [
        {"max_image_bytes": 100 * MIB},
        {"max_photo_bytes": 100 * MIB},
        {"max_video_bytes": 200 * MIB},
        {"max_batch_bytes": 300 * MIB},
    ],
)
def test_the_largest_body_that_a_setting_allows_fits_the_budget(
    settings: Settings, limits: dict[str, int]
) -> None:
    """MAX_VIDEO_BYTES and MAX_BATCH_BYTES beyond the budget of an address had no effect."""
    changed = settings.model_copy(update=limits)
    budget = byte_budget(changed)
    hold = budget.hold("1.1.1.1")
    hold.grow(changed.largest_body_bytes + 2**16)  # a form's framing
    hold.release()


async def test_a_plain_request_id_is_kept(client: httpx.AsyncClient) -> None:
    async def echoed(proposed: str) -> str:
        return (await client.get("/health", headers={"X-Request-ID": proposed})).headers["X-Request-ID"]

    assert await echoed("trace-1.a:b_c") == "trace-1.a:b_c"
    for proposed in ("", "a b", "x" * 65, "<script>"):
        assert len(await echoed(proposed)) == 32


async def test_each_request_has_one_log_line_with_its_id(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("info")
    try:
        await client.get("/health%0aforged", headers={"X-Request-ID": "r-1"})
    finally:
        root.handlers[:], root.level = before, level
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "access" in line]
    assert " r-1 " in line
    assert "GET /health%0Aforged 404" in line


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/virtual-tryon"),
        ("GET", "/api/fabric/catalog"),
        ("PUT", "/api/fabric/mine"),
        ("DELETE", "/api/fabric/mine"),
    ],
)
async def test_preflight_allows_what_the_frontends_send(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
    response = await client.options(path, headers={**ORIGIN, **asked})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "content-type" in response.headers["Access-Control-Allow-Headers"].lower()


async def test_cors_origins_are_those_of_the_settings(serve: Serve) -> None:
    async with (
        serve(cors_origins=["https://shop.example"]) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        allowed = await client.get("/health", headers=ORIGIN)
        foreign = await client.get("/health", headers={"Origin": "https://elsewhere.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "Access-Control-Allow-Origin" not in foreign.headers


async def test_index_is_json_for_programs_and_the_studio_for_browsers(client: httpx.AsyncClient) -> None:
    body = (await client.get("/")).json()
    assert set(body) == {"name", "status", "endpoints"}
    for endpoint in body["endpoints"].values():
        method, _, path = endpoint.rpartition(" ")
        assert path == "/ws" or (await client.request(method, path)).status_code not in (404, 405)
    page = await client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["Location"]) == (307, "/studio")


async def test_health_shows_the_model_server_s_state(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.state = ModelHealth(False, True, None, "unknown")
    body = (await client.get("/health")).json()
    assert body.pop("timestamp")
    assert body == {
        "status": "degraded",
        "ai_model_loaded": False,
        "ai_model_loading": True,
        "ai_model_error": None,
        "fabric_processor_ready": False,
        "device": "unknown",
        "active_connections": 0,
        "model": None,
    }


async def test_the_model_server_is_closed_at_the_end(serve: Serve, server: FakeServer) -> None:
    async with serve(workers=True) as address, httpx.AsyncClient() as client:
        async with asyncio.timeout(30):
            while (await client.get(f"http://{address}/health")).json()["status"] != "healthy":
                await asyncio.sleep(0.05)
        assert not server.closed
    assert server.closed
