"""Rate limits: a sliding window for each address and each credential."""

import ipaddress
import logging
import math
import time
from typing import Any

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from frontend_proxy.errors import TooManyRequests

logger = logging.getLogger(__name__)

# redis-py's default is to wait without limit; a Redis that does not answer must not delay requests for long.
WAIT_S = 0.5


class RateLimits:
    """per_address, per_key: limits as the `limits` library writes them (`20/second; 1000/hour`), or None.

    storage: a URL of that library. Proxies that name the same Redis count together. While it does not answer,
    or has no memory left, each counts for itself, and no request is delayed by more than a second or two.
    """

    def __init__(self, per_address: str | None, per_key: str | None, storage: str) -> None:
        self._per_address = parse_many(per_address) if per_address else []
        self._per_key = parse_many(per_key) if per_key else []
        counters = storage_from_string(
            f"async+{storage}", wrap_exceptions=True, implementation="redispy", **_options(storage)
        )
        assert isinstance(counters, Storage)
        self._window = SlidingWindowCounterRateLimiter(counters)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count_address(self, address: str) -> None:
        """Raises TooManyRequests."""
        await self._count(self._per_address, "address", network(address))

    async def count_key(self, caller: str) -> None:
        """caller: the id of a `Caller`. Raises TooManyRequests."""
        await self._count(self._per_key, "key", caller)

    async def _count(self, limits: list[RateLimitItem], kind: str, client: str) -> None:
        for limit in limits:
            try:
                reset = await _hit(self._window, limit, kind, client)
            except StorageError as error:
                logger.warning("this proxy counts requests for itself: %s", error.storage_error)
                reset = await _hit(self._own, limit, kind, client)
            if reset is not None:
                seconds = max(1, math.ceil(reset - time.time()))
                raise TooManyRequests(
                    f"more than {limit} from this {kind}; try again in {seconds} s", seconds
                )


async def _hit(
    window: SlidingWindowCounterRateLimiter, limit: RateLimitItem, kind: str, client: str
) -> float | None:
    """None if the request is within the limit, else the time when it is free again."""
    if await window.hit(limit, kind, client):
        return None
    return (await window.get_window_stats(limit, kind, client)).reset_time


def _options(storage: str) -> dict[str, Any]:
    if not storage.startswith(("redis://", "rediss://", "redis+unix://")):
        return {}
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    once_more = Retry(NoBackoff(), retries=1)  # for a connection that Redis has closed in the meantime
    return {"socket_timeout": WAIT_S, "socket_connect_timeout": WAIT_S, "retry": once_more}


def network(address: str) -> str:
    """The client that an address stands for: an IPv4 address, or the /64 of an IPv6 address.

    An IPv6 customer has at least a /64 (RFC 6177) and could use another address for every request.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])  # without an IPv6 zone
    except ValueError:  # a Unix socket, or the reverse proxy's own name for its client
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)
