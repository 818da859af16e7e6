"""How many requests one client may send: a sliding window for each address and each credential."""

import ipaddress
import logging
import math
import time
from typing import Any

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from frontend_proxy.errors import TooManyRequests

logger = logging.getLogger(__name__)

# A Redis that does not answer holds no request up for long: redis-py would wait for ever, or try for seconds.
WAIT_S = 0.5


class RateLimits:
    """`per_address` and `per_key` in the words of the `limits` library (`20/second; 1000/hour`), or None.

    `storage` is a URL of that library. Several proxies that name one Redis count together; while it is
    away nobody is refused, nor held up for more than a second or two.
    """

    def __init__(self, per_address: str | None, per_key: str | None, storage: str) -> None:
        self._per_address = parse_many(per_address) if per_address else []
        self._per_key = parse_many(per_key) if per_key else []
        counters = storage_from_string(
            f"async+{storage}", wrap_exceptions=True, implementation="redispy", **_options(storage)
        )
        assert isinstance(counters, Storage)
        self._window = SlidingWindowCounterRateLimiter(counters)

    async def count_address(self, address: str) -> None:
        """Raises TooManyRequests."""
        await self._count(self._per_address, "address", network(address))

    async def count_key(self, client: str) -> None:
        """`client` is `Authenticator.identify`'s. Raises TooManyRequests."""
        await self._count(self._per_key, "key", client)

    async def _count(self, limits: list[RateLimitItem], kind: str, client: str) -> None:
        for limit in limits:
            try:
                if await self._window.hit(limit, kind, client):
                    continue
                stats = await self._window.get_window_stats(limit, kind, client)
            except StorageError as error:
                logger.warning("requests are not counted: %s", error.storage_error)
                return
            seconds = max(1, math.ceil(stats.reset_time - time.time()))
            raise TooManyRequests(f"more than {limit} from this {kind}; go on in {seconds} s", seconds)


def _options(storage: str) -> dict[str, Any]:
    if not storage.startswith(("redis://", "rediss://", "redis+unix://")):
        return {}
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    once_more = Retry(NoBackoff(), retries=1)  # for a connection that had been closed meanwhile
    return {"socket_timeout": WAIT_S, "socket_connect_timeout": WAIT_S, "retry": once_more}


def network(address: str) -> str:
    """An IPv6 customer has at least a /64 of addresses (RFC 6177), so that counts as one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket, or a reverse proxy's own name for its client
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
