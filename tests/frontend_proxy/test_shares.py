"""One caller cannot take all places from the others: captures, batches, films and photos that wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from frontend_proxy.app import create_app
from frontend_proxy.background import Background
from frontend_proxy.errors import Overloaded
from frontend_proxy.holder import set_holder
from frontend_proxy.settings import Settings
from frontend_proxy.worker import Worker
from tests import films
from tests.fakes import FakeServer
from tests.frontend_proxy.batches.proxies import batches_of
from tests.frontend_proxy.captures.redis_proxies import redis, redis_server
from tests.frontend_proxy.captures.test_local_captures import ASYNC
from tests.frontend_proxy.conftest import CAPTURE, until

__all__ = ["redis", "redis_server"]

KEYS = "a-key-of-the-first-shop,a-key-of-the-second-shop"
FIRST, SECOND = ({"X-API-Key": key} for key in KEYS.split(","))
BATCH = {"captures": [CAPTURE]}


@asynccontextmanager
async def callers(settings: Settings, server: FakeServer, **changes: Any) -> AsyncIterator[Any]:
    """Yields what makes a client of an address. The worker processes do not run."""
    changed = settings.model_copy(update={"max_share_per_caller": 0.75, **changes})
    app = create_app(changed, server)
    batches = batches_of(app)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(batches._captures.running())
        await stack.enter_async_context(batches.running())

        async def client(address: str = "192.0.2.1", **options: Any) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, client=(address, 1))
            made = httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=60, **options)
            return await stack.enter_async_context(made)

        yield client


async def accepted(client: httpx.AsyncClient, path: str, body: dict[str, Any], most: int = 30) -> int:
    """How many requests are accepted before the caller is told that it has its share."""
    for count in range(most):
        answer = await client.post(path, json=body, headers=ASYNC)
        if answer.status_code != 202:
            told = answer.json()
            assert (answer.status_code, told["code"]) == (429, "OVERLOADED")
            assert answer.headers["Retry-After"]
            assert "your share" in told["error"]
            return count
    return most


@pytest.mark.parametrize("shared", [False, True], ids=["one process", "Redis"])
async def test_one_address_leaves_room_for_the_next_one(
    settings: Settings, request: pytest.FixtureRequest, redis: Any, redis_server: Any, shared: bool
) -> None:
    """Whoever came first held all places, for captures for a minute and for batches for a day."""
    changes: dict[str, Any] = {"max_captures": 8, "max_batches": 8}
    if shared:
        changes |= {"redis_url": SecretStr(redis_server.url), "max_queued_captures": 8}
    async with callers(settings, FakeServer(delay_s=60), **changes) as client:
        first, second = await client("192.0.2.1"), await client("192.0.2.2")
        for path, body in (("/virtual-tryon", CAPTURE), ("/api/batches", BATCH)):
            assert await accepted(first, path, body) == 6
            assert (await second.post(path, json=body, headers=ASYNC)).status_code == 202


async def test_a_share_is_a_credential_s_whatever_its_address(settings: Settings) -> None:
    changes = {"api_keys": SecretStr(KEYS), "max_captures": 8}
    async with callers(settings, FakeServer(delay_s=60), **changes) as client:
        here, there = await client("192.0.2.1", headers=FIRST), await client("192.0.2.2", headers=FIRST)
        assert await accepted(here, "/virtual-tryon", CAPTURE) == 6
        assert await accepted(there, "/virtual-tryon", CAPTURE) == 0
        other = await client("192.0.2.1", headers=SECOND)
        assert (await other.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)).status_code == 202


async def test_the_only_credential_has_all_places(settings: Settings) -> None:
    """Nobody else could use them."""
    changes = {"api_keys": SecretStr(KEYS.split(",")[0]), "max_captures": 8}
    async with callers(settings, FakeServer(delay_s=60), **changes) as client:
        shop = await client(headers=FIRST)
        assert await accepted(shop, "/virtual-tryon", CAPTURE, most=8) == 8
        answer = await shop.post("/virtual-tryon", json=CAPTURE, headers=ASYNC)
        assert (answer.status_code, answer.json()["error"][:20]) == (429, "all 8 places for cap")


async def test_batches_that_come_together_take_no_more_than_there_are(settings: Settings) -> None:
    """Each of them looked before any was stored."""
    async with callers(settings, FakeServer(delay_s=60), max_batches=4) as client:
        first = await client()
        answers = await asyncio.gather(*(first.post("/api/batches", json=BATCH) for _ in range(12)))
        assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 9


@pytest.mark.usefixtures("redis")
async def test_batches_of_several_proxies_take_no_more_than_there_are(
    settings: Settings, redis_server: Any
) -> None:
    changes = {"max_batches": 4, "redis_url": SecretStr(redis_server.url)}
    async with (
        callers(settings, FakeServer(delay_s=60), **changes) as one,
        callers(settings, FakeServer(delay_s=60), **changes) as other,
    ):
        clients = await one(), await other()
        sent = [client.post("/api/batches", json=BATCH) for client in clients for _ in range(6)]
        answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 9
    assert len(list(settings.results_dir.glob("*/batch.msgpack"))) == 3, "a refused one leaves nothing"


async def test_a_batch_does_not_wait_for_those_of_another_caller(settings: Settings) -> None:
    """The first caller's were worked on two at a time, for hours."""
    server = FakeServer(delay_s=0.2)
    async with callers(settings, server) as client:
        first, second = await client("192.0.2.1"), await client("192.0.2.2")
        for _ in range(3):
            long = {"captures": [CAPTURE] * 30}
            assert (await first.post("/api/batches", json=long)).status_code == 202
        await until(lambda: server.started)
        url = (await second.post("/api/batches", json=BATCH)).json()["url"]
        async with asyncio.timeout(20):
            while (status := (await second.get(url)).json())["state"] == "running":
                await asyncio.sleep(0.05)
        assert status["counts"]["succeeded"] == 1
        assert len(server.finished) < 30, "the first caller's first batch is not done"


