"""One capture that is being made: its samples' jobs at the model, and their progress."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.captures.record import Record
from frontend_proxy.errors import ModelUnavailable, NotFound, ProxyError, internal_error
from frontend_proxy.jobs import Job, ModelServer, Progress, Result, latency_ms, run_to_result

RETRY_S = 1.0  # before a model that is away is asked again
PATIENCE = 10  # times as long as others may take captures of batches, which make way for them


class CaptureRun:
    """After its end, `error` says how it failed; without one, `image` is its first sample, or empty.

    detached: no client waits on a connection, so the run waits for a model that is away until its timeout.
    is_wanted: called at each step; the run cancels itself when it returns False.
    """

    def __init__(self, record: Record, detached: bool, is_wanted: Callable[[], bool]) -> None:
        self.record = record
        self.detached = detached
        self.progress: CaptureProgress | None = None
        self.image = b""
        self.error: ProxyError | None = None
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None
        self._is_wanted = is_wanted
        self._samples: dict[int, Progress] = {}
        self._preview: bytes | None = None  # the newest that the follower has not received
        self._changed = asyncio.Event()

    async def complete(
        self,
        jobs: list[Job],
        server: ModelServer,
        timeout_s: float,
        store: Callable[[Record, list[bytes]], Awaitable[None]],
    ) -> None:
        """Run the jobs and `store` the record and the images. `store` raises FileNotFoundError if the capture
        was removed meanwhile."""
        try:
            results = await self._run(jobs, server, timeout_s)
            record = self.record.model_copy()  # clients see it succeed only after all of it is stored
            images = record.take(results)
            await store(record, images)
            self.record, self.image = record, b"".join(images[:1])
        except FileNotFoundError:
            self.error = NotFound("the capture was removed while it was made")
        except ProxyError as error:
            self.error = error.with_traceback(None)  # its frames refer to this run
        except Exception as error:
            self.error = internal_error(error)

    async def _run(self, jobs: list[Job], server: ModelServer, timeout_s: float) -> list[Result]:
        """The results of all samples; one that fails ends the others. Raises as `ModelServer.run` does."""
        began = time.monotonic()
        deadline = began + timeout_s * (PATIENCE if jobs[0].mode == "batch" else 1)
        for attempt in itertools.count(1):
            try:
                results = await self._attempt(jobs, server, deadline - time.monotonic())
                break
            except ModelUnavailable:
                # A client that waits gets this error at once, unless one server died in the middle: there
                # may be others.
                again = self.detached or (attempt == 1 and self._samples)
                if not again or time.monotonic() + RETRY_S >= deadline:
                    raise
                await asyncio.sleep(RETRY_S if self.detached else 0)
        total_s = time.monotonic() - began
        for result in results:
            result.report.latency_ms = latency_ms(result.report.latency_ms, total_s)
        return results

    async def _attempt(self, jobs: list[Job], server: ModelServer, timeout_s: float) -> list[Result]:
        self._samples.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(
                        run_to_result(server, job, timeout_s, self._progress_of(sample, len(jobs)))
                    )
                    for sample, job in enumerate(jobs)
                ]
        except* ProxyError as group:
            raise group.exceptions[0] from None
        return [task.result() for task in running]

    def _progress_of(self, sample: int, count: int) -> Callable[[Progress], None]:
        def update(progress: Progress) -> None:
            self._samples[sample] = progress
            step = min(self._samples[n].step if n in self._samples else 0 for n in range(count))
            self.report(CaptureProgress(step=step, steps=progress.steps, preview=progress.preview))
            if not self._is_wanted():
                self.cancel()

        return update

    def report(self, progress: CaptureProgress) -> None:
        """Publish progress to the follower."""
        self._preview = progress.preview or self._preview
        self.progress = progress.model_copy(update={"preview": None})
        self._changed.set()

    async def follow(self, silence_s: float) -> AsyncIterator[CaptureProgress | None]:
        """The newest progress, until the run has ended; None after `silence_s` seconds without any. For one
        follower."""
        assert self.task is not None
        self.task.add_done_callback(lambda task: self._changed.set())
        while not self.task.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(silence_s):
                    await self._changed.wait()
            if self.task.done():
                return
            if self._changed.is_set() and self.progress:
                self._changed.clear()
                preview, self._preview = self._preview, None
                yield self.progress.model_copy(update={"preview": preview})
            else:
                yield None

    def cancel(self) -> None:
        """Stop, because no client wants the result. Has no effect after the run's end."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()
