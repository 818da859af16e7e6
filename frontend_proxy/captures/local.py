"""All captures of this process, from their acceptance to their end: each ends in a result or an error."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Protocol

from frontend_proxy.captures.answers import webhook_message
from frontend_proxy.captures.idempotency import IdempotencyKey, IdempotencyKeys
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.results import Ownership, Record, Results
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.errors import Interrupted, NotFound, ProxyError, log_error
from frontend_proxy.jobs import Job, ModelServer
from frontend_proxy.limit import Limit
from frontend_proxy.metrics import Backlog
from frontend_proxy.schemas import CaptureProgress
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
DRAIN_S = 1.0  # for captures that nobody waits for, when the proxy ends


class Runs(Protocol):
    """What `/virtual-tryon` needs: `CaptureRuns` in one process, `QueuedCaptures` in several."""

    webhooks: Webhooks

    async def accept(
        self,
        jobs: list[Job],
        base_url: str,
        detached: bool,
        webhook_url: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> CaptureRun | Record: ...

    async def progress(self, result_id: str) -> CaptureProgress | None: ...

    async def find(self, result_id: str) -> Record: ...

    async def image(self, result_id: str, name: str) -> bytes | None: ...

    async def remove(self, result_id: str) -> None: ...

    async def backlog(self) -> Backlog | None: ...

    def running(self) -> AbstractAsyncContextManager[None]: ...


class CaptureRuns:
    """At most `Settings.max_captures` samples are at the model at once; beyond there is no queue."""

    def __init__(self, settings: Settings, server: ModelServer) -> None:
        self._settings = settings
        self._server = server
        self._limit = Limit(settings.max_captures, "captures")
        self._runs: dict[str, CaptureRun] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self.results = Results(settings.results_dir, Quota(settings.results_dir, settings.max_results_bytes))
        self.keys = IdempotencyKeys(self.results)
        self.webhooks = Webhooks(settings)

    async def accept(
        self,
        jobs: list[Job],
        base_url: str,
        detached: bool,
        webhook_url: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> CaptureRun | Record:
        """Begin a capture of a sample for each job.

        base_url: of the URLs that the client gets.
        key: where it stands for a capture already, that one's record is returned.

        Raises Overloaded, InsufficientStorage, KeyReused.
        """
        if key and (known := await asyncio.to_thread(self.keys.find, key)):
            return known
        record = Record.begin(jobs[0], base_url, webhook_url, self._settings.kept_s)
        create = partial(self.results.create, record)
        with ExitStack() as slots:
            for _ in jobs:
                slots.enter_context(self._limit)
            claim = partial(self.keys.claim, key, record.result_id, create) if key else create
            created = await asyncio.to_thread(claim)
            if isinstance(created, Record):
                return created
            run = CaptureRun(record, jobs, detached, partial(self.results.exists, record.result_id))
            run.task = asyncio.create_task(self._see_through(run, created, slots.pop_all()))
            self._runs[record.result_id] = run
        return run

    async def progress(self, result_id: str) -> CaptureProgress | None:
        """None where the capture does not run, or runs in another process."""
        run = self._runs.get(result_id)
        return run.progress if run else None

    async def find(self, result_id: str) -> Record:
        """Raises NotFound."""
        if run := self._runs.get(result_id):
            return run.record
        record = await asyncio.to_thread(self.results.load, result_id)
        if record is None:
            raise NotFound(f"there is no capture {result_id!r}, or no longer")
        return record

    async def image(self, result_id: str, name: str) -> bytes | None:
        """A sample, like `0.png`; None where there is none, or its time is over."""
        path = await asyncio.to_thread(self.results.image, result_id, name)
        with suppress(FileNotFoundError):
            return await asyncio.to_thread(path.read_bytes) if path else None
        return None

    async def remove(self, result_id: str) -> None:
        """Forget a capture. One that runs is cancelled, in another process at its next step.

        Raises NotFound.
        """
        await self.find(result_id)
        if run := self._runs.get(result_id):
            run.cancel()
            assert run.task is not None
            await asyncio.wait({run.task})
        await asyncio.to_thread(self.results.remove, result_id)

    async def _see_through(self, run: CaptureRun, ownership: Ownership, slots: ExitStack) -> None:
        try:
            with slots:
                await self._make(run)
        except asyncio.CancelledError:
            if run.record.state == "running":
                run.error = Interrupted("the server is about to end; send the capture again")
                await self._end_badly(run)
        finally:
            del self._runs[run.record.result_id]
            if run.record.webhook_pending and not run.unwanted:
                self._begin_delivery(run.record, ownership)
            else:
                ownership.release()

    async def _make(self, run: CaptureRun) -> None:
        await run.complete(self._server, self._settings.capture_timeout_s, self._keep)
        if run.error is not None:
            if run.detached:  # otherwise whoever waits does that
                log_error(run.error)
            await self._end_badly(run)

    async def _keep(self, record: Record, images: list[bytes]) -> None:
        await asyncio.to_thread(self.results.save_images, record, images)
        await asyncio.to_thread(self.results.save, record)

    async def _end_badly(self, run: CaptureRun) -> None:
        """A failure is kept for the client who asks later; whoever waits hears it now."""
        assert run.error is not None
        run.record.fail(run.error)
        if not run.detached or run.unwanted:
            await asyncio.to_thread(self.results.remove, run.record.result_id)
            return
        # Where even that cannot be kept, the record goes on to say "running", which nobody is any more.
        with suppress(ProxyError, FileNotFoundError):
            await asyncio.to_thread(self.results.save, run.record)

    def _begin_delivery(self, record: Record, ownership: Ownership) -> None:
        delivery = asyncio.create_task(self._deliver(record, ownership))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(self, record: Record, ownership: Ownership) -> None:
        """Where the process ends before the receiver has taken it, the next one's sweep tries again."""
        try:
            assert record.webhook_url is not None
            await self.webhooks.deliver(record.webhook_url, record.result_id, webhook_message(record))
            record.webhook_pending = False
            with suppress(ProxyError, FileNotFoundError):
                await asyncio.to_thread(self.results.save, record)
        finally:
            ownership.release()

    async def backlog(self) -> None:
        """None waits: `lucy_in_flight` has them all."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Results are swept inside this context; leaving it ends the captures that still run."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            runs = [run.task for run in self._runs.values() if run.task]
            if runs:
                await asyncio.wait(runs, timeout=DRAIN_S)
            await _end([sweeping, *runs])
            await _end(list(self._deliveries))
            await self.webhooks.close()

    async def _sweep(self) -> None:
        while True:
            try:
                for record, ownership in await asyncio.to_thread(self.results.sweep):
                    self._begin_delivery(record, ownership)
                await asyncio.to_thread(self.keys.sweep)
            except (OSError, ProxyError) as error:
                logger.warning("the results are not swept: %s", error)
            await asyncio.sleep(SWEEP_EVERY_S)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
