"""Captures that any of several proxies makes, and any of them tells of: `CaptureRuns` with a queue in Redis.

Once accepted, a capture outlives the proxy that has accepted it and the one that makes it. It is acknowledged
when its end is kept and its webhook delivered; so each ends in a result or an error.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TypeVar

from frontend_proxy.captures.answers import webhook_message
from frontend_proxy.captures.idempotency import IdempotencyKey
from frontend_proxy.captures.image_store import Pictures
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.redis_queue import LEASE_S, MAX_DELIVERIES, CaptureQueue, Taken
from frontend_proxy.captures.results import Record
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.errors import (
    DeadlineExceeded,
    InferenceFailed,
    Interrupted,
    NotFound,
    ProxyError,
    StorageUnavailable,
    log_error,
)
from frontend_proxy.jobs import Job, ModelServer
from frontend_proxy.metrics import Backlog
from frontend_proxy.schemas import CaptureProgress
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_S = 1.0  # before a store that is away is tried again
SWEEP_EVERY_S = 600.0


class QueuedCaptures:
    """This proxy makes at most `Settings.max_captures` at once; at most `Settings.max_queued_captures` wait,
    or are made, in all."""

    def __init__(self, settings: Settings, server: ModelServer) -> None:
        assert settings.redis_url is not None
        self._settings = settings
        self._server = server
        self._queue = CaptureQueue(settings.redis_url.get_secret_value(), settings.max_queued_captures)
        self._pictures = Pictures(settings.results_url, settings.results_dir)
        # A bucket's is its owner's affair.
        self._quota = (
            None if settings.results_url else Quota(settings.results_dir, settings.max_results_bytes)
        )
        self._makers: set[asyncio.Task[None]] = set()
        self._waits: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(settings.max_captures)
        self.webhooks = Webhooks(settings)

    async def accept(
        self,
        jobs: list[Job],
        base_url: str,
        detached: bool,
        webhook_url: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> CaptureRun | Record:
        """See `CaptureRuns.accept`. Raises StorageUnavailable too."""
        if self._quota:
            await asyncio.to_thread(self._quota.check)
        record = Record.begin(jobs[0], base_url, webhook_url, self._settings.kept_s)
        known = await self._queue.put(record, jobs, key)
        if known is not None or detached:
            return known or record
        run = CaptureRun(record, jobs, detached, lambda: True)
        run.task = asyncio.create_task(self._wait(run))
        self._waits.add(run.task)
        run.task.add_done_callback(self._waits.discard)
        return run

    async def progress(self, result_id: str) -> CaptureProgress | None:
        return await self._queue.progress(result_id)

    async def find(self, result_id: str) -> Record:
        """Raises NotFound."""
        record = await self._queue.load(result_id)
        if record is None:
            raise NotFound(f"there is no capture {result_id!r}, or no longer")
        return record

    async def image(self, result_id: str, name: str) -> bytes | None:
        record = await self._queue.load(result_id)
        if record is None or record.state != "succeeded":
            return None
        return await self._pictures.read(result_id, name)

    async def remove(self, result_id: str) -> None:
        """Forget a capture; whoever makes it stops within some seconds. Raises NotFound."""
        record = await self.find(result_id)
        await self._queue.remove(result_id)
        await self._pictures.remove(record)

    async def backlog(self) -> Backlog | None:
        with suppress(StorageUnavailable):
            return await self._queue.backlog()
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Captures are made inside this context; who has not ended when it is left goes to another proxy."""
        loops = [asyncio.create_task(self._take()), asyncio.create_task(self._sweep())]
        try:
            yield
        finally:
            await _end({*loops, *self._waits, *self._makers})
            await self.webhooks.close()
            await self._queue.close()

    # For whoever waits

    async def _wait(self, run: CaptureRun) -> None:
        """Until it has ended, wherever it is made."""
        result_id = run.record.result_id
        try:
            async with asyncio.timeout(self._settings.capture_timeout_s):
                run.record = await self._ended(run)
            if run.record.failure is None:
                name = f"0.{run.record.output_format}"
                run.image = await self._persist(lambda: self._read(result_id, name))
            else:
                run.error = ProxyError.of(run.record.failure)
        except TimeoutError:
            run.error = DeadlineExceeded("the capture took longer than it may; send it again")
            await self._forget(run.record)
        except asyncio.CancelledError:
            if run.unwanted:
                await self._forget(run.record)
            run.error = Interrupted("the server is about to end; send the capture again")
        except ProxyError as error:
            run.error = error
        if run.error is not None and run.record.state == "running":
            run.record.fail(run.error)

    async def _read(self, result_id: str, name: str) -> bytes:
        image = await self._pictures.read(result_id, name)
        if image is None:
            raise NotFound("the capture's picture was removed")
        return image

    async def _ended(self, run: CaptureRun) -> Record:
        """Raises NotFound where somebody has removed it, CancelledError where nobody wants it any more: a
        cancel that comes while redis-py connects is lost."""
        while True:
            with suppress(StorageUnavailable):  # it may be back before the client's time is over
                async with aclosing(self._queue.news(run.record.result_id)) as news:
                    async for progress in news:
                        if run.unwanted:
                            raise asyncio.CancelledError
                        if progress is not None:
                            run.show(progress)
                        elif (record := await self.find(run.record.result_id)).state != "running":
                            return record
            await asyncio.sleep(RETRY_S)

    async def _forget(self, record: Record) -> None:
        with suppress(ProxyError):
            await self.remove(record.result_id)

    # For whoever makes them

    async def _take(self) -> None:
        while True:
            await self._places.acquire()
            taken = None
            try:
                taken = await self._queue.take()
            except StorageUnavailable as error:
                logger.warning("no captures are taken: %s", error)
                await asyncio.sleep(RETRY_S)
            finally:
                if taken is None:
                    self._places.release()
            if taken is not None:
                maker = asyncio.create_task(self._see_through(taken))
                self._makers.add(maker)
                maker.add_done_callback(self._makers.discard)

    async def _see_through(self, taken: Taken) -> None:
        """Make it, tell its end, acknowledge it; or leave it to another proxy."""
        work = asyncio.create_task(self._work(taken))
        try:
            await asyncio.wait({work})
            work.result()
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            with suppress(ProxyError):
                await self._queue.release(taken)
        except Exception:
            logger.exception("capture %s is left to another proxy", taken.record.result_id)

    async def _work(self, taken: Taken) -> None:
        record = taken.record
        try:
            if record.state == "running":
                record = await self._make(taken)
        finally:
            self._places.release()
        if record.webhook_pending and record.state != "running":
            await self._deliver(taken, record)
        await self._persist(lambda: self._queue.end(taken))

    async def _make(self, taken: Taken) -> Record:
        """Its record as it ended; as it was, where nobody wants it any more."""
        run = CaptureRun(taken.record, taken.jobs, detached=True, wanted=lambda: True)
        if taken.deliveries > MAX_DELIVERIES:
            await self._persist(lambda: self._queue.bury(taken))
            run.error = InferenceFailed(f"{MAX_DELIVERIES} servers ended while they made this capture")
        else:
            run.task = asyncio.create_task(
                run.complete(self._server, self._settings.capture_timeout_s, self._keep)
            )
            try:
                await self._renew_while(taken, run)
            finally:
                run.task.cancel()
                await asyncio.gather(run.task, return_exceptions=True)
        if run.error is not None and not run.unwanted:
            log_error(run.error)
            run.record.fail(run.error)
            with suppress(FileNotFoundError):
                await self._persist(lambda: self._queue.save(run.record))
        return run.record

    async def _renew_while(self, taken: Taken, run: CaptureRun) -> None:
        async for progress in run.follow(LEASE_S / 4):
            try:
                if not await self._queue.renew(taken, progress):
                    run.cancel()
            except StorageUnavailable as error:
                logger.warning("capture %s goes on: %s", taken.record.result_id, error)

    async def _keep(self, record: Record, images: list[bytes]) -> None:
        await self._persist(lambda: self._pictures.save(record, images))
        if self._quota:
            self._quota.add(sum(map(len, images)))
        try:
            await self._persist(lambda: self._queue.save(record))
        except FileNotFoundError:
            await self._pictures.remove(record)
            raise

    async def _deliver(self, taken: Taken, record: Record) -> None:
        assert record.webhook_url is not None
        delivery = asyncio.create_task(
            self.webhooks.deliver(record.webhook_url, record.result_id, webhook_message(record))
        )
        try:
            while not delivery.done():
                with suppress(StorageUnavailable):
                    await self._queue.renew(taken)
                await asyncio.wait({delivery}, timeout=LEASE_S / 4)
        finally:
            delivery.cancel()
        record.webhook_pending = False
        with suppress(FileNotFoundError):
            await self._persist(lambda: self._queue.save(record))

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """`call`, again and again while its store is away, for as long as a capture may take."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.capture_timeout_s
        while True:
            try:
                return await call()
            except StorageUnavailable:
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(RETRY_S)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._pictures.sweep(self._settings.kept_s)
            except StorageUnavailable as error:
                logger.warning("the results are not swept: %s", error)
            await asyncio.sleep(SWEEP_EVERY_S)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancelled once more where it did not help: redis-py swallows a cancel that comes while it connects."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1)
