"""Entries of the queue that a proxy cannot read: each ends alone, and the others go on."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from frontend_proxy.captures import payload, redis_queue
from frontend_proxy.captures.image_store import ImageStore
from frontend_proxy.captures.payloads import Payloads
from frontend_proxy.captures.redis_client import connect
from frontend_proxy.captures.redis_places import RedisPlaces
from frontend_proxy.captures.redis_queue import CaptureQueue, Taken
from frontend_proxy.captures.redis_records import CaptureRecords
from frontend_proxy.captures.redis_scripts import QUEUE_ROOM
from frontend_proxy.errors import StorageUnavailable
from frontend_proxy.jobs import Job
from tests.frontend_proxy.captures.redis_proxies import Proxy
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.captures.test_results import record
from tests.frontend_proxy.conftest import CAPTURE
from tests.redis_server import RedisServer

JOB = Job(request_id="r", mode="capture", camera_frame=b"a", jacket_render=b"b", output_format="png", seed=1)
FIELDS = {field.name: getattr(JOB, field.name) for field in dataclasses.fields(Job)}

Spoil = Callable[[Redis, str], Awaitable[Any]]


def jobs(payload: bytes | None) -> Spoil:
    """None: Redis evicted them."""
    if payload is None:
        return lambda redis, name: redis.delete("{lucy}:jobs:" + name)
    return lambda redis, name: redis.set("{lucy}:jobs:" + name, payload)


def document(text: str) -> Spoil:
    return lambda redis, name: redis.set("{lucy}:record:" + name, text)


async def enqueue(redis: Redis, spoil: Spoil | None = None, **fields: str) -> str:
    """Queue a capture as a proxy of an older version would."""
    stored = record()
    name = stored.result_id
    await redis.set("{lucy}:record:" + name, stored.model_dump_json())
    await redis.set("{lucy}:jobs:" + name, payload.pack([JOB]))
    if spoil:
        await spoil(redis, name)
    await redis.xadd("{lucy}:queue", {"id": name, **fields})
    return name


async def healthy_capture_succeeds(proxies: list[Proxy], redis: Redis) -> None:
    """And nothing is left in the queue."""
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (await ended(proxies[0].client, accepted.headers["Location"]))["state"] == "succeeded"
    async with asyncio.timeout(5):
        while await redis.xlen("{lucy}:queue"):
            await asyncio.sleep(0.01)
    for proxy in proxies:
        assert not proxy.background.failing


async def test_a_field_that_a_newer_proxy_added_is_ignored(proxies: list[Proxy], redis: Redis) -> None:
    """A rolling upgrade: one unknown field ended the loop of each proxy in turn."""
    newer = msgpack.packb([{**FIELDS, "new_field": 1}, {"new_sample_field": 2}])
    name = await enqueue(redis, jobs(newer))
    assert (await ended(proxies[0].client, f"/virtual-tryon/{name}"))["state"] == "succeeded"
    await healthy_capture_succeeds(proxies, redis)


async def test_a_field_that_an_older_proxy_does_not_send_has_its_default(
    proxies: list[Proxy], redis: Redis
) -> None:
    optional = {"session", "preview_interval", "pose", "render_fit"}
    older = {name: value for name, value in FIELDS.items() if name not in optional}
    name = await enqueue(redis, jobs(msgpack.packb([older, {}])))
    assert (await ended(proxies[0].client, f"/virtual-tryon/{name}"))["state"] == "succeeded"


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"\xc1", b"no msgpack", msgpack.packb({}), msgpack.packb([]), msgpack.packb([FIELDS]),
        msgpack.packb([{}, {}]), msgpack.packb([1, 2]), msgpack.packb([{**FIELDS, "pose": b"short"}, {}]),
        msgpack.packb([{**FIELDS, "pose": "text"}, {}]), msgpack.packb([FIELDS, {}, 1]),
    ],
)  # fmt: skip
async def test_jobs_that_cannot_be_read_fail_and_are_dead_lettered(
    proxies: list[Proxy], redis: Redis, content: bytes | None
) -> None:
    name = await enqueue(redis, jobs(content))
    status = await ended(proxies[0].client, f"/virtual-tryon/{name}")
    assert (status["state"], status["failure"]["code"]) == ("failed", "INFERENCE_FAILED")
    ((_, letter),) = await redis.xrange("{lucy}:dead")
    assert letter[b"id"].decode() == name
    assert letter[b"reason"]
    await healthy_capture_succeeds(proxies, redis)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": "new state"}'])
async def test_a_record_that_cannot_be_read_is_dead_lettered(
    proxies: list[Proxy], redis: Redis, text: str
) -> None:
    name = await enqueue(redis, document(text))
    await healthy_capture_succeeds(proxies, redis)
    ((_, letter),) = await redis.xrange("{lucy}:dead")
    assert letter[b"id"].decode() == name
    assert (await proxies[0].client.get(f"/virtual-tryon/{name}")).status_code == 404


@pytest.mark.parametrize(
    "fields", [{"other": "1"}, {"id": ""}, {"id": "nobody"}, {"id": b"\xff\xfe"}, {"id": "x" * 100_000}]
)
async def test_an_entry_without_a_capture_is_removed(
    proxies: list[Proxy], redis: Redis, fields: dict[Any, Any]
) -> None:
    await redis.xadd("{lucy}:queue", fields)
    await healthy_capture_succeeds(proxies, redis)


async def test_a_capture_for_a_newer_version_is_left_to_a_newer_proxy(
    proxies: list[Proxy], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await enqueue(redis, version=str(payload.VERSION + 1))
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (await ended(proxies[0].client, accepted.headers["Location"]))["state"] == "succeeded"
    assert (await proxies[0].client.get(f"/virtual-tryon/{name}")).json()["state"] == "running"
    ((entry, _),) = await redis.xrange("{lucy}:queue")
    (pending,) = await redis.xpending_range("{lucy}:queue", "proxies", entry, entry, 1)
    assert pending["times_delivered"] <= 1, "an older proxy's look is no crashed attempt"
    # A newer proxy takes it.
    monkeypatch.setattr(payload, "VERSION", payload.VERSION + 1)
    monkeypatch.setattr(redis_queue, "LEASE_S", 0.1)
    assert (await ended(proxies[0].client, f"/virtual-tryon/{name}"))["state"] == "succeeded"


async def test_a_capture_that_no_newer_proxy_takes_fails(
    proxies: list[Proxy], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a rollback."""
    monkeypatch.setattr(redis_queue, "LEASE_S", 0.1)
    monkeypatch.setattr(redis_queue, "NEWER_PROXY_S", 0.5)
    name = await enqueue(redis, version=str(payload.VERSION + 1))
    status = await ended(proxies[0].client, f"/virtual-tryon/{name}")
    assert status["failure"]["code"] == "INFERENCE_FAILED"
    await healthy_capture_succeeds(proxies, redis)


