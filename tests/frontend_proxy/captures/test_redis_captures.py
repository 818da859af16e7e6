"""Captures that two proxies share."""

import asyncio
import base64
import re

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from frontend_proxy.app import create_app
from frontend_proxy.captures.quota import Quota
from frontend_proxy.errors import InferenceFailed
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.redis_proxies import Proxy
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.conftest import CAPTURE, EVENTS, PNG, events_of, until


async def metric(proxy: Proxy, name: str) -> float:
    (line,) = re.findall(rf"^{name} (\S+)$", (await proxy.client.get("/metrics")).text, re.MULTILINE)
    return float(line)


async def left(redis: Redis) -> int:
    return int(await redis.xlen("{lucy}:queue"))


async def test_any_proxy_reports_a_capture(proxies: list[Proxy], redis: Redis) -> None:
    one, other = proxies
    accepted = await one.client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (accepted.status_code, accepted.json()["state"]) == (202, "running")
    status = await ended(other.client, accepted.headers["Location"])
    assert status["state"] == "succeeded"
    image = await one.client.get(status["result"]["images"][0]["url"])
    assert status["result"]["result_image"] == PNG + base64.b64encode(image.content).decode()
    async with asyncio.timeout(5):
        while await left(redis):
            await asyncio.sleep(0.01)
    await until(lambda: not list(one.captures._settings.results_dir.glob("*/jobs.msgpack")))


async def test_a_waiting_client_gets_progress_and_the_image(
    proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in proxies:
        proxy.server.capture_steps, proxy.server.delay_s = 10, 0.2
    answer = await proxies[0].client.post("/virtual-tryon", json=CAPTURE)
    assert answer.status_code == 200
    assert len(proxies[0].server.finished + proxies[1].server.finished) == 1
    response = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=EVENTS)
    *progress, (last, result) = events_of(response.text)
    assert progress
    assert (last, result["success"]) == ("result", True)


async def test_samples(proxies: list[Proxy]) -> None:
    result = (await proxies[0].client.post("/virtual-tryon", json={**CAPTURE, "num_samples": 2})).json()
    assert [image["seed"] for image in result["images"]] == [result["seed"], result["seed"] + 1]
    for image in result["images"]:
        assert (await proxies[1].client.get(image["url"])).status_code == 200


