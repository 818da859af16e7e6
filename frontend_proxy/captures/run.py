"""One capture under way: its samples' jobs at the model, and how far they are."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from frontend_proxy.captures.results import Record
from frontend_proxy.errors import ModelUnavailable, NotFound, ProxyError, internal_error
from frontend_proxy.jobs import Job, ModelServer, Progress, Result, latency_ms, run_to_result
from frontend_proxy.schemas import CaptureProgress

RETRY_S = 1.0  # before a model that is away is asked again


class CaptureRun:
    """`image`, its first sample, and the record tell how it ended, or `error` does.

    detached: nobody waits on a connection, so it waits for a model that is away as long as it may take.
    wanted: asked at each step; once it says no, the run cancels itself.
    """

    def __init__(self, record: Record, jobs: list[Job], detached: bool, wanted: Callable[[], bool]) -> None:
        self.record = record
        self.detached = detached
        self.progress: CaptureProgress | None = None
        self.image = b""
        self.error: ProxyError | None = None
        self.unwanted = False
        self.task: asyncio.Task[None] | None = None
        self._jobs = jobs
        self._wanted = wanted
        self._samples: dict[int, Progress] = {}
        self._preview: bytes | None = None  # the newest that the follower has not seen
        self._news = asyncio.Event()

    async def complete(
        self,
        server: ModelServer,
        timeout_s: float,
        keep: Callable[[Record, list[bytes]], Awaitable[None]],
    ) -> None:
        """Make it and `keep` its record and pictures. `keep` raises FileNotFoundError where the capture was
        removed meanwhile."""
        try:
            results = await self.make(server, timeout_s)
            images = [result.image for result in results]
            record = self.record.model_copy()  # nobody is told of it before all of it is kept
            record.succeed([result.report for result in results])
            await keep(record, images)
            self.record, self.image = record, images[0]
        except FileNotFoundError:
            self.error = NotFound("the capture was removed while it was made")
        except ProxyError as error:
            self.error = error.with_traceback(None)  # whose frames hold this run
        except Exception as error:
            self.error = internal_error(error)

    async def make(self, server: ModelServer, timeout_s: float) -> list[Result]:
        """All samples; one that fails ends the others. Raises what `ModelServer.run` raises."""
        began = time.monotonic()
        deadline = began + timeout_s
        for attempt in itertools.count(1):
            try:
                results = await self._attempt(server, deadline - time.monotonic())
                break
            except ModelUnavailable:
                # Whoever waits waits for no server, but one that dies in the middle is not the last one.
                again = self.detached or (attempt == 1 and self._samples)
                if not again or time.monotonic() + RETRY_S >= deadline:
                    raise
                await asyncio.sleep(RETRY_S if self.detached else 0)
        total_s = time.monotonic() - began
        for result in results:
            result.report.latency_ms = latency_ms(result.report.latency_ms, total_s)
        return results

    async def _attempt(self, server: ModelServer, time_left: float) -> list[Result]:
        self._samples.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(run_to_result(server, job, time_left, self._progress_of(sample)))
                    for sample, job in enumerate(self._jobs)
                ]
        except* ProxyError as group:
            raise group.exceptions[0] from None
        return [task.result() for task in running]

    def _progress_of(self, sample: int) -> Callable[[Progress], None]:
        def tell(progress: Progress) -> None:
            self._samples[sample] = progress
            step = min(self._samples[n].step if n in self._samples else 0 for n in range(len(self._jobs)))
            self.show(CaptureProgress(step=step, steps=progress.steps, preview=progress.preview))
            if not self._wanted():
                self.cancel()

        return tell

    def show(self, progress: CaptureProgress) -> None:
        """For whoever follows."""
        self._preview = progress.preview or self._preview
        self.progress = progress.model_copy(update={"preview": None})
        self._news.set()

    async def follow(self, silence_s: float) -> AsyncIterator[CaptureProgress | None]:
        """Its progress until it has ended, the newest where there are several; None after `silence_s`
        seconds without any. For one follower."""
        assert self.task is not None
        self.task.add_done_callback(lambda task: self._news.set())
        while not self.task.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), silence_s)
            if self.task.done():
                return
            if self._news.is_set() and self.progress:
                self._news.clear()
                preview, self._preview = self._preview, None
                yield self.progress.model_copy(update={"preview": preview})
            else:
                yield None

    def cancel(self) -> None:
        """Nobody wants it any more. Has no effect on one that has ended."""
        self.unwanted = True
        if self.task is not None:
            self.task.cancel()
