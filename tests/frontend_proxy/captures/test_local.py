import asyncio
import base64
import json
import os
import time
from typing import Any

import httpx
import pytest

from frontend_proxy.app import create_app
from frontend_proxy.errors import InferenceFailed, ModelUnavailable, ProxyError
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, EVENTS, PNG, Serve, events_of, until
from tests.receiver import receiving

ASYNC = {"Prefer": "respond-async, wait=1"}


async def ended(client: httpx.AsyncClient, url: str, within_s: float = 5) -> dict[str, Any]:
    async with asyncio.timeout(within_s):
        while True:
            response = await client.get(url)
            assert response.status_code == 200, response.text
            if response.json()["state"] != "running":
                return response.json()
            assert response.headers["Retry-After"] == "1"
            await asyncio.sleep(0.02)


async def test_an_asynchronous_capture_is_fetched_later(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    server.delay_s = 0.1
    accepted = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (accepted.status_code, accepted.headers["Preference-Applied"]) == (202, "respond-async")
    url = accepted.headers["Location"]
    assert url == accepted.json()["url"]
    assert accepted.json()["state"] == "running"
    await until(lambda: server.started)
    assert (await client.get(url)).json()["progress"] == {"step": 3, "steps": 3, "preview": None}
    status = await ended(client, url)
    assert status["state"] == "succeeded"
    result = status["result"]
    assert result["result_id"] == status["result_id"] == accepted.json()["result_id"]
    assert base64.b64decode(result["result_image"].removeprefix(PNG)) == server.finished[0].camera_frame
    assert result["latency_ms"]["total"] > 0
    alias = await client.get(f"/api/virtual-tryon/{status['result_id']}")
    assert alias.json() == status


async def test_a_synchronous_result_can_be_fetched_again(client: httpx.AsyncClient) -> None:
    result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
    assert (await client.get(f"/virtual-tryon/{result['result_id']}")).json()["result"] == result


async def test_a_failure_is_kept_for_who_asks(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.error = InferenceFailed("no finite pixels")
    accepted = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    status = await ended(client, accepted.headers["Location"])
    assert (status["state"], status["failure"]["code"], status["failure"]["status"]) == (
        "failed",
        "INFERENCE_FAILED",
        502,
    )


async def test_an_accepted_capture_waits_for_a_model_that_is_away(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.run.RETRY_S", 0.02)
    server.error = ModelUnavailable("away")
    accepted = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    await until(lambda: len(server.started) >= 3)
    server.error = None
    assert (await ended(client, accepted.headers["Location"]))["state"] == "succeeded"


async def test_a_model_that_stays_away_is_an_error_in_the_end(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.run.RETRY_S", 0.02)
    server.error = ModelUnavailable("away")
    async with (
        serve(capture_timeout_s=0.2) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        accepted = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
        failure = (await ended(client, accepted.headers["Location"]))["failure"]
        assert failure["code"] in ("MODEL_UNAVAILABLE", "TIMEOUT")  # what the last attempt met


async def test_deleting_cancels_and_forgets(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 60
    url = (await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).headers["Location"]
    await until(lambda: server.started)
    assert (await client.delete(url)).json()["success"] is True
    assert server.cancelled == server.started
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url)).status_code == 404
    server.delay_s = 0
    assert (await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2})).status_code == 200


async def test_deleting_a_result_deletes_its_pictures(client: httpx.AsyncClient) -> None:
    result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
    await client.delete(f"/virtual-tryon/{result['result_id']}")
    assert (await client.get(result["images"][0]["url"])).status_code == 404


async def test_another_process_may_cancel_it(
    client: httpx.AsyncClient, settings: Settings, server: FakeServer, slow_steps: None
) -> None:
    """Proxies that share a folder stand behind one address; DELETE may reach either."""
    server.capture_steps = 500
    url = (await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).headers["Location"]
    await until(lambda: server.started)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(settings, FakeServer()))) as other:
        assert (await other.get(url)).json()["state"] == "running"
        assert (await other.delete(url)).status_code == 200
    async with asyncio.timeout(5):
        while (await client.get(url)).status_code != 404:
            await asyncio.sleep(0.01)
    assert not os.listdir(settings.results_dir)
    assert not server.finished


@pytest.mark.parametrize("path", ["/virtual-tryon/nothing", "/results/nothing/0.png"])
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


