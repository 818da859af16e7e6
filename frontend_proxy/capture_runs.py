"""All captures of this process, from their acceptance to their end: each ends in a result or an error."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from frontend_proxy.capture_answers import webhook_message
from frontend_proxy.capture_run import CaptureRun
from frontend_proxy.errors import Interrupted, NotFound, ProxyError, internal_error, log_error
from frontend_proxy.idempotency import IdempotencyKey, IdempotencyKeys
from frontend_proxy.jobs import Job, ModelServer
from frontend_proxy.limit import Limit
from frontend_proxy.results import Ownership, Record, Results, new_result_id
from frontend_proxy.schemas import CaptureProgress
from frontend_proxy.settings import Settings
from frontend_proxy.webhooks import Webhooks

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
DRAIN_S = 1.0  # for captures that nobody waits for, when the proxy ends


class CaptureRuns:
    """At most `Settings.max_captures` samples are at the model at once; beyond there is no queue."""

    def __init__(self, settings: Settings, server: ModelServer) -> None:
        self._settings = settings
        self._server = server
        self._limit = Limit(settings.max_captures, "captures")
        self._runs: dict[str, CaptureRun] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self.results = Results(settings.results_dir)
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
        now = datetime.now(UTC)
        lifetime = self._settings.capture_timeout_s + self._settings.results_lifetime_s
        record = Record(
            result_id=new_result_id(),
            request_id=jobs[0].request_id,
            base_url=base_url,
            output_format=jobs[0].output_format,
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime),
            webhook_url=webhook_url,
            webhook_pending=webhook_url is not None,
        )
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

    def progress(self, result_id: str) -> CaptureProgress | None:
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
        try:
            results = await run.make(self._server, self._settings.capture_timeout_s)
            images = [result.image for result in results]
            record = run.record.model_copy()  # nobody is told of it before all of it is kept
            record.succeed([result.report for result in results])
            await asyncio.to_thread(self.results.save_images, record, images)
            await asyncio.to_thread(self.results.save, record)
            run.record, run.image = record, images[0]
        except FileNotFoundError:
            run.error = NotFound("the capture was removed while it was made")
        except ProxyError as error:
            run.error = error
        except Exception as error:
            run.error = internal_error(error)
        if run.error is not None:
            if run.detached:  # otherwise whoever waits does that
                log_error(run.error)
            await self._end_badly(run)

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
