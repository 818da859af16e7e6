"""The Redis that several proxies share: its connection, its keys' names, and its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, TimeoutError

from frontend_proxy.errors import StorageUnavailable

PREFIX = "{lucy}:"  # the braces keep all keys in one slot of a Redis Cluster


def connect(url: str) -> Redis:
    """A client that retries for some seconds."""
    return Redis.from_url(
        url,
        socket_timeout=5,
        socket_connect_timeout=2,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(cap=1, base=0.05), retries=8),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
    )


def key_of(kind: str, name: str) -> str:
    return f"{PREFIX}{kind}:{name}"


def milliseconds_until(moment: datetime) -> int:
    """At least 1, since Redis refuses a key that has expired already."""
    return max(1, int(1000 * (moment - datetime.now(UTC)).total_seconds()))


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raises StorageUnavailable for a RedisError."""
    try:
        yield
    except RedisError as error:
        raise StorageUnavailable("the captures' storage is not available; try again in a moment") from error