async def test_only_pictures_come_out_of_the_folder(client: httpx.AsyncClient) -> None:
    result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
    for name in ("record.json", "lock", "0.png.part", "1.png", "..%2f..%2fsecret"):
        assert (await client.get(f"/results/{result['result_id']}/{name}")).status_code == 404


async def test_the_server_s_end_is_an_error_and_not_a_silence(
    settings: Settings, serve: Serve, server: FakeServer, client: httpx.AsyncClient
) -> None:
    server.delay_s = 60
    async with serve(workers=True) as address, httpx.AsyncClient() as leaving:
        accepted = await leaving.post(f"http://{address}/virtual-tryon", json=CAPTURE, headers=ASYNC)
        await until(lambda: server.started)
    status = (await client.get(f"/virtual-tryon/{accepted.json()['result_id']}")).json()
    assert (status["state"], status["failure"]["code"]) == ("failed", "INTERRUPTED")


# Idempotency


async def test_the_same_request_twice_is_answered_once(client: httpx.AsyncClient, server: FakeServer) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    again = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    streamed = await client.post("/virtual-tryon", json=CAPTURE, headers={**headers, **EVENTS})
    assert events_of(streamed.text) == [("result", first.json())]
    other = await client.post("/virtual-tryon", json={**CAPTURE, "seed": 9}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(server.started) == 1


async def test_while_the_first_is_being_answered(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 0.3
    headers = {"Idempotency-Key": "k-1"}
    first = asyncio.create_task(client.post("/virtual-tryon", json=CAPTURE, headers=headers))
    await until(lambda: server.started)
    again = await client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert (again.status_code, again.json()["code"], again.headers["Retry-After"]) == (409, "CONFLICT", "1")
    accepted = await client.post("/virtual-tryon", json=CAPTURE, headers={**headers, **ASYNC})
    assert accepted.status_code == 202
    assert accepted.json()["result_id"] == (await first).json()["result_id"]
    assert len(server.started) == 1


async def test_after_a_failure_the_same_key_tries_again(
    client: httpx.AsyncClient, server: FakeServer
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    server.error = ModelUnavailable("away")
    assert (await client.post("/virtual-tryon", json=CAPTURE, headers=headers)).status_code == 503
    server.error = None
    assert (await client.post("/virtual-tryon", json=CAPTURE, headers=headers)).status_code == 200


# Webhooks


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


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


# Storage


async def test_results_are_removed_when_their_time_is_over(
    serve: Serve, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.local.SWEEP_EVERY_S", 0.05)
    async with (
        serve(workers=True, capture_timeout_s=0.5, results_lifetime_s=0.1) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
        assert os.listdir(settings.results_dir) == [result["result_id"]]
        began = time.monotonic()
        while os.listdir(settings.results_dir):
            assert time.monotonic() - began < 10
            await asyncio.sleep(0.05)


async def test_a_full_disk_is_said_and_frees_the_slot(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        for _ in range(3):
            response = await client.post("/virtual-tryon", json=CAPTURE)
            assert (response.status_code, response.json()["code"]) == (507, "INSUFFICIENT_STORAGE")
            assert "No space left" in response.json()["error"]
    assert not server.started  # before the model has spent its time
    assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200


async def test_results_take_no_more_of_the_disk_than_they_may(
    serve: Serve, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.captures.quota.MEASURED_FOR_S", 0)
    async with (
        serve(max_results_bytes=500) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        kept = (await client.post("/virtual-tryon", json=CAPTURE)).json()
        refused = await client.post("/virtual-tryon", json=CAPTURE)
        assert (refused.status_code, refused.json()["code"]) == (507, "INSUFFICIENT_STORAGE")
        assert "all they may" in refused.json()["error"]
        assert len(server.started) == 1  # before the model has spent its time
        assert (await client.get(f"/virtual-tryon/{kept['result_id']}")).status_code == 200
        await client.delete(f"/virtual-tryon/{kept['result_id']}")
        assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200


async def test_a_disk_that_fills_meanwhile_ends_in_an_error(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.delay_s = 0.1
    url = (await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).headers["Location"]

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        await until(lambda: server.finished)
        status = await ended(client, url)
    assert (status["state"], status["failure"]["code"]) in [
        ("failed", "INSUFFICIENT_STORAGE"),
        ("failed", "INTERRUPTED"),  # not even the failure could be kept
    ]
