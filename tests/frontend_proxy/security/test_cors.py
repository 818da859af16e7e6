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