async def test_a_failure_has_its_own_code(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        proxy.server.error = InferenceFailed("no finite pixels")
    answer = await proxies[0].client.post("/virtual-tryon", json=CAPTURE)
    assert (answer.status_code, answer.json()["code"]) == (502, "INFERENCE_FAILED")
    assert "no finite pixels" in answer.json()["error"]


@pytest.mark.usefixtures("short_lease")
async def test_a_capture_of_a_dead_proxy_is_resumed(
    proxies: list[Proxy], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 60
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    await until(lambda: proxies[0].server.started or proxies[1].server.started)
    dead, alive = sorted(proxies, key=lambda proxy: -len(proxy.server.started))
    dead.cut_off(monkeypatch)
    alive.server.delay_s = 0
    status = await ended(alive.client, accepted.headers["Location"], within_s=10)
    assert status["state"] == "succeeded"
    assert len(alive.server.finished) == 1


@pytest.mark.nightly
@pytest.mark.usefixtures("short_lease")
async def test_a_lease_is_renewed_while_it_is_made(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 4.0  # more than two leases
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (await ended(proxies[0].client, accepted.headers["Location"], 10))["state"] == "succeeded"
    assert len(proxies[0].server.started + proxies[1].server.started) == 1


@pytest.mark.usefixtures("short_lease")
async def test_a_proxy_that_stops_releases_its_captures(
    settings: Settings, proxies: list[Proxy], redis: Redis
) -> None:
    one, other = proxies
    for proxy in proxies:
        proxy.server.delay_s = 60
    accepted = await one.client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    await until(lambda: one.server.started or other.server.started)
    leaving, staying = sorted(proxies, key=lambda proxy: -len(proxy.server.started))
    leaving.server.delay_s = staying.server.delay_s = 0  # either may take it
    ending = leaving.captures._worker._captures.copy()
    for maker in ending:
        maker.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    assert (await ended(other.client, accepted.headers["Location"]))["state"] == "succeeded"
    assert await redis.xlen("{lucy}:dead") == 0


@pytest.mark.usefixtures("short_lease")
async def test_a_capture_is_dead_lettered_after_too_many_crashed_attempts(
    proxies: list[Proxy], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one image that crashes its proxy would crash one after the other."""
    monkeypatch.setattr("frontend_proxy.captures.redis_queue.MAX_DELIVERIES", 0)
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    status = await ended(proxies[0].client, accepted.headers["Location"])
    assert (status["state"], status["failure"]["code"]) == ("failed", "INFERENCE_FAILED")
    ((_, letter),) = await redis.xrange("{lucy}:dead")
    assert letter[b"id"].decode() == status["result_id"]
    assert await metric(proxies[1], "lucy_dead_letters") == 1
    assert not proxies[0].server.started + proxies[1].server.started


@pytest.mark.usefixtures("short_lease")
async def test_deleting_cancels_wherever_it_is_made(proxies: list[Proxy], redis: Redis) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 60
    url = (await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).headers["Location"]
    await until(lambda: proxies[0].server.started or proxies[1].server.started)
    for proxy in proxies:  # one of the two does not make it
        answer = await proxy.client.delete(url)
        assert answer.status_code == (200 if proxy is proxies[0] else 404)
    await until(lambda: proxies[0].server.cancelled or proxies[1].server.cancelled)
    async with asyncio.timeout(5):
        while await left(redis):
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("short_lease")
async def test_disconnecting_cancels_the_capture(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 60
    request = asyncio.create_task(proxies[0].client.post("/virtual-tryon", json=CAPTURE))
    await until(lambda: proxies[0].server.started or proxies[1].server.started)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await until(lambda: proxies[0].server.cancelled or proxies[1].server.cancelled)


async def test_a_key_is_shared_by_all_proxies(proxies: list[Proxy]) -> None:
    headers = {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(
        *(
            proxy.client.post("/virtual-tryon", json=CAPTURE, headers={**headers, **ASYNC})
            for proxy in proxies * 4
        )
    )
    assert len({answer.json()["result_id"] for answer in answers}) == 1
    await ended(proxies[0].client, answers[0].headers["Location"])
    again = await proxies[1].client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert again.json()["result_id"] == answers[0].json()["result_id"]
    assert len(proxies[0].server.started + proxies[1].server.started) == 1
    other = await proxies[1].client.post("/virtual-tryon", json={**CAPTURE, "seed": 9}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_repeated_request_needs_no_room(
    proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(proxy: Proxy, key: str) -> httpx.Response:
        return await proxy.client.post("/virtual-tryon", json=CAPTURE, headers={"Idempotency-Key": key})

    first = await answer(proxies[0], "k-1")
    captures = proxies[1].captures
    monkeypatch.setattr(captures._payloads, "_quota", Quota(captures._settings.results_dir, 1))
    assert (await answer(proxies[1], "k-1")).json()["result_id"] == first.json()["result_id"]
    assert (await answer(proxies[1], "k-2")).status_code == 507


async def test_every_proxy_counts_the_queue(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 60
    for _ in range(3):
        await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    for proxy in proxies:
        assert await metric(proxy, "lucy_captures_queued") == 3


async def test_a_full_queue_refuses(proxies: list[Proxy]) -> None:
    proxies[0].captures._queue._places._most = 0
    answer = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (answer.status_code, answer.json()["code"]) == (429, "OVERLOADED")


@pytest.mark.nightly
async def test_without_redis_the_answer_is_503(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(
        settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1")}), FakeServer()
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lucy.test") as client:
        answer = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
    assert answer.headers["Retry-After"]
