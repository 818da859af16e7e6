"""Webhook deliveries in Redis: they survive the proxy that accepted, made or delivered the capture.

{lucy}:webhooks        sorted set: "ID:HOST" by the time when it is due, or when its lease ends
{lucy}:webhook-hosts   hash: the number of deliveries of each host
{lucy}:webhook:ID      hash: url, body, attempts
"""

from collections.abc import Mapping

from redis.asyncio import Redis

from frontend_proxy.captures.deliveries import Delivery
from frontend_proxy.captures.public_addresses import host_of
from frontend_proxy.captures.redis_client import PREFIX, key_of, redis_errors
from frontend_proxy.captures.redis_scripts import (
    ADD_DELIVERY,
    CLAIM_DELIVERIES,
    REMOVE_DELIVERY,
    RETRY_DELIVERY,
)
from frontend_proxy.captures.webhooks import ATTEMPT_S

LEASE_S = 3 * ATTEMPT_S
LIFETIME_S = 3600.0  # all retries and their delays fit in it

_DUE, _HOSTS = PREFIX + "webhooks", PREFIX + "webhook-hosts"


class RedisDeliveries:
    """A `DeliveryStore`. Methods raise StorageUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(ADD_DELIVERY)
        self._claim = redis.register_script(CLAIM_DELIVERIES)
        self._retry = redis.register_script(RETRY_DELIVERY)
        self._remove = redis.register_script(REMOVE_DELIVERY)

    async def add(self, delivery: Delivery) -> None:
        """Deliver it as soon as possible. Has no effect on one that waits already."""
        with redis_errors():
            await self._add(
                keys=[_DUE, _HOSTS, key_of("webhook", delivery.message_id)],
                args=[
                    f"{delivery.message_id}:{delivery.host}",
                    delivery.host,
                    delivery.url,
                    delivery.body,
                    int(1000 * LIFETIME_S),
                ],
            )

    async def claim(self, limit: int, per_host: int, claimed: Mapping[str, int]) -> list[Delivery]:
        pairs = [text for host, count in claimed.items() for text in (host, count)]
        with redis_errors():
            members = await self._claim(keys=[_DUE], args=[int(1000 * LEASE_S), limit, per_host, *pairs])
        found = [await self._open(member.decode(errors="replace")) for member in members]
        return [delivery for delivery in found if delivery is not None]

    async def _open(self, member: str) -> Delivery | None:
        """None for one that has expired or cannot be read; it is removed."""
        message_id, _, host = member.partition(":")
        with redis_errors():
            fields = await self._redis.execute_command(
                "HMGET", key_of("webhook", message_id), "url", "body", "attempts"
            )
        try:
            url, body, attempts = fields
            delivery = Delivery(message_id, url.decode(), body, int(attempts or 0))
        except (AttributeError, TypeError, ValueError):
            delivery = None
        if delivery is None or delivery.host != host:
            await self._forget(member, message_id, host)
            return None
        return delivery

    async def retry(self, delivery: Delivery, delay_s: float) -> None:
        with redis_errors():
            await self._retry(
                keys=[_DUE, key_of("webhook", delivery.message_id)],
                args=[f"{delivery.message_id}:{delivery.host}", int(1000 * delay_s)],
            )

    async def finish(self, delivery: Delivery) -> None:
        await self.remove(delivery.message_id, delivery.url)

    async def remove(self, message_id: str, url: str) -> None:
        """Do not deliver it; an attempt that runs goes on."""
        host = host_of(url)
        await self._forget(f"{message_id}:{host}", message_id, host)

    async def waiting(self, host: str) -> tuple[int, int]:
        with redis_errors():
            total = await self._redis.zcard(_DUE)
            to_host = await self._redis.execute_command("HGET", _HOSTS, host)
        return int(total), int(to_host or 0)

    async def _forget(self, member: str, message_id: str, host: str) -> None:
        with redis_errors():
            await self._remove(keys=[_DUE, _HOSTS, key_of("webhook", message_id)], args=[member, host])