async def test_batches_go_round_their_callers(settings: Settings) -> None:
    """A third caller waited until the first two had no batch left."""
    server = FakeServer(delay_s=0.05)
    async with callers(settings, server) as client:
        made = [await client(f"192.0.2.{number}") for number in range(1, 4)]
        urls = []
        for sender in (*[made[0]] * 4, *[made[1]] * 4, made[2]):
            urls.append((await sender.post("/api/batches", json=BATCH)).json()["url"])
        ended: list[int] = []
        async with asyncio.timeout(30):
            while len(ended) < len(urls):
                for number, url in enumerate(urls):
                    if number not in ended and (await made[0].get(url)).json()["state"] == "completed":
                        ended.append(number)
                await asyncio.sleep(0.02)
    assert ended.index(8) < 5, ended


async def test_one_caller_makes_one_film_of_two(settings: Settings, tmp_path: Path) -> None:
    changed = settings.model_copy(update={"max_share_per_caller": 0.75})
    app = create_app(changed, FakeServer(delay_s=60))
    clip = films.write(tmp_path / "clip.mp4", films.frames(3)).read_bytes()
    layer = films.with_alpha(tmp_path / "layer.webm", films.layers(3)).read_bytes()
    async with app.router.lifespan_context(app):
        answers = []
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://lucy.test") as client:
                sent = {"video": clip, "layer": layer}
                answers.append(await client.post("/api/video", files=sent, timeout=60))
    assert [answer.status_code for answer in answers] == [202, 429, 202]
    assert "your share of the 2 places for films" in answers[1].json()["error"]
    assert answers[1].headers["Retry-After"]


async def test_photos_that_wait_go_round_their_callers() -> None:
    worker = Worker("test worker", Background(), 8, share=0.75)
    order: list[str] = []

    async def call(name: str) -> None:
        set_holder(name)
        await worker.run(time.sleep, 0.05)
        order.append(name)

    async with worker.running():
        await worker.run(time.sleep, 0)
        running = asyncio.create_task(call("flood"))
        await until(lambda: not worker.idle)
        flood = [asyncio.create_task(call("flood")) for _ in range(8)]
        await asyncio.sleep(0)
        shopper = asyncio.create_task(call("shopper"))
        ends = await asyncio.gather(running, *flood, shopper, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Overloaded)]
    assert len(refused) == 2
    assert "your share" in str(refused[0])
    assert order.index("shopper") <= 2, "it waited for all of the flood"
