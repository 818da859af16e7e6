import httpx

from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer


async def test_a_refused_preflight_is_json_and_has_an_id(settings: Settings) -> None:
    """Starlette's is plain text, which clients that read `error` or `detail` cannot show."""
    settings = settings.model_copy(update={"cors_origins": ["https://shop.example"]})
    transport = httpx.ASGITransport(create_app(settings, FakeServer()))
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PATCH"}
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        refused = await client.options("/virtual-tryon", headers=asked)
    body = refused.json()
    assert (refused.status_code, body["code"], body["success"]) == (400, "FORBIDDEN", False)
    assert body["error"] == body["detail"] == "Disallowed CORS origin, method"
    assert body["request_id"] == refused.headers["X-Request-ID"]
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert int(refused.headers["Content-Length"]) == len(refused.content)


async def preflight(settings: Settings, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    transport = httpx.ASGITransport(create_app(settings, FakeServer()))
    async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
        return await client.options("/virtual-tryon", headers=headers)


async def test_a_page_on_the_internet_may_call_a_server_in_the_local_network(settings: Settings) -> None:
    """Chromium asks for it in the preflight; Starlette refuses unless told otherwise."""
    answer = await preflight(settings, "https://shop.example")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


async def test_a_page_of_another_origin_may_not_call_into_the_local_network(settings: Settings) -> None:
    settings = settings.model_copy(update={"cors_origins": ["https://shop.example"]})
    assert (await preflight(settings, "https://shop.example")).status_code == 200
    assert (await preflight(settings, "https://elsewhere.example")).status_code == 400
