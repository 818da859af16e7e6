"""Runs the scheduler: while there are jobs, one task asks it who advances, and has their steps predicted.

A job that fails fails alone, whatever of it fails: its prediction, its step, or the question whether it is
still wanted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar

from pipeline.denoising.scheduler import Schedulable, Scheduler


class Job(Schedulable, Protocol):
    """One picture under way."""

    @property
    def done(self) -> bool: ...

    def cancelled(self) -> bool:
        """Whether nobody wants the picture any more; asked before every tick."""

    def advance(self, prediction: Any) -> None:
        """Take one step with the network's prediction for this job."""


class Cancelled(Exception):
    """The job was dropped because nobody wants its picture any more."""


JobT = TypeVar("JobT", bound=Job)


class Stepper(Generic[JobT]):
    """Advances jobs together. Use it from one event loop.

    scheduler: decides who advances; this stepper's own.
    predict: takes the jobs of a tick, returns one prediction for each, in order.
    """

    def __init__(
        self, scheduler: Scheduler[JobT], predict: Callable[[Sequence[JobT]], Awaitable[Sequence[Any]]]
    ):
        self._scheduler = scheduler
        self._predict = predict
        self._finished: dict[JobT, asyncio.Future[None]] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._asked_anew = asyncio.Event()

    @contextmanager
    def live_under_way(self) -> Iterator[None]:
        """Around all of a live job's way: `run`, and the stages before and after it."""
        self._scheduler.live_begins()
        try:
            yield
        finally:
            if self._scheduler.live_ends():
                self._asked_anew.set()

    async def run(self, job: JobT) -> None:
        """Advance `job` until it is done.

        Raises Cancelled when the job was cancelled on the way, else what `predict` or `advance` raised.
        """
        self._scheduler.add(job)
        finished = self._finished[job] = asyncio.get_running_loop().create_future()
        if job.live:
            self._asked_anew.set()
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick_while_jobs())
        await finished

    async def _tick_while_jobs(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._drop_ended():
            began = clock()
            tick = self._scheduler.schedule(began)
            if not tick.jobs:
                await self._wait(tick.wait_s)
                continue  # others may have come, and some may have been cancelled
            advanced = await self._advance(tick.jobs)
            self._scheduler.update(advanced, began, clock())

    async def _wait(self, seconds: float) -> None:
        """For so long, unless a live job comes here before, or the last of them has gone."""
        self._asked_anew.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._asked_anew.wait(), seconds)

    def _drop_ended(self) -> bool:
        """Whether any job is left."""
        for job, finished in list(self._finished.items()):
            if not finished.done():
                try:
                    if job.done:
                        finished.set_result(None)
                    elif job.cancelled():
                        finished.set_exception(Cancelled())
                except Exception as error:
                    finished.set_exception(error)
            if finished.done():
                self._scheduler.remove(job)
                del self._finished[job]
        return bool(self._finished)

    async def _advance(self, jobs: Sequence[JobT]) -> list[JobT]:
        """The jobs that took their step; the others have failed."""
        try:
            predictions = await self._predict(jobs)
            if len(predictions) != len(jobs):
                raise RuntimeError(f"{len(predictions)} predictions for {len(jobs)} jobs")
        except Exception as error:
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return []
            # One of them is to blame: find it, and spare the others.
            return [advanced for job in jobs for advanced in await self._advance([job])]
        advanced = []
        for job, prediction in zip(jobs, predictions, strict=True):
            try:
                job.advance(prediction)
                advanced.append(job)
            except Exception as error:
                self._fail(job, error)
        return advanced

    def _fail(self, job: JobT, error: Exception) -> None:
        if not self._finished[job].done():
            self._finished[job].set_exception(error)
