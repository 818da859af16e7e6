"""Makes the captures of a Redis queue.

A capture is acknowledged when its end is stored and its webhook is in the delivery queue.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from frontend_proxy.background import Background
from frontend_proxy.captures import redis_queue
from frontend_proxy.captures.answers import webhook_message
from frontend_proxy.captures.deliveries import Delivery
from frontend_proxy.captures.image_store import ImageStore
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.redis_deliveries import RedisDeliveries
from frontend_proxy.captures.redis_queue import CaptureQueue, Taken
from frontend_proxy.captures.redis_records import CaptureRecords
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.captures.webhooks import encode_message
from frontend_proxy.errors import InferenceFailed, ProxyError, StorageUnavailable, log_error
from frontend_proxy.jobs import ModelServer
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_S = 1.0  # before a storage that is away is tried again


@dataclass(frozen=True)
class Store:
    """Where captures, their images and their webhooks are. `quota` is None for a bucket."""

    queue: CaptureQueue
    records: CaptureRecords
    images: ImageStore
    quota: Quota | None
    deliveries: RedisDeliveries


class CaptureWorker:
    """
    name: of the loop. at_once: captures that it makes at once.
    on_webhook: called when a webhook was added to the delivery queue.
    """

    def __init__(
        self,
        settings: Settings,
        server: ModelServer,
        background: Background,
        store: Store,
        on_webhook: Callable[[], None],
        name: str,
        at_once: int,
    ) -> None:
        self._name = name
        self._settings = settings
        self._server = server
        self._background = background
        self._store = store
        self._on_webhook = on_webhook
        self._slots = asyncio.Semaphore(at_once)
        self._loops: set[asyncio.Task[None]] = set()
        self._captures: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._loops.add(self._background.loop(self._name, self._take_captures))

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is to be cancelled at the end; captures then go to another proxy."""
        return self._loops | self._captures

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, which is repeated while its storage is away, for as long as a capture may
        take."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.capture_timeout_s
        while True:
            try:
                return await call()
            except StorageUnavailable:
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(RETRY_S)

    async def _take_captures(self) -> None:
        while True:
            await self._slots.acquire()
            taken = None
            try:
                taken = await self._store.queue.take()
                self._background.report(self._name, None)
            except StorageUnavailable as error:
                logger.warning("no captures are taken: %s", error)
                self._background.report(self._name, error)
                await asyncio.sleep(RETRY_S)
            finally:
                if taken is None:
                    self._slots.release()
            if taken is not None:
                capture = self._background.task("capture", self._supervise(taken))
                self._captures.add(capture)
                capture.add_done_callback(self._captures.discard)

    async def _supervise(self, taken: Taken) -> None:
        """Make the capture, store its end and acknowledge it; or leave it to another proxy."""
        work = asyncio.create_task(self._process(taken))
        try:
            await asyncio.wait({work})
            work.result()
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            with suppress(ProxyError):
                await self._store.queue.release(taken)
        except Exception:
            logger.exception("capture %s is left to another proxy", taken.record.result_id)

    async def _process(self, taken: Taken) -> None:
        try:
            record = taken.record
            if record.state == "running":
                record = await self._make(taken)
            if record.webhook_pending and record.state != "running":
                await self._queue_webhook(record)
            await self.persist(lambda: self._store.queue.acknowledge(taken))
        finally:
            self._slots.release()

    async def _make(self, taken: Taken) -> Record:
        """The record after its end; unchanged if the capture was removed."""
        run = CaptureRun(taken.record, detached=True, is_wanted=lambda: True)
        run.task = asyncio.create_task(self._complete(taken, run))
        try:
            await self._renew_lease(taken, run)
        finally:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)
        if not run.cancelled:
            run.task.result()  # raises what nobody has foreseen
        if run.error is not None and not run.cancelled:
            log_error(run.error)
            failed = run.record.model_copy()
            failed.fail(run.error)
            with suppress(FileNotFoundError):
                await self.persist(lambda: self._store.records.save(failed))
                return failed
        return run.record

    async def _complete(self, taken: Taken, run: CaptureRun) -> None:
        """Raises StorageUnavailable if its refusal cannot be dead-lettered."""
        try:
            jobs = await self.persist(lambda: self._store.queue.jobs(taken))
        except StorageUnavailable as error:
            run.error = error
        except InferenceFailed as error:
            refusal = run.error = error
            await self.persist(lambda: self._store.queue.dead_letter(taken, refusal))
        else:
            await run.complete(jobs, self._server, self._settings.capture_timeout_s, self._store_result)

    async def _renew_lease(self, taken: Taken, run: CaptureRun) -> None:
        async for progress in run.follow(redis_queue.LEASE_S / 4):
            try:
                if not await self._store.queue.renew(taken, progress):
                    run.cancel()
            except StorageUnavailable as error:
                logger.warning("the lease of capture %s is not renewed: %s", taken.record.result_id, error)

    async def _store_result(self, record: Record, images: list[bytes]) -> None:
        await self.persist(lambda: self._store.images.save(record, images))
        if self._store.quota:
            self._store.quota.add(sum(map(len, images)))
        try:
            await self.persist(lambda: self._store.records.save(record))
        except FileNotFoundError:
            await self._store.images.remove(record)
            raise

    async def _queue_webhook(self, record: Record) -> None:
        assert record.webhook_url is not None
        message = encode_message(webhook_message(record))
        delivery = Delivery(record.result_id, record.webhook_url, message)
        await self.persist(lambda: self._store.deliveries.add(delivery))
        self._on_webhook()