async def test_an_entry_names_its_version(proxies: list[Proxy], redis: Redis) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 60
    await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    ((_, fields),) = await redis.xrange("{lucy}:queue")
    assert int(fields[b"version"]) == payload.VERSION


# What happens between the commands of one `take`


async def take(queue: CaptureQueue) -> Taken | None:
    for _ in range(3):  # the first call makes the consumer group
        if taken := await queue.take():
            return taken
    return None


@pytest.fixture
async def queue(
    redis: Redis, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CaptureQueue]:
    monkeypatch.setattr(redis_queue, "BLOCK_S", 0.05)
    client = connect(redis_server.url)
    payloads = Payloads(client, ImageStore(None, tmp_path), None)
    places = RedisPlaces(client, QUEUE_ROOM, 10, "captures", 1.0, 0.9)
    yield CaptureQueue(client, CaptureRecords(client), payloads, places)
    await client.aclose()


async def test_an_entry_that_is_acknowledged_after_it_was_claimed(
    queue: CaptureQueue, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    xpending_range = queue._redis.xpending_range

    async def acknowledged(name: str, group: str, entry: bytes, *arguments: Any) -> Any:
        await redis.xack(name, group, entry)
        return await xpending_range(name, group, entry, *arguments)

    monkeypatch.setattr(queue._redis, "xpending_range", acknowledged)
    await enqueue(redis)
    assert await take(queue) is None
    monkeypatch.undo()
    name = await enqueue(redis)
    taken = await take(queue)
    assert taken is not None
    assert taken.record.result_id == name


async def test_an_entry_that_was_trimmed_while_pending(
    queue: CaptureQueue, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(redis)
    assert await take(queue)
    await redis.xtrim("{lucy}:queue", maxlen=0, approximate=False)
    monkeypatch.setattr(redis_queue, "LEASE_S", 0.0)
    assert await take(queue) is None
    name = await enqueue(redis)
    monkeypatch.setattr(redis_queue, "LEASE_S", 10.0)
    taken = await take(queue)
    assert taken is not None
    assert taken.record.result_id == name


async def test_an_unforeseen_error_ends_one_entry(
    queue: CaptureQueue, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fields: object) -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(redis_queue, "_is_newer", fail)
        await enqueue(redis)
        assert await take(queue) is None
    ((_, letter),) = await redis.xrange("{lucy}:dead")
    assert letter[b"reason"] == b"ZeroDivisionError"
    await enqueue(redis)
    assert await take(queue)


# The loop


async def test_the_loop_survives_any_exception_and_readiness_names_it(
    proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in proxies:
        take, failures = proxy.captures._queue.take, [ZeroDivisionError(), ResponseError("x"), KeyError()]

        async def failing(take: Any = take, failures: list[Exception] = failures) -> Taken | None:
            if failures:
                raise failures.pop()
            return await take()

        monkeypatch.setattr(proxy.captures._queue, "take", failing)
    monkeypatch.setattr("frontend_proxy.background.BACKOFF_S", (0.05,))
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    assert (await ended(proxies[0].client, accepted.headers["Location"]))["state"] == "succeeded"


@pytest.mark.nightly
async def test_readiness_names_a_queue_that_is_away(
    proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(proxies[0].captures._queue, "take", away)
        async with asyncio.timeout(5):
            while (await readiness(proxies[0]))["failing"] != ["capture queue"]:
                await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        while (await readiness(proxies[0]))["failing"]:
            await asyncio.sleep(0.05)


async def readiness(proxy: Proxy) -> Any:
    return (await proxy.client.get("/health/ready")).json()


@pytest.mark.parametrize("text", ["no json", "{}", "[]", '{"result_id": 7}'])
async def test_an_idempotency_claim_that_cannot_be_read_frees_its_key(
    proxies: list[Proxy], redis: Redis, text: str
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    (name,) = await redis.keys("{lucy}:key:*")
    await redis.set(name, text)
    again = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["result_id"] != first.json()["result_id"]


async def test_progress_that_cannot_be_read_is_none(proxies: list[Proxy], redis: Redis) -> None:
    for proxy in proxies:
        proxy.server.delay_s = 0.5
    accepted = await proxies[0].client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
    name = accepted.json()["result_id"]
    await redis.set("{lucy}:progress:" + name, "{")
    await redis.publish("{lucy}:news:" + name, "{")
    assert (await proxies[0].client.get(accepted.headers["Location"])).status_code == 200
    assert (await ended(proxies[1].client, accepted.headers["Location"]))["state"] == "succeeded"
