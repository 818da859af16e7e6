import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.errors import StorageError

from frontend_proxy.errors import TooManyRequests
from frontend_proxy.security.rate_limits import RateLimits, network
from frontend_proxy.settings import Settings
from tests.redis_server import RedisServer, running_redis


async def taken(limits: RateLimits, address: str) -> int:
    """How many requests of an address pass before one is refused."""
    for count in range(100):
        try:
            await limits.count_address(address)
        except TooManyRequests:
            return count
    return 100


async def test_so_many_and_no_more() -> None:
    limits = RateLimits("3/minute", None, "memory://")
    assert await taken(limits, "192.0.2.1") == 3
    assert await taken(limits, "192.0.2.2") == 3, "another address has its own"
    await limits.count_key("key:1")


async def test_the_tightest_of_several_holds() -> None:
    assert await taken(RateLimits("50/second; 4/hour", None, "memory://"), "192.0.2.1") == 4


async def test_the_refusal_says_when_to_go_on() -> None:
    limits = RateLimits(None, "1/minute", "memory://")
    await limits.count_key("key:1")
    with pytest.raises(TooManyRequests) as caught:
        await limits.count_key("key:1")
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 120
    assert "key:1" not in str(caught.value)


async def test_it_goes_on_when_the_window_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = RateLimits("2/minute", None, "memory://")
    assert await taken(limits, "192.0.2.1") == 2
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 121)
    assert await taken(limits, "192.0.2.1") == 2


async def test_no_limit_is_none() -> None:
    assert await taken(RateLimits(None, None, "memory://"), "192.0.2.1") == 100


async def test_while_the_storage_is_away_each_proxy_counts_for_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was counted: whoever filled the Redis had no limit any more."""
    limits = RateLimits("2/minute", None, "memory://")

    async def away(*arguments: object) -> bool:
        raise StorageError(ConnectionError("no Redis"))

    monkeypatch.setattr(limits._window, "hit", away)
    with caplog.at_level(logging.WARNING):
        assert await taken(limits, "192.0.2.1") == 2
    assert "counts requests for itself" in caplog.text


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as redis:
        yield redis


@asynccontextmanager
async def counting_in(redis: RedisServer, per_address: str) -> AsyncIterator[RateLimits]:
    limits = RateLimits(per_address, None, redis.url)
    yield limits
    await limits._window.storage.bridge.storage.aclose()


async def test_proxies_that_share_a_redis_count_together(redis: RedisServer) -> None:
    async with counting_in(redis, "6/minute") as one, counting_in(redis, "6/minute") as other:
        for _ in range(2):
            await one.count_address("192.0.2.1")
            await other.count_address("192.0.2.1")
        assert await taken(one, "192.0.2.1") == 2
        assert await taken(other, "192.0.2.1") == 0


@pytest.mark.parametrize("way", ["hangs", "refuses"])
async def test_a_redis_that_goes_away_holds_nobody_up(redis: RedisServer, way: str) -> None:
    async with counting_in(redis, "1/minute") as limits:
        assert await taken(limits, "192.0.2.1") == 1
        redis.hang() if way == "hangs" else redis.kill()
        async with asyncio.timeout(10):
            await limits.count_address("192.0.2.1")


def test_a_redis_behind_a_unix_socket_counts_too() -> None:
    settings = Settings(_env_file=None, redis_url="unix:///run/redis.sock")
    RateLimits("1/minute", None, settings.rate_limit_url)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_an_ipv6_customer_is_one_client(one: str, other: str, same: bool) -> None:
    """A client with a /64 could use another address for every request."""
    assert (network(one) == network(other)) == same


@given(st.text())
def test_a_client_s_name_may_be_any_text(text: str) -> None:
    """X-Forwarded-For of a trusted proxy may contain anything."""
    assert isinstance(network(text), str)
