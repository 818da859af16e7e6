"""The batches, from acceptance to end: each of their captures ends in a result or an error."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from frontend_proxy.background import Background
from frontend_proxy.batches.record import BatchLine, BatchRecord, line
from frontend_proxy.batches.request import PackedCaptures
from frontend_proxy.batches.run import BatchRun
from frontend_proxy.batches.store import BatchStore, Lease
from frontend_proxy.captures.idempotency import IdempotencyKey
from frontend_proxy.captures.record import interrupted
from frontend_proxy.captures.service import CaptureService, end_tasks
from frontend_proxy.errors import NotFound, ProxyError
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.request_id import set_request_id

logger = logging.getLogger(__name__)

# Batches that one process works on: each has all its pictures in memory. One of each caller, so that the next
# caller's does not wait for hours; a single one keeps the model as busy.
AT_ONCE = 2
POLL_S = 1.0
SWEEP_EVERY_S = 60.0


class BatchService:
    def __init__(
        self, store: BatchStore, captures: CaptureService, jobs: JobFactory, background: Background
    ) -> None:
        self._store, self._captures, self._jobs = store, captures, jobs
        self._background = background
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._served: list[str | None] = []  # callers whose batches were begun here, in this order
        self._wake = asyncio.Event()

    async def check_webhook(self, url: str) -> None:
        """Raises InvalidInput if nothing can be delivered there, Overloaded if too many deliveries wait."""
        await self._store.deliveries.check(url)

    async def accept(self, record: BatchRecord, request: bytes, key: IdempotencyKey | None) -> BatchRecord:
        """The new batch, or the one that the key belongs to. Raises as `BatchStore.create` does."""
        known = await self._store.create(record, request, key)
        self._wake.set()
        return known or record

    async def find(self, batch_id: str) -> tuple[BatchRecord, bool]:
        """The batch, and whether it is to be cancelled. Raises NotFound."""
        record = await self._store.load(batch_id)
        if record is None:
            raise NotFound(f"there is no batch {batch_id!r}, or it has expired")
        return record, record.state == "running" and await self._store.cancelled(batch_id)

    async def cancel(self, record: BatchRecord) -> None:
        """What has ended stays. Has no effect on a batch that is done."""
        if record.state == "running":
            with suppress(FileNotFoundError):
                await self._store.cancel(record.result_id)
            self._wake.set()

    async def remove(self, record: BatchRecord) -> None:
        """Delete it with its results; cancel it if it is worked on."""
        await self._store.remove(record)
        for item in record.items:
            if item.state != "cancelled":
                with suppress(NotFound):
                    await self._captures.remove(item.result_id)

    async def lines(self, record: BatchRecord) -> AsyncIterator[BatchLine]:
        """The results of the captures that have ended, in the order of the request."""
        for index, item in enumerate(record.items):
            if not item.ended:
                continue
            capture = None
            if item.state == "succeeded":
                try:
                    capture = await self._captures.find(item.result_id)
                except NotFound as error:  # somebody has deleted it
                    item.fail(error, record.request_id)
            yield line(index, item, capture)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works on batches; on exit, what is not done goes to another process, or to the next one."""
        loops = {
            self._background.loop("batches", self._work),
            self._background.loop("batches sweep", self._sweep),
        }
        try:
            yield
        finally:
            await end_tasks(lambda: loops | set(self._runs.values()))
            await end_tasks(lambda: self._store.deliveries.tasks)
            await self._store.close()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._begin(await self._store.unfinished())
                self._background.report("batches", None)
            except (ProxyError, OSError) as error:
                logger.warning("no batches are taken: %s", error)
                self._background.report("batches", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def _begin(self, waiting: dict[str, str | None]) -> None:
        """Work on those whose callers have none here and were served longest ago, as far as there is room."""
        busy = {waiting.get(batch_id) for batch_id in self._runs} - {None}
        turns = {holder: turn for turn, holder in enumerate(self._served)}
        for batch_id, holder in sorted(waiting.items(), key=lambda item: turns.get(item[1], -1)):
            if len(self._runs) >= AT_ONCE:
                return
            if batch_id in self._runs or holder in busy:
                continue
            if lease := await self._store.claim(batch_id):
                self._runs[batch_id] = self._background.task("batch", self._run(batch_id, lease))
                busy |= {holder} - {None}
                still = set(waiting.values()) - {holder}
                self._served = [*(it for it in self._served if it in still), holder]

    async def _run(self, batch_id: str, lease: Lease) -> None:
        try:
            record = await self._store.load(batch_id)
            if record is None or record.state != "running":
                return
            set_request_id(record.request_id)
            request = await self._store.request(batch_id)
            if request is None:
                await self._lose(record)
                return
            packed = await asyncio.to_thread(PackedCaptures, request)
            await BatchRun(record, packed, self._captures, self._jobs, self._store).complete(lease)
            self._wake.set()
        finally:
            del self._runs[batch_id]
            with suppress(ProxyError):
                await lease.release()

    async def _lose(self, record: BatchRecord) -> None:
        """Its request was not stored whole before the process stopped, or somebody deleted it."""
        for item in record.items:
            if not item.ended:
                item.fail(interrupted(), record.request_id)
        record.finish(cancelled=False)
        with suppress(FileNotFoundError):
            await self._store.finish(record)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._store.sweep()
            except (ProxyError, OSError) as error:
                logger.warning("the batches are not swept: %s", error)
            await asyncio.sleep(SWEEP_EVERY_S)
