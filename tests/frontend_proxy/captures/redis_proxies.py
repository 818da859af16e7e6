"""Two proxies that share a real Redis, each in front of a fake model, for the tests of this folder."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from frontend_proxy.app import create_app
from frontend_proxy.background import Background
from frontend_proxy.errors import StorageUnavailable
from frontend_proxy.settings import Settings
from tests.fakes import FakeServer
from tests.frontend_proxy.captures.test_webhooks import SECRET
from tests.redis_server import RedisServer, running_redis


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    redis = Redis.from_url(redis_server.url)
    await redis.flushall()
    yield redis
    await redis.aclose()


class Proxy:
    """One of several. After `cut_off` it is dead to the others."""

    def __init__(self, settings: Settings) -> None:
        self.server = FakeServer()
        self.background = Background()
        self.app = create_app(settings, self.server, background=self.background)
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://lucy.test", timeout=20)
        (create,) = (route.endpoint.post for route in self.app.routes if route.path == "/virtual-tryon")
        self.captures = create.__self__._captures

    async def __aenter__(self) -> "Proxy":
        self._running = self.captures.running()
        await self._running.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()
        await self._running.__aexit__(None, None, None)

    def cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def away(*arguments: object) -> None:
            raise StorageUnavailable("cut off")

        for method in ("take", "renew", "acknowledge", "release"):
            monkeypatch.setattr(self.captures._queue, method, away)
        monkeypatch.setattr(self.captures._records, "save", away)
        for method in ("claim", "retry", "finish"):
            monkeypatch.setattr(self.captures._waiting_webhooks, method, away)


@pytest.fixture
async def proxies(settings: Settings, redis: Redis, redis_server: RedisServer) -> AsyncIterator[list[Proxy]]:
    shared = settings.model_copy(
        update={
            "redis_url": SecretStr(redis_server.url),
            "webhook_secret": SecretStr(SECRET),
            "webhook_private_hosts": ["localhost"],
            "capture_timeout_s": 15.0,
        }
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Proxy(shared)) for _ in range(2)]


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_proxy.captures.redis_queue.LEASE_S", 1.5)
    monkeypatch.setattr("frontend_proxy.captures.redis_deliveries.LEASE_S", 1.5)
