"""Runs the scheduler: one task, while there are jobs, asks it which jobs advance and has them predicted.

A fault of one job ends that job only, whether it comes from its prediction, its step, or the question whether
it is cancelled. A fault of the loop itself ends all waiting jobs with an error: none may wait for ever.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar

from pipeline.denoising.scheduler import Schedulable, Scheduler

logger = logging.getLogger(__name__)

QUIET_S = 2.0  # longest wait of a batch's capture before a stage


class Job(Schedulable, Protocol):
    """One picture in progress."""

    @property
    def done(self) -> bool: ...

    def cancelled(self) -> bool:
        """Whether the picture is not wanted any more; asked before every tick."""

    def advance(self, prediction: Any) -> None:
        """Take one step with the network's prediction for this job."""


class Cancelled(Exception):
    """The picture is not wanted any more, so its job was dropped."""


JobT = TypeVar("JobT", bound=Job)


class Stepper(Generic[JobT]):
    """Advances jobs together. Use it from one event loop.

    scheduler: decides which jobs advance; no other stepper may use it.
    predict: takes the jobs of a tick, returns one prediction for each, in order.
    """

    def __init__(
        self, scheduler: Scheduler[JobT], predict: Callable[[Sequence[JobT]], Awaitable[Sequence[Any]]]
    ):
        self._scheduler = scheduler
        self._predict = predict
        self._results: dict[int, tuple[JobT, asyncio.Future[None]]] = {}  # by id: a job need not be hashable
        self._ticking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no live request is in progress, but no longer than `QUIET_S`: they may never cease."""
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await self._quiet.wait()

    @contextmanager
    def live_request(self) -> Iterator[None]:
        """Use it around a whole live request: `run`, and the stages before and after it."""
        self._scheduler.live_begins()
        self._quiet.clear()
        try:
            yield
        finally:
            if self._scheduler.live_ends():
                self._wake.set()
                self._quiet.set()

    async def run(self, job: JobT) -> None:
        """Advance `job` until it is done.

        Raises Cancelled if the job was cancelled, otherwise the exception of `predict` or of the job.
        """
        self._scheduler.add(job)
        result = asyncio.get_running_loop().create_future()
        self._results[id(job)] = job, result
        if not job.patient:
            self._wake.set()
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick_while_jobs())
        await result

    async def _tick_while_jobs(self) -> None:
        try:
            await self._tick_until_no_job_is_left()
        except BaseException as error:
            logger.critical("the stepper failed, and all its jobs with it", exc_info=error)
            for job, _ in list(self._results.values()):
                self._fail(job, RuntimeError(f"the stepper failed: {error!r}"))
                self._forget(job)
            if not isinstance(error, Exception):
                raise

    async def _tick_until_no_job_is_left(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._drop_ended():
            began = clock()
            tick = self._scheduler.schedule(began)
            if not tick.jobs:
                await self._wait(tick.wait_s)
                continue  # jobs may have come, or been cancelled
            advanced = await self._advance(tick.jobs)
            self._scheduler.update(advanced, began, clock())

    async def _wait(self, seconds: float) -> None:
        """Wait for `seconds`, until a job is added that is not patient, or until the last live request
        ends."""
        self._wake.clear()
        with suppress(TimeoutError):  # `wait_for` loses a cancel that comes with the event (Python 3.11)
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _drop_ended(self) -> bool:
        """Drop the jobs that are done, cancelled or failed. Returns whether any job is left."""
        for job, result in list(self._results.values()):
            if not result.done():
                with self._failing_alone(job):
                    if job.done:
                        result.set_result(None)
                    elif job.cancelled():
                        result.set_exception(Cancelled())
            if result.done():
                self._forget(job)
        return bool(self._results)

    async def _advance(self, jobs: Sequence[JobT]) -> list[JobT]:
        """Have the jobs take a step. Returns those that did; the others have failed."""
        try:
            predictions = list(await self._predict(jobs))
            if len(predictions) != len(jobs):
                raise RuntimeError(f"{len(predictions)} predictions for {len(jobs)} jobs")
        except BaseException as error:
            if _stops_all(error):
                raise
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return []
            # One job is the cause: predict each alone, so that the others go on.
            return [advanced for job in jobs for advanced in await self._advance([job])]
        advanced = []
        for job, prediction in zip(jobs, predictions, strict=True):
            with self._failing_alone(job):
                job.advance(prediction)
                advanced.append(job)
        return advanced

    @contextmanager
    def _failing_alone(self, job: JobT) -> Iterator[None]:
        """An exception of the job's own code ends this job only."""
        try:
            yield
        except BaseException as error:
            if _stops_all(error):
                raise
            self._fail(job, error)

    def _fail(self, job: JobT, error: BaseException) -> None:
        _, result = self._results[id(job)]
        if not result.done():
            result.set_exception(_as_exception(error))

    def _forget(self, job: JobT) -> None:
        self._scheduler.remove(job)
        del self._results[id(job)]


def _stops_all(error: BaseException) -> bool:
    """Whether `error` is not a job's own: somebody stops this task or the whole process."""
    if isinstance(error, asyncio.CancelledError):  # a model call that was cancelled raises it, too
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


def _as_exception(error: BaseException) -> Exception:
    """`error` as an exception for the task that awaits the job: a future refuses StopIteration, and
    CancelledError or SystemExit would end that task."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"the job raised {error!r}")
    wrapped.__cause__ = error
    return wrapped
