"""Webhooks of captures over HTTP, without Redis."""

import asyncio
import json

import httpx
import pytest

from frontend_proxy.app import create_app
from frontend_proxy.errors import InferenceFailed, ProxyError
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.test_local_captures import ASYNC
from tests.frontend_proxy.captures.test_webhooks import SECRET
from tests.frontend_proxy.conftest import CAPTURE, Serve, until
from tests.receiver import receiving


@pytest.mark.parametrize("error", [None, InferenceFailed("no finite pixels")])
async def test_a_webhook_tells_the_end(serve: Serve, server: FakeServer, error: ProxyError | None) -> None:
    server.error = error
    webhooks = {"webhook_secret": Settings(_env_file=None, webhook_secret=SECRET).webhook_secret}
    async with (
        receiving() as receiver,
        serve(**webhooks, webhook_inside_hosts=["localhost"]) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        capture = {**CAPTURE, "webhook_url": receiver.url}
        accepted = await client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await until(lambda: receiver.requests)
        message = json.loads(receiver.requests[0].body)
        assert receiver.requests[0].headers["webhook-id"] == accepted.json()["result_id"]
        assert message["data"]["url"] == accepted.headers["Location"]
        if error is None:
            assert message["type"] == "capture.succeeded"
            assert (await client.get(message["data"]["images"][0]["url"])).status_code == 200
        else:
            assert message["type"] == "capture.failed"
            assert message["data"]["failure"]["code"] == "INFERENCE_FAILED"
        await asyncio.sleep(0.05)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("url", "headers", "said"),
    [
        ("https://127.0.0.1/", ASYNC, "not on the public internet"),
        ("http://shop.example/", ASYNC, "https"),
        ("https://shop.example/", {}, "respond-async"),
    ],
)
async def test_a_webhook_that_leads_inside_is_refused(
    settings: Settings, server: FakeServer, url: str, headers: dict[str, str], said: str
) -> None:
    secret = Settings(_env_file=None, webhook_secret=SECRET).webhook_secret
    app = create_app(settings.model_copy(update={"webhook_secret": secret}), server)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lucy.test") as client:
        response = await client.post("/virtual-tryon", json={**CAPTURE, "webhook_url": url}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
    assert said in response.json()["error"]
    assert not server.started
