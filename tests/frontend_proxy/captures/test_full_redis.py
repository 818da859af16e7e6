"""A real Redis whose memory is small: no caller's pictures and batches fill it for the others."""

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.batches.proxies import batches_of, proxy
from tests.frontend_proxy.captures.test_local_captures import ASYNC, ended
from tests.frontend_proxy.conftest import CAPTURE, until
from tests.frontend_proxy.security.test_rate_limits import counting_in, taken
from tests.redis_server import RedisServer, running_redis

MIB = 2**20
MEMORY = 16 * MIB


@pytest.fixture
def small_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """As docker-compose starts it, with less memory."""
    options = ["--maxmemory", str(MEMORY), "--maxmemory-policy", "noeviction"]
    with running_redis(tmp_path, append_only=True, options=options) as redis:
        yield redis


@pytest.fixture
def shared(settings: Settings, small_redis: RedisServer) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(small_redis.url), "max_captures": 2})


@asynccontextmanager
async def filled(redis: RedisServer, part: float) -> AsyncIterator[None]:
    """With this part of its memory used; 1: all."""
    async with Redis.from_url(redis.url) as client:
        for size in (40_000, 1000):
            with suppress(OutOfMemoryError):
                while (await client.info("memory"))["used_memory"] < part * MEMORY:
                    await client.rpush("filling", bytes(size))
        yield
        await client.delete("filling")


def picture() -> bytes:
    """A PNG of 3 MB."""
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


async def test_large_pictures_fill_no_redis(shared: Settings, small_redis: RedisServer) -> None:
    """Four such captures took all of its memory; then nobody's were accepted, and no rate limit held."""
    server = FakeServer(delay_s=60)
    async with proxy(shared, server) as client, Redis.from_url(small_redis.url) as redis:
        sent = {"user_image": picture(), "jacket_render": picture()}
        answers = [await client.post("/virtual-tryon", files=sent, headers=ASYNC) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [202] * 8
        assert (await redis.info("memory"))["used_memory"] < MEMORY / 4
        await until(lambda: len(server.started) == 2)
        assert server.started[0].camera_frame == sent["user_image"], "the worker gets it from the results"
        for answer in answers:
            await client.delete(answer.headers["Location"])
        assert not list(shared.results_dir.glob("*/jobs.msgpack")), "a deleted one's pictures stayed"


async def test_a_made_capture_leaves_no_jobs(shared: Settings) -> None:
    async with proxy(shared, FakeServer()) as client:
        accepted = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
        assert (await ended(client, accepted.headers["Location"]))["state"] == "succeeded"
        await until(lambda: not list(shared.results_dir.glob("*/jobs.msgpack")))


async def test_a_redis_that_is_nearly_full_keeps_the_rest_for_what_is_accepted(
    shared: Settings, small_redis: RedisServer
) -> None:
    server = FakeServer(delay_s=0.5)
    async with proxy(shared, server) as client:
        before = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
        async with filled(small_redis, 0.95):
            for path, body in (("/virtual-tryon", CAPTURE), ("/api/batches", {"captures": [CAPTURE]})):
                refused = await client.post(path, json=body, headers=ASYNC)
                assert (refused.status_code, refused.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
                assert "nearly full" in refused.json()["error"]
                assert refused.headers["Retry-After"]
            assert (await ended(client, before.headers["Location"]))["state"] == "succeeded"
        again = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
        assert again.status_code == 202
        await ended(client, again.headers["Location"])


async def test_batches_leave_half_of_redis_to_captures(shared: Settings, small_redis: RedisServer) -> None:
    """Their records are large and stay for a day."""
    async with proxy(shared, FakeServer()) as client, filled(small_redis, 0.6):
        batch = await client.post("/api/batches", json={"captures": [CAPTURE]})
        assert (batch.status_code, batch.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
        assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200


async def test_a_redis_without_memory_accepts_nothing_and_leaves_nothing(
    shared: Settings, small_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was filled after it was asked."""

    async def room(*names: str) -> None: ...

    async with proxy(shared, FakeServer()) as client:
        batches = batches_of(client._transport.app)  # type: ignore[attr-defined]
        monkeypatch.setattr(batches._captures._queue._places, "check_room", room)
        async with filled(small_redis, 1):
            refused = await client.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
        assert (refused.status_code, refused.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
        assert not list(shared.results_dir.glob("*/jobs.msgpack"))


async def test_rate_limits_hold_while_redis_has_no_memory(small_redis: RedisServer) -> None:
    async with counting_in(small_redis, "3/minute") as limits, filled(small_redis, 1):
        assert await taken(limits, "192.0.2.1") == 3


async def test_a_redis_that_does_not_tell_its_memory_is_used_all_the_same(
    shared: Settings, small_redis: RedisServer
) -> None:
    """Whoever may not run the administrator's commands gets no answer to INFO."""
    async with Redis.from_url(small_redis.url) as redis:
        await redis.execute_command("ACL SETUSER default -info")
        async with proxy(shared, FakeServer()) as client:
            answer: httpx.Response = await client.post("/virtual-tryon", json=CAPTURE)
            assert answer.status_code == 200
        told: Any = await redis.execute_command("ACL SETUSER default +info")
        assert told
