"""Captures that several proxies share through Redis: any of them accepts, makes and reports a capture.

An accepted capture survives the proxies that accepted it and made it: each ends in a result or an error.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.background import Background
from frontend_proxy.captures import redis_client
from frontend_proxy.captures.deliveries import Deliveries
from frontend_proxy.captures.idempotency import IdempotencyKey
from frontend_proxy.captures.image_store import ImageStore
from frontend_proxy.captures.payloads import Payloads
from frontend_proxy.captures.quota import shared_quota
from frontend_proxy.captures.record import Record, interrupted, no_such_capture
from frontend_proxy.captures.redis_deliveries import RedisDeliveries
from frontend_proxy.captures.redis_places import RedisPlaces
from frontend_proxy.captures.redis_queue import BATCH_QUEUE, CaptureQueue
from frontend_proxy.captures.redis_records import CaptureRecords
from frontend_proxy.captures.redis_scripts import QUEUE_ROOM
from frontend_proxy.captures.redis_worker import RETRY_S, CaptureWorker, Store
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.captures.service import end_tasks
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.errors import (
    DeadlineExceeded,
    NotFound,
    ProxyError,
    StorageUnavailable,
    internal_error,
)
from frontend_proxy.jobs import Job, ModelServer
from frontend_proxy.metrics import Backlog
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 600.0
USED_MEMORY = 0.9  # part of Redis' memory


class RedisCaptures:
    """A `CaptureService`. At most `Settings.max_queued_captures` are queued or being made by all proxies, and
    this one makes at most `Settings.max_captures` at once.

    Captures of batches have a queue and slots of their own, so that they keep nobody waiting.
    """

    def __init__(self, settings: Settings, server: ModelServer, background: Background) -> None:
        assert settings.redis_url is not None
        self._settings = settings
        self._background = background
        self._redis = redis_client.connect(settings.redis_url.get_secret_value())
        self._records = CaptureRecords(self._redis)
        self._images = ImageStore(settings.results_url, settings.results_dir)
        quota = shared_quota(settings)
        self._payloads = Payloads(self._redis, self._images, quota)
        most, share = settings.max_queued_captures, settings.max_share_per_caller
        places = RedisPlaces(self._redis, QUEUE_ROOM, most, "captures", share, USED_MEMORY)
        self._queue = CaptureQueue(self._redis, self._records, self._payloads, places)
        self._waiting_webhooks = RedisDeliveries(self._redis)
        self.deliveries = Deliveries(Webhooks(settings), self._waiting_webhooks, background)
        store = Store(self._queue, self._records, self._images, quota, self._waiting_webhooks)
        wake = self.deliveries.wake
        self._worker = CaptureWorker(
            settings, server, background, store, wake, "capture queue", settings.max_captures
        )
        self._patient_queue = CaptureQueue(self._redis, self._records, self._payloads, places, BATCH_QUEUE)
        self._patient_worker = CaptureWorker(
            settings,
            server,
            background,
            replace(store, queue=self._patient_queue),
            wake,
            "batch queue",
            settings.max_batch_captures_at_once,
        )
        self._sweeper: set[asyncio.Task[None]] = set()
        self._waits: set[asyncio.Task[None]] = set()

    async def check_room(self) -> None:
        await self._queue.check_room()

    async def accept(
        self,
        jobs: list[Job],
        base_url: str,
        detached: bool,
        webhook_url: str | None = None,
        key: IdempotencyKey | None = None,
        owner: str | None = None,
    ) -> CaptureRun | Record:
        if key and (known := await self._queue.find(key)):  # repeated, it needs no room
            return known
        record = Record.begin(jobs[0], base_url, webhook_url, self._settings.kept_s, owner)
        known = await self._queue.put(record, jobs, key)
        if known is not None or detached:
            return known or record
        run = CaptureRun(record, detached, lambda: True)
        run.task = self._background.task("wait for a capture", self._wait(run))
        self._waits.add(run.task)
        run.task.add_done_callback(self._waits.discard)
        return run

    async def enqueue(self, record: Record, jobs: list[Job]) -> None:
        if await self._records.load(record.result_id) is None:
            await self._patient_queue.put(record, jobs, None)

    async def progress(self, result_id: str) -> CaptureProgress | None:
        return await self._records.progress(result_id)

    async def find(self, result_id: str) -> Record:
        record = await self._records.load(result_id)
        if record is None:
            raise no_such_capture(result_id)
        return record

    async def image(self, result_id: str, name: str) -> bytes | None:
        record = await self._records.load(result_id)
        if record is None or record.state != "succeeded":
            return None
        return await self._images.read(result_id, name)

    async def remove(self, result_id: str) -> None:
        """Delete a capture; a proxy that makes it stops within some seconds. Raises NotFound."""
        record = await self.find(result_id)
        await self._records.remove(result_id)
        await self._payloads.delete(result_id)
        if record.webhook_url is not None:
            await self._waiting_webhooks.remove(result_id, record.webhook_url)
        await self._images.remove(record)

    async def backlog(self) -> Backlog | None:
        with suppress(StorageUnavailable):
            return await self._queue.backlog()
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Makes captures and delivers webhooks; on exit, unfinished captures go to another proxy."""
        self._worker.start()
        self._patient_worker.start()
        self._sweeper = {self._background.loop("results sweep", self._sweep)}
        self.deliveries.wake()
        try:
            yield
        finally:
            await end_tasks(
                lambda: self._worker.tasks | self._patient_worker.tasks | self._waits | self._sweeper
            )
            await end_tasks(lambda: self.deliveries.tasks)
            await self._redis.aclose()

    async def _sweep(self) -> None:
        while True:
            try:
                await self._images.sweep(self._settings.kept_s, self._records.known)
            except StorageUnavailable as error:
                logger.warning("the results are not swept: %s", error)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _wait(self, run: CaptureRun) -> None:
        """Wait for the end of the capture, whichever proxy makes it."""
        try:
            async with asyncio.timeout(self._settings.capture_timeout_s):
                run.record = await self._ended(run)
            if run.record.failure is None:
                run.image = await self._first_image(run.record)
            else:
                run.error = ProxyError.of(run.record.failure)
        except TimeoutError:
            run.error = DeadlineExceeded("the capture took longer than allowed; send it again")
            await self._forget(run.record)
        except asyncio.CancelledError:
            if run.cancelled:
                await self._forget(run.record)
            run.error = interrupted()
        except ProxyError as error:
            run.error = error
        except Exception as error:
            run.error = internal_error(error)
        if run.error is not None and run.record.state == "running":
            run.record.fail(run.error)

    async def _first_image(self, record: Record) -> bytes:
        name = record.first_image
        if name is None:
            return b""
        image = await self._worker.persist(lambda: self._images.read(record.result_id, name))
        if image is None:
            raise NotFound("the capture's image was removed")
        return image

    async def _ended(self, run: CaptureRun) -> Record:
        """The record of the ended capture. Raises NotFound if it was removed, CancelledError if the client
        has disconnected: redis-py loses a cancel that comes while it connects."""
        while True:
            with suppress(StorageUnavailable):  # Redis may be back before the client's timeout
                async with aclosing(self._records.news(run.record.result_id)) as news:
                    async for progress in news:
                        if run.cancelled:
                            raise asyncio.CancelledError
                        if progress is not None:
                            run.report(progress)
                        elif (record := await self.find(run.record.result_id)).state != "running":
                            return record
            await asyncio.sleep(RETRY_S)

    async def _forget(self, record: Record) -> None:
        with suppress(ProxyError):
            await self.remove(record.result_id)
