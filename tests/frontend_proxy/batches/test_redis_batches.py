"""Batches that several proxies share through a real Redis."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.batches.proxies import batches_of, proxy
from tests.frontend_proxy.batches.test_batches import captures, ended, results
from tests.frontend_proxy.conftest import CAPTURE, until
from tests.redis_server import RedisServer


@pytest.fixture
def shared(settings: Settings, redis: Redis, redis_server: RedisServer) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(redis_server.url), "capture_timeout_s": 15.0})


async def accepted(client: httpx.AsyncClient, count: int, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/batches", json={"captures": captures(count), **fields})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_any_proxy_tells_what_any_other_has_made(shared: Settings, redis: Redis) -> None:
    first, second = FakeServer(), FakeServer()
    async with proxy(shared, first) as one, proxy(shared, second) as other:
        first.delay_s = second.delay_s = 0.05
        batch = await accepted(one, 12)
        status = await ended(other, batch["url"])
        assert status["counts"]["succeeded"] == 12
        lines = await results(other, status)
        assert [line["result"]["seed"] for line in lines] == list(range(12))
        assert (await other.get(lines[0]["result"]["images"][0]["url"])).status_code == 200
    assert first.finished, "both work on it"
    assert second.finished, "both work on it"
    assert len(first.finished + second.finished) == 12
    left = {name.decode().split(":")[1] for name in await redis.keys("*")}
    assert not left & {"jobs", "batch-lease"}
    assert not list(shared.results_dir.glob("**/batch.msgpack")), "the shoppers' pictures stayed"


async def test_another_proxy_goes_on_with_a_batch(shared: Settings) -> None:
    first, second = FakeServer(delay_s=60), FakeServer()
    async with proxy(shared, first) as one:
        batch = await accepted(one, 10)
        await until(lambda: first.started)
    async with proxy(shared, second) as other:
        status = await ended(other, batch["url"])
        assert status["counts"]["succeeded"] == 10
        assert len(await results(other, status)) == 10


async def test_a_proxy_that_died_is_replaced(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves its lease behind, and what it had taken."""
    monkeypatch.setattr("frontend_proxy.batches.redis_batches.LEASE_S", 1.0)
    monkeypatch.setattr("frontend_proxy.captures.redis_queue.LEASE_S", 1.5)
    first, second = FakeServer(delay_s=60), FakeServer()
    async with proxy(shared, first) as one:
        batch = await accepted(one, 4)
        await until(lambda: first.started)
        cut_off(batches_of(one._transport.app), monkeypatch)  # type: ignore[attr-defined]
        async with proxy(shared, second) as other:
            status = await ended(other, batch["url"])
            assert status["counts"]["succeeded"] == 4
        monkeypatch.undo()


