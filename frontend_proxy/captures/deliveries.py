"""The delivery of webhooks: a queue with due times, separate from the captures' queue, which a dead receiver
must not fill.

Messages are delivered at least once. Attempts at a time and deliveries that wait are limited, in total and
per host. The queue is a `DeliveryStore`: the results' folder, or Redis.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from frontend_proxy.background import Background
from frontend_proxy.captures.public_addresses import host_of
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.errors import Overloaded, ProxyError

logger = logging.getLogger(__name__)

RETRY_AFTER_S = (5, 30, 120, 600)  # seconds; a receiver has about 13 minutes to come back
MAX_ATTEMPTS = 32  # at a time
MAX_ATTEMPTS_PER_HOST = 4
MAX_WAITING = 10_000
MAX_WAITING_PER_HOST = 2_000
POLL_S = 1.0


@dataclass(frozen=True)
class Delivery:
    """A message and its receiver. `attempts` have failed so far."""

    message_id: str
    url: str
    body: bytes
    attempts: int = 0

    @property
    def host(self) -> str:
        return host_of(self.url)


class DeliveryStore(Protocol):
    """The deliveries that wait. A claimed one is not claimed again until `retry`, or for some time."""

    async def claim(self, limit: int, per_host: int, claimed: Mapping[str, int]) -> list[Delivery]:
        """Claim at most `limit` due deliveries, `per_host` with those that are `claimed` already."""
        ...

    async def retry(self, delivery: Delivery, delay_s: float) -> None:
        """The attempt failed; try again in `delay_s`."""
        ...

    async def finish(self, delivery: Delivery) -> None:
        """It was delivered, or never will be."""
        ...

    async def waiting(self, host: str) -> tuple[int, int]:
        """How many deliveries wait, in all and to this host."""
        ...


class Deliveries:
    """Delivers what is in the store. Without a secret it leaves all of it there."""

    def __init__(
        self,
        webhooks: Webhooks,
        store: DeliveryStore,
        background: Background,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
    ) -> None:
        self._webhooks = webhooks
        self._store = store
        self._background = background
        self._retry_after_s = retry_after_s
        self._claimed: Counter[str] = Counter()  # by host
        self._attempts: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def check(self, url: str) -> None:
        """Raises InvalidInput if nothing can be delivered there, Overloaded if too many deliveries wait."""
        await self._webhooks.check(url)
        total, to_host = await self._store.waiting(host_of(url))
        if total >= MAX_WAITING or to_host >= MAX_WAITING_PER_HOST:
            raise Overloaded("webhook_url: too many webhooks wait for their receivers; try again later")

    def wake(self) -> None:
        """Look into the store now: something is due."""
        if not self._webhooks.enabled:
            return
        if self._loop is None:
            self._loop = self._background.loop("webhook deliveries", self._deliver_due)
        self._wake.set()

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is to be cancelled at the end; the store keeps the deliveries."""
        return self._attempts | ({self._loop} if self._loop else set())

    async def _deliver_due(self) -> None:
        while True:
            self._wake.clear()
            free = MAX_ATTEMPTS - self._claimed.total()
            try:
                due = await self._store.claim(free, MAX_ATTEMPTS_PER_HOST, self._claimed) if free else []
            except ProxyError as error:  # the store is away
                logger.warning("no webhooks are delivered: %s", error)
                due = []
            for delivery in due:
                self._claimed[delivery.host] += 1
                attempt = self._background.task("webhook delivery", self._attempt(delivery))
                self._attempts.add(attempt)
                attempt.add_done_callback(self._attempts.discard)
            with suppress(TimeoutError):  # `wait_for` loses a cancel that comes with the event (Python 3.11)
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            status = await self._send(delivery)
            if status is not None and (200 <= status < 300 or status == 410):  # 410: it never will
                await self._store.finish(delivery)
            elif delivery.attempts >= len(self._retry_after_s):
                logger.warning("webhook %s failed %d times", delivery.message_id, delivery.attempts + 1)
                await self._store.finish(delivery)
            else:
                # Up to a fifth longer, so that receivers that failed together are not called together.
                delay_s = self._retry_after_s[delivery.attempts] * random.uniform(1, 1.2)
                await self._store.retry(delivery, delay_s)
        except ProxyError as error:  # it is claimed again later, and may arrive twice
            logger.warning("webhook %s: its attempt is not recorded: %s", delivery.message_id, error)
        finally:
            self._claimed[delivery.host] -= 1
            self._claimed += Counter()  # forgets hosts without attempts
            self._wake.set()

    async def _send(self, delivery: Delivery) -> int | None:
        try:
            return await self._webhooks.send(delivery.url, delivery.message_id, delivery.body)
        except Exception:
            logger.exception("webhook %s cannot be sent", delivery.message_id)
            return None
