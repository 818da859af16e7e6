"""Webhooks of captures that two proxies share."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from frontend_proxy.captures import deliveries
from tests.frontend_proxy.captures.redis_proxies import Proxy
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.conftest import CAPTURE, until
from tests.receiver import receiving


async def left(redis: Redis) -> int:
    return int(await redis.xlen("{lucy}:queue"))


async def empty(redis: Redis) -> None:
    """Until no capture is queued and no webhook waits."""
    async with asyncio.timeout(5):
        while await left(redis) or await redis.exists("{lucy}:webhooks", "{lucy}:webhook-hosts"):
            await asyncio.sleep(0.01)


async def test_a_webhook_is_delivered_once(proxies: list[Proxy], redis: Redis) -> None:
    async with receiving() as receiver:
        capture = {**CAPTURE, "webhook_url": receiver.url}
        accepted = await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await until(lambda: receiver.requests)
        await empty(redis)
        message = json.loads(receiver.requests[0].body)
        assert (message["type"], message["data"]["url"]) == (
            "capture.succeeded",
            accepted.headers["Location"],
        )
        assert len(receiver.requests) == 1


@pytest.mark.nightly
@pytest.mark.usefixtures("short_lease")
async def test_a_webhook_whose_proxy_dies_is_delivered_by_the_other(
    proxies: list[Proxy], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        receiver.statuses = [500, 200]
        capture = {**CAPTURE, "webhook_url": receiver.url}
        await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await until(lambda: receiver.requests)
        dead = max(proxies, key=lambda proxy: len(proxy.server.finished))
        dead.cut_off(monkeypatch)
        await until(lambda: len(receiver.requests) == 2, within_s=10)
        assert len(proxies[0].server.started + proxies[1].server.started) == 1


async def test_a_dead_receiver_takes_no_place_in_the_queue(
    proxies: list[Proxy], redis: Redis, free_port: int
) -> None:
    """A few captures with a dead receiver filled the queue for 13 minutes."""
    for proxy in proxies:
        proxy.captures._queue._places._most = 5
    capture = {**CAPTURE, "webhook_url": f"http://localhost:{free_port}/"}
    for _ in range(10):
        accepted = await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
        assert accepted.status_code == 202, accepted.text
        await ended(proxies[0].client, accepted.headers["Location"])
    async with asyncio.timeout(5):
        while await left(redis):
            await asyncio.sleep(0.01)
    assert await redis.zcard("{lucy}:webhooks") == 10


@pytest.mark.nightly
async def test_a_webhook_is_retried(
    proxies: list[Proxy], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in proxies:
        monkeypatch.setattr(proxy.captures.deliveries, "_retry_after_s", (0.05, 0.05))
    async with receiving() as receiver:
        receiver.statuses = [500, 500, 204]
        capture = {**CAPTURE, "webhook_url": receiver.url}
        await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await until(lambda: len(receiver.requests) == 3)
        await empty(redis)


async def test_too_many_webhooks_that_wait_for_one_host_are_refused(
    proxies: list[Proxy], redis: Redis, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MAX_WAITING_PER_HOST", 2)
    capture = {**CAPTURE, "webhook_url": f"http://localhost:{free_port}/"}
    for _ in range(2):
        accepted = await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await ended(proxies[0].client, accepted.headers["Location"])
    async with asyncio.timeout(5):
        while await left(redis):
            await asyncio.sleep(0.01)
    refused = await proxies[1].client.post("/virtual-tryon", json=capture, headers=ASYNC)
    assert (refused.status_code, refused.json()["code"]) == (429, "OVERLOADED")


async def test_a_deleted_capture_sends_no_webhook(proxies: list[Proxy], redis: Redis, free_port: int) -> None:
    capture = {**CAPTURE, "webhook_url": f"http://localhost:{free_port}/"}
    accepted = await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
    async with asyncio.timeout(5):
        while not await redis.exists("{lucy}:webhooks"):
            await asyncio.sleep(0.01)
    await proxies[1].client.delete(accepted.headers["Location"])
    await empty(redis)


@pytest.mark.parametrize("document", [{}, {"url": "http://x/"}, {"url": b"\xff", "body": "{}"}])
async def test_a_delivery_that_cannot_be_read_is_removed(
    proxies: list[Proxy], redis: Redis, document: dict[str, str]
) -> None:
    await redis.zadd("{lucy}:webhooks", {"broken:localhost": 0, "more": 0})
    if document:
        await redis.hset("{lucy}:webhook:broken", mapping=document)
    async with receiving() as receiver:
        capture = {**CAPTURE, "webhook_url": receiver.url}
        await proxies[0].client.post("/virtual-tryon", json=capture, headers=ASYNC)
        await until(lambda: receiver.requests)
        await empty(redis)
    assert not proxies[0].background.failing
