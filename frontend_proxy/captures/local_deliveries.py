"""Webhook deliveries in the results' folder: each is part of its capture's record.

Memory holds only when each is due. Several proxies may share the folder, and each knows all deliveries that
wait: whoever holds the capture's lock attempts one, and records when it is due again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from frontend_proxy.captures.answers import webhook_message
from frontend_proxy.captures.deliveries import Delivery
from frontend_proxy.captures.public_addresses import host_of
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.captures.webhooks import encode_message
from frontend_proxy.errors import ProxyError, StorageUnavailable

logger = logging.getLogger(__name__)

LOCKED_S = 15.0  # another proxy attempts it, for at most 10 s


class LocalDeliveries:
    """A `DeliveryStore`."""

    def __init__(
        self, results: Results, message: Callable[[Record], dict[str, Any]] = webhook_message
    ) -> None:
        """message: the webhook's JSON."""
        self._results, self._message = results, message
        self._due: dict[str, tuple[float, str]] = {}  # by id: a time of `time.time`, and the host
        self._locked: dict[str, tuple[Record, CaptureLock]] = {}  # those that are attempted

    def add(self, record: Record) -> None:
        """Deliver the end of a capture when it is due. Has no effect on one that is known."""
        if record.webhook_url is None or record.result_id in self._locked:
            return
        due = record.webhook_due.timestamp() if record.webhook_due else time.time()
        self._due.setdefault(record.result_id, (due, host_of(record.webhook_url)))

    async def claim(self, limit: int, per_host: int, claimed: Mapping[str, int]) -> list[Delivery]:
        counts = dict(claimed)
        found: list[Delivery] = []
        now = time.time()
        due = sorted((when, name, host) for name, (when, host) in self._due.items() if when <= now)
        for _, result_id, host in due:
            if len(found) >= limit:
                break
            if counts.get(host, 0) < per_host and (delivery := await self._open_or_drop(result_id, host)):
                counts[host] = counts.get(host, 0) + 1
                found.append(delivery)
        return found

    async def _open_or_drop(self, result_id: str, host: str) -> Delivery | None:
        """Whatever is wrong with one delivery drops that one alone, until the next sweep."""
        try:
            return await self._open(result_id, host)
        except Exception:
            logger.exception("the webhook of capture %s is not delivered", result_id)
            self._due.pop(result_id, None)
            return None

    async def _open(self, result_id: str, host: str) -> Delivery | None:
        """Lock the capture and read its delivery; None if there is none, or not yet."""
        try:
            ended = await asyncio.to_thread(self._results.lock_ended, result_id)
        except (OSError, ProxyError):
            self._due[result_id] = (time.time() + LOCKED_S, host)
            return None
        if ended is None:
            if await asyncio.to_thread(self._results.exists, result_id):
                self._due[result_id] = (time.time() + LOCKED_S, host)
            else:
                self._due.pop(result_id, None)
            return None
        record, lock = ended
        self._due.pop(result_id, None)
        if not record.webhook_pending or record.webhook_url is None:
            lock.release()
            return None
        if record.webhook_due and record.webhook_due > datetime.now(UTC):
            lock.release()
            self.add(record)
            return None
        try:
            body = encode_message(self._message(record))
        except BaseException:
            lock.release()
            raise
        self._locked[result_id] = (record, lock)
        return Delivery(result_id, record.webhook_url, body, record.webhook_attempts)

    async def retry(self, delivery: Delivery, delay_s: float) -> None:
        record, lock = self._locked.pop(delivery.message_id)
        record.webhook_attempts = delivery.attempts + 1
        record.webhook_due = datetime.now(UTC) + timedelta(seconds=delay_s)
        try:
            await self._save(record)
        finally:
            lock.release()
            self.add(record)

    async def finish(self, delivery: Delivery) -> None:
        record, lock = self._locked.pop(delivery.message_id)
        record.webhook_pending = False
        try:
            await self._save(record)
        finally:
            lock.release()

    async def waiting(self, host: str) -> tuple[int, int]:
        hosts = [known for _, known in self._due.values()]
        return len(hosts) + len(self._locked), hosts.count(host)

    def release_all(self) -> None:
        """At the end: another proxy, or the next process, delivers what is left."""
        for _, lock in self._locked.values():
            lock.release()
        self._locked.clear()

    async def _save(self, record: Record) -> None:
        try:
            await asyncio.to_thread(self._results.save, record)
        except FileNotFoundError:  # the capture was deleted
            return
        except OSError as error:
            raise StorageUnavailable(str(error)) from error