def cut_off(batches: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is dead to the others."""

    async def away(*arguments: object, **options: object) -> None:
        raise RedisError("cut off")

    for redis in (batches._store._redis, batches._captures._redis):
        monkeypatch.setattr(redis, "execute_command", away)
        monkeypatch.setattr(
            redis, "pipeline", lambda *_, **__: Redis.from_url("redis://localhost:1").pipeline()
        )


async def test_any_proxy_cancels_and_deletes(shared: Settings, redis: Redis) -> None:
    first, second = FakeServer(delay_s=60), FakeServer(delay_s=60)
    async with proxy(shared, first) as one, proxy(shared, second) as other:
        batch = await accepted(one, 3)
        await until(lambda: first.started or second.started)
        await other.post(batch["url"] + "/cancel")
        assert (await ended(one, batch["url"]))["counts"]["cancelled"] == 3
        deleted = await accepted(one, 3)
        assert (await other.delete(deleted["url"])).status_code == 200
        assert (await one.get(deleted["url"])).status_code == 404
        assert await redis.zcard("{lucy}:batches") == 0


async def test_keys_hold_over_all_proxies(shared: Settings) -> None:
    headers = {"Idempotency-Key": "one"}
    async with proxy(shared, FakeServer()) as one, proxy(shared, FakeServer()) as other:
        sent = {"captures": captures(1)}
        made = [await client.post("/api/batches", json=sent, headers=headers) for client in (one, other)]
        assert made[0].json()["batch_id"] == made[1].json()["batch_id"]
        second = {"captures": captures(2)}
        assert (await other.post("/api/batches", json=second, headers=headers)).status_code == 422
        await one.delete(made[0].json()["url"])
        assert (await other.post("/api/batches", json=second, headers=headers)).status_code == 202


class Gate:
    """Holds the storing of one proxy's requests until it is opened."""

    def __init__(self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting, self.open = asyncio.Event(), asyncio.Event()
        requests = batches_of(client._transport.app)._store._requests  # type: ignore[attr-defined]
        write = requests.write

        async def held(*arguments: Any) -> None:
            self.waiting.set()
            await self.open.wait()
            await write(*arguments)

        monkeypatch.setattr(requests, "write", held)


async def test_a_key_holds_while_its_request_is_stored(
    shared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MiB take a while; a retry meanwhile made a second batch."""
    sent, headers = {"captures": captures(1)}, {"Idempotency-Key": "one"}
    async with proxy(shared, FakeServer()) as one, proxy(shared, FakeServer()) as other:
        gate = Gate(one, monkeypatch)
        first = asyncio.create_task(one.post("/api/batches", json=sent, headers=headers))
        await gate.waiting.wait()
        retry = await other.post("/api/batches", json=sent, headers=headers)
        assert (retry.status_code, retry.json()["code"]) == (409, "CONFLICT")
        gate.open.set()
        assert (await first).status_code == 202
        again = await other.post("/api/batches", json=sent, headers=headers)
        assert again.json()["batch_id"] == (await first).json()["batch_id"]


async def test_a_key_is_free_when_its_proxy_died_while_it_stored_the_request(
    shared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_proxy.batches.redis_batches.ARRIVING_S", 0.3)
    sent, headers = {"captures": captures(1)}, {"Idempotency-Key": "one"}
    async with proxy(shared, FakeServer()) as one, proxy(shared, FakeServer()) as other:
        gate = Gate(one, monkeypatch)
        dead = asyncio.create_task(one.post("/api/batches", json=sent, headers=headers))
        await gate.waiting.wait()
        await asyncio.sleep(0.4)
        retry = await other.post("/api/batches", json=sent, headers=headers)
        assert retry.status_code == 202
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        again = await other.post("/api/batches", json=sent, headers=headers)
        assert again.json()["batch_id"] == retry.json()["batch_id"], "the key is the second one's"


async def test_a_repeated_request_needs_no_room(shared: Settings) -> None:
    sent = {"captures": captures(1)}
    async with proxy(shared, FakeServer(delay_s=60), max_batches=1) as client:

        async def answer(key: str) -> httpx.Response:
            return await client.post("/api/batches", json=sent, headers={"Idempotency-Key": key})

        first = await answer("one")
        assert (await answer("one")).json() == first.json()
        assert (await answer("two")).status_code == 429
        await client.delete(first.json()["url"])
        assert (await answer("two")).status_code == 202, "a refusal keeps no key"


async def test_nobody_waits_in_the_queue_behind_a_batch(shared: Settings) -> None:
    server = FakeServer(delay_s=0.2)
    async with proxy(shared, server, max_captures=1, max_batch_captures_at_once=1) as client:
        batch = await accepted(client, 8)
        await until(lambda: server.started)
        assert (await client.post("/virtual-tryon", json=CAPTURE)).status_code == 200
        assert [job.mode for job in server.finished].index("capture") < 4
        await ended(client, batch["url"])


async def test_pictures_stay_as_long_as_the_batch(shared: Settings) -> None:
    """The sweep deleted whatever was older than a single capture's time."""
    async with proxy(shared, FakeServer(), capture_timeout_s=0.4, results_lifetime_s=0.1) as client:
        batch = await accepted(client, 1)
        status = await ended(client, batch["url"])
        (line,) = await results(client, status)
        store = batches_of(client._transport.app)._captures  # type: ignore[attr-defined]
        await asyncio.sleep(0.6)
        await store._images.sweep(0.5, store._records.known)
        assert (await client.get(line["result"]["images"][0]["url"])).status_code == 200
