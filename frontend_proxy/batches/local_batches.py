"""Batches in the results' folder: they survive the process, whatever of their captures it had begun.

RESULTS_DIR/batches/<id>/record.json      the `BatchRecord`
                         batch.msgpack    its request, until it is done
                         cancel           it is to be cancelled
                         done             it has ended
                         lock             locked by the process that works on it or delivers its webhook
"""

import asyncio
import threading
from contextlib import suppress
from functools import partial

from frontend_proxy.background import Background
from frontend_proxy.batches.record import BatchRecord, webhook_message
from frontend_proxy.batches.store import Lease
from frontend_proxy.captures.deliveries import Deliveries
from frontend_proxy.captures.idempotency import IdempotencyKey, IdempotencyKeys
from frontend_proxy.captures.local_deliveries import LocalDeliveries
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.places import Places
from frontend_proxy.settings import Settings

FOLDER = "batches"  # in RESULTS_DIR
REQUEST = "batch.msgpack"
_DONE = "done"  # an empty file


class _Results(Results):
    """A batch whose process has ended is not interrupted: another one goes on with it."""

    def _reload_if_ended(self, record: Record) -> Record | None:
        return record

    def lock_ended(self, result_id: str) -> tuple[Record, CaptureLock] | None:
        record = self._read(result_id)
        return None if record is None or record.state == "running" else super().lock_ended(result_id)

    def open_records(self) -> list[Record]:
        """Of the batches that have not ended, the oldest first: those of the others are large, and many."""
        waiting = (result_id for result_id in self._ids() if not (self._folder(result_id) / _DONE).exists())
        found = [record for result_id in waiting if (record := self._read(result_id))]
        return sorted(found, key=lambda record: record.created_at)

    def request(self, batch_id: str) -> bytes | None:
        try:
            return (self._folder(batch_id) / REQUEST).read_bytes()
        except FileNotFoundError:
            return None

    def finish(self, batch_id: str) -> None:
        with suppress(FileNotFoundError):  # it was removed
            (self._folder(batch_id) / _DONE).touch()
        (self._folder(batch_id) / REQUEST).unlink(missing_ok=True)

    def mark_cancelled(self, batch_id: str) -> None:
        self._check_exists(batch_id)
        (self._folder(batch_id) / "cancel").touch()

    def is_cancelled(self, batch_id: str) -> bool:
        return (self._folder(batch_id) / "cancel").exists()


class _Lock:
    """A `Lease` for as long as the process lives."""

    def __init__(self, lock: CaptureLock) -> None:
        self._lock = lock

    async def renew(self) -> bool:
        return True

    async def release(self) -> None:
        self._lock.release()


class LocalBatches:
    """A `BatchStore`."""

    def __init__(self, settings: Settings, background: Background) -> None:
        self._limits = settings.max_batches, "batches", settings.max_share_per_caller
        self._creating = threading.Lock()
        quota = Quota(settings.results_dir, settings.max_results_bytes)
        self._results = _Results(settings.results_dir / FOLDER, quota, BatchRecord)
        self._keys = IdempotencyKeys(self._results)
        self._webhooks = Webhooks(settings)
        self._waiting = LocalDeliveries(self._results, webhook_message)
        self.deliveries = Deliveries(self._webhooks, self._waiting, background)

    async def create(
        self, record: BatchRecord, request: bytes, key: IdempotencyKey | None
    ) -> BatchRecord | None:
        return await asyncio.to_thread(self._create, record, request, key)

    def _create(self, record: BatchRecord, request: bytes, key: IdempotencyKey | None) -> BatchRecord | None:
        if key and (known := self._keys.find(key)):
            return _batch(known)
        create = partial(self._results.create, record)
        with self._creating:  # two that come together must not take the same place
            Places(*self._limits, self._unfinished().values()).check(record.holder)
            created = self._keys.claim(key, record.result_id, create) if key else create()
        if isinstance(created, Record):
            return _batch(created)
        with created:
            try:
                self._results.save_file(record, REQUEST, request)
            except BaseException:
                self._results.remove(record.result_id)
                raise
        return None

    async def load(self, batch_id: str) -> BatchRecord | None:
        record = await asyncio.to_thread(self._results.load, batch_id)
        return None if record is None else _batch(record)

    async def request(self, batch_id: str) -> bytes | None:
        return await asyncio.to_thread(self._results.request, batch_id)

    async def save(self, record: BatchRecord) -> None:
        await asyncio.to_thread(self._results.save, record)

    async def finish(self, record: BatchRecord) -> None:
        await self.save(record)
        await asyncio.to_thread(self._results.finish, record.result_id)
        self._deliver(record)

    async def remove(self, record: BatchRecord) -> None:
        await asyncio.to_thread(self._results.remove, record.result_id)

    async def cancel(self, batch_id: str) -> None:
        await asyncio.to_thread(self._results.mark_cancelled, batch_id)

    async def cancelled(self, batch_id: str) -> bool:
        return await asyncio.to_thread(self._results.is_cancelled, batch_id)

    async def unfinished(self) -> dict[str, str | None]:
        return await asyncio.to_thread(self._unfinished)

    def _unfinished(self) -> dict[str, str | None]:
        return {
            record.result_id: _batch(record).holder
            for record in self._results.open_records()
            if record.state == "running" and not record.expired
        }

    async def claim(self, batch_id: str) -> Lease | None:
        # In no thread, since whoever is cancelled meanwhile would never know of the lock; it is quick.
        lock = self._results.lock(batch_id)
        return _Lock(lock) if lock else None

    async def sweep(self) -> None:
        for record in await asyncio.to_thread(self._results.sweep):
            self._deliver(record)
        await asyncio.to_thread(self._keys.sweep)

    def _deliver(self, record: Record) -> None:
        if record.webhook_pending and self._webhooks.enabled:
            self._waiting.add(record)
            self.deliveries.wake()

    async def close(self) -> None:
        self._waiting.release_all()


def _batch(record: Record) -> BatchRecord:
    assert isinstance(record, BatchRecord)
    return record
