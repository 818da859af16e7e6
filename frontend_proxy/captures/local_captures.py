"""The captures of one process, from acceptance to end: each ends in a result or an error."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.background import Background
from frontend_proxy.captures.deliveries import Deliveries
from frontend_proxy.captures.idempotency import IdempotencyKey, IdempotencyKeys
from frontend_proxy.captures.local_deliveries import LocalDeliveries
from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.record import Record, interrupted, no_such_capture, was_interrupted
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.captures.service import end_tasks
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.errors import ProxyError, log_error
from frontend_proxy.holder import current_holder
from frontend_proxy.jobs import Job, ModelServer
from frontend_proxy.places import Places
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
DRAIN_S = 1.0  # detached captures may end within this time when the proxy stops


class LocalCaptures:
    """A `CaptureService`. At most `Settings.max_captures` samples are made at once; beyond that there is no
    queue."""

    def __init__(self, settings: Settings, server: ModelServer, background: Background) -> None:
        self._settings = settings
        self._server = server
        self._background = background
        self._places = Places(settings.max_captures, "captures", settings.max_share_per_caller)
        self._patient = asyncio.Semaphore(settings.max_batch_captures_at_once)
        self._runs: dict[str, CaptureRun] = {}
        self._enqueuing: set[asyncio.Task[None]] = set()
        self._results = Results(settings.results_dir, Quota(settings.results_dir, settings.max_results_bytes))
        self._keys = IdempotencyKeys(self._results)
        self._webhooks = Webhooks(settings)
        self._waiting = LocalDeliveries(self._results)
        self.deliveries = Deliveries(self._webhooks, self._waiting, background)

    async def check_room(self) -> None:
        self._places.check(current_holder())

    async def accept(
        self,
        jobs: list[Job],
        base_url: str,
        detached: bool,
        webhook_url: str | None = None,
        key: IdempotencyKey | None = None,
        owner: str | None = None,
    ) -> CaptureRun | Record:
        if key and (known := await asyncio.to_thread(self._keys.find, key)):
            return known
        record = Record.begin(jobs[0], base_url, webhook_url, self._settings.kept_s, owner)
        create = partial(self._results.create, record)
        async with AsyncExitStack() as slots:
            slots.enter_context(self._places.held(current_holder(), len(jobs)))
            claim = partial(self._keys.claim, key, record.result_id, create) if key else create
            created = await asyncio.to_thread(claim)
            if isinstance(created, Record):
                return created
            return self._begin(record, jobs, detached, created, slots.pop_all())

    async def enqueue(self, record: Record, jobs: list[Job]) -> None:
        if record.result_id not in self._runs:
            # Whoever is cancelled here must not lose the lock, which a thread takes meanwhile.
            task = asyncio.create_task(self._enqueue(record, jobs))
            self._enqueuing.add(task)
            task.add_done_callback(self._enqueuing.discard)
            await asyncio.shield(task)

    async def _enqueue(self, record: Record, jobs: list[Job]) -> None:
        known = await asyncio.to_thread(self._results.load, record.result_id)
        if known and not was_interrupted(known):
            return
        if known:
            await asyncio.to_thread(self._results.remove, record.result_id)
        lock = await asyncio.to_thread(self._results.create, record)
        self._begin(record, jobs, True, lock, self._patient)

    def _begin(
        self,
        record: Record,
        jobs: list[Job],
        detached: bool,
        lock: CaptureLock,
        slots: AbstractAsyncContextManager[object],
    ) -> CaptureRun:
        run = CaptureRun(record, detached, partial(self._results.exists, record.result_id))
        run.task = self._background.task("capture", self._supervise(run, jobs, lock, slots))
        self._runs[record.result_id] = run
        return run

    async def progress(self, result_id: str) -> CaptureProgress | None:
        """None if the capture does not run, or runs in another process."""
        run = self._runs.get(result_id)
        return run.progress if run else None

    async def find(self, result_id: str) -> Record:
        if run := self._runs.get(result_id):
            return run.record
        record = await asyncio.to_thread(self._results.load, result_id)
        if record is None:
            raise no_such_capture(result_id)
        return record

    async def image(self, result_id: str, name: str) -> bytes | None:
        path = await asyncio.to_thread(self._results.image, result_id, name)
        with suppress(FileNotFoundError):
            return await asyncio.to_thread(path.read_bytes) if path else None
        return None

    async def remove(self, result_id: str) -> None:
        await self.find(result_id)
        if run := self._runs.get(result_id):
            run.cancel()
            assert run.task is not None
            await asyncio.wait({run.task})
        await asyncio.to_thread(self._results.remove, result_id)

    async def _supervise(
        self,
        run: CaptureRun,
        jobs: list[Job],
        lock: CaptureLock,
        slots: AbstractAsyncContextManager[object],
    ) -> None:
        """Make the capture, store its end, release its slots and its lock, and have its webhook delivered."""
        try:
            async with slots:
                await run.complete(jobs, self._server, self._settings.capture_timeout_s, self._store)
                if run.error is not None:
                    if run.detached:  # otherwise the request logs it
                        log_error(run.error)
                    await self._store_failure(run)
        except asyncio.CancelledError:
            if run.record.state == "running":
                run.error = interrupted()
                await self._store_failure(run)
        finally:
            del self._runs[run.record.result_id]
            lock.release()
            if not run.cancelled:
                self._deliver(run.record)

    async def _store(self, record: Record, images: list[bytes]) -> None:
        await asyncio.to_thread(self._results.save_images, record, images)
        await asyncio.to_thread(self._results.save, record)

    async def _store_failure(self, run: CaptureRun) -> None:
        """Store the failure of a detached capture; a client that waits gets it in the response."""
        assert run.error is not None
        run.record.fail(run.error)
        if not run.detached or run.cancelled:
            await asyncio.to_thread(self._results.remove, run.record.result_id)
            return
        # If even that cannot be stored, the record stays "running" without a lock: interrupted.
        with suppress(ProxyError, FileNotFoundError):
            await asyncio.to_thread(self._results.save, run.record)

    def _deliver(self, record: Record) -> None:
        if record.webhook_pending and self._webhooks.enabled:
            self._waiting.add(record)
            self.deliveries.wake()

    async def backlog(self) -> None:
        """There is no queue; `lucy_in_flight` counts all captures."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweeps results and delivers webhooks; on exit, captures that still run are interrupted."""
        sweeper = self._background.loop("results sweep", self._sweep)
        try:
            yield
        finally:
            if self._enqueuing:  # each of them begins a run
                await asyncio.wait(self._enqueuing)
            runs = {run.task for run in self._runs.values() if run.task}
            if runs:
                await asyncio.wait(runs, timeout=DRAIN_S)
            await end_tasks(lambda: {sweeper, *runs})
            await end_tasks(lambda: self.deliveries.tasks)
            self._waiting.release_all()

    async def _sweep(self) -> None:
        while True:
            for record in await asyncio.to_thread(self._results.sweep):
                self._deliver(record)
            try:
                await asyncio.to_thread(self._keys.sweep)
            except (OSError, ProxyError) as error:
                logger.warning("the Idempotency-Keys are not swept: %s", error)
            await asyncio.sleep(SWEEP_EVERY_S)
