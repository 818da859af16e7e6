"""One batch that is worked on: a few of its captures at a time are in the captures' queue."""

import asyncio
import logging
from dataclasses import replace

from frontend_proxy.batches.record import BatchItem, BatchRecord
from frontend_proxy.batches.request import PackedCaptures
from frontend_proxy.batches.store import BatchStore, Lease
from frontend_proxy.captures.record import Record, was_interrupted
from frontend_proxy.captures.service import CaptureService
from frontend_proxy.errors import (
    InsufficientStorage,
    NotFound,
    Overloaded,
    ProxyError,
    StorageUnavailable,
    internal_error,
)
from frontend_proxy.job_factory import JobFactory, samples

logger = logging.getLogger(__name__)

AHEAD = 8  # captures in the queue, so that every proxy has one to make
POLL_S = 0.25
RETRY_S = 1.0  # before a storage that is away is tried again


class BatchRun:
    def __init__(
        self,
        record: BatchRecord,
        packed: PackedCaptures,
        captures: CaptureService,
        jobs: JobFactory,
        store: BatchStore,
    ) -> None:
        self.record = record
        self._packed, self._captures, self._jobs, self._store = packed, captures, jobs, store

    async def complete(self, lease: Lease) -> None:
        """Until every capture has ended, the batch was cancelled or deleted, or the lease is lost."""
        while True:
            try:
                if not await lease.renew() or await self._advance():
                    return
            except FileNotFoundError:  # it was deleted
                await self._cancel_running()
                return
            except StorageUnavailable as error:
                logger.warning("batch %s waits for its storage: %s", self.record.result_id, error)
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(POLL_S)

    async def _advance(self) -> bool:
        """Returns whether it is done."""
        before = [item.state for item in self.record.items]
        for item in self.record.running_items:
            await self._look_at(item)
        self.record.give_up_late_items()
        if cancelled := await self._store.cancelled(self.record.result_id):
            await self._cancel_running()
            for item in self.record.items:
                item.state = item.state if item.ended else "cancelled"
        else:
            await self._fill()
        if all(item.ended for item in self.record.items):
            self.record.finish(cancelled)
            await self._store.finish(self.record)
            return True
        if before != [item.state for item in self.record.items]:
            await self._store.save(self.record)
        elif await self._store.load(self.record.result_id) is None:
            raise FileNotFoundError(self.record.result_id)
        return False

    async def _fill(self) -> None:
        """Put captures into the queue, as long as it takes some."""
        free = AHEAD - len(self.record.running_items)
        waiting = [(place, item) for place, item in enumerate(self.record.items) if item.state == "waiting"]
        for place, item in waiting[: max(0, free)]:
            try:
                await self._enqueue(place, item)
                item.state = "running"
            except (Overloaded, InsufficientStorage) as error:
                logger.info("batch %s waits: %s", self.record.result_id, error)
                return
            except StorageUnavailable:
                raise
            except ProxyError as error:
                item.fail(error, self.record.request_id)
            except Exception as error:
                item.fail(internal_error(error), self.record.request_id)

    async def _enqueue(self, place: int, item: BatchItem) -> None:
        capture = await asyncio.to_thread(self._packed.capture, place)
        job = replace(await self._jobs.capture(capture), mode="batch", request_id=self.record.request_id)
        begun = Record.begin(job, self.record.base_url, None, 0, self.record.owner)
        record = begun.model_copy(update={"result_id": item.result_id, "expires_at": self.record.expires_at})
        await self._captures.enqueue(record, samples(job, capture.num_samples))

    async def _look_at(self, item: BatchItem) -> None:
        try:
            record = await self._captures.find(item.result_id)
        except NotFound as error:
            item.fail(error, self.record.request_id)
            return
        if record.state == "succeeded":
            item.state = "succeeded"
        elif was_interrupted(record):
            item.state = "waiting"
        elif record.state == "failed":
            item.state, item.failure = "failed", record.failure

    async def _cancel_running(self) -> None:
        for item in self.record.running_items:
            try:
                await self._captures.remove(item.result_id)
            except NotFound:
                continue
