import asyncio
import base64
import os
from typing import Any

import httpx
import pytest

from frontend_proxy.app import create_app
from frontend_proxy.errors import InferenceFailed, ModelUnavailable
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import CAPTURE, PNG, Serve, until

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


async def test_a_capture_without_room_is_refused_before_its_pose_is_looked_for(
    client: httpx.AsyncClient, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.delay_s = 60
    for _ in range(2):
        assert (await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).status_code == 202
    monkeypatch.setattr("frontend_proxy.job_factory.JobFactory.capture", None)
    refused = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (refused.status_code, refused.json()["code"]) == (429, "OVERLOADED")
    assert refused.headers["Retry-After"]


async def test_a_synchronous_result_can_be_fetched_again(client: httpx.AsyncClient) -> None:
    result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
    assert (await client.get(f"/virtual-tryon/{result['result_id']}")).json()["result"] == result


async def test_a_failure_is_stored_for_later_requests(client: httpx.AsyncClient, server: FakeServer) -> None:
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


async def test_deleting_cancels_and_removes(client: httpx.AsyncClient, server: FakeServer) -> None:
    server.delay_s = 60
    url = (await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).headers["Location"]
    await until(lambda: server.started)
    assert (await client.delete(url)).json()["success"] is True
    assert server.cancelled == server.started
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url)).status_code == 404
    server.delay_s = 0
    assert (await client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2})).status_code == 200


async def test_deleting_a_result_deletes_its_images(client: httpx.AsyncClient) -> None:
    result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
    await client.delete(f"/virtual-tryon/{result['result_id']}")
    assert (await client.get(result["images"][0]["url"])).status_code == 404


async def test_another_process_may_cancel_it(
    client: httpx.AsyncClient, settings: Settings, server: FakeServer, slow_steps: None
) -> None:
    """Proxies that share a folder are behind one address; DELETE may reach either."""
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
async def test_unknown_captures_are_404(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


async def test_only_images_are_served_from_the_folder(client: httpx.AsyncClient) -> None:
    result = (await client.post("/virtual-tryon", json=CAPTURE)).json()
    for name in ("record.json", "lock", "0.png.part", "1.png", "..%2f..%2fsecret"):
        assert (await client.get(f"/results/{result['result_id']}/{name}")).status_code == 404


async def test_a_capture_is_interrupted_when_the_server_stops(
    settings: Settings, serve: Serve, server: FakeServer, client: httpx.AsyncClient
) -> None:
    server.delay_s = 60
    async with serve(workers=True) as address, httpx.AsyncClient() as leaving:
        accepted = await leaving.post(f"http://{address}/virtual-tryon", json=CAPTURE, headers=ASYNC)
        await until(lambda: server.started)
    status = (await client.get(f"/virtual-tryon/{accepted.json()['result_id']}")).json()
    assert (status["state"], status["failure"]["code"]) == ("failed", "INTERRUPTED")
