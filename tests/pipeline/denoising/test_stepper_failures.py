"""A fault of one job ends that job only; a fault of the loop ends all jobs with an error."""

import asyncio

import pytest

from pipeline.denoising.scheduler import Scheduler
from tests.pipeline.denoising.stepper_fakes import CountingJob, Network, run_all, stepper_for


async def test_a_job_that_breaks_the_batch_fails_alone():
    stepper = stepper_for(Network(poison="bad"), max_rows=8)
    good, bad, fine = await run_all(
        stepper, [CountingJob("good", 3), CountingJob("bad", 3), CountingJob("fine", 3)]
    )
    assert good is None
    assert fine is None
    assert isinstance(bad, RuntimeError)


async def test_a_job_that_cannot_advance_fails_alone():
    class Broken(CountingJob):
        def advance(self, prediction):
            raise ArithmeticError("no next step")

    outcome = await run_all(stepper_for(Network(), max_rows=8), [Broken("x", 3), CountingJob("y", 3)])
    assert isinstance(outcome[0], ArithmeticError)
    assert outcome[1] is None


class Odd(BaseException):
    """An exception that `except Exception` does not catch."""


KINDS = [
    RuntimeError,
    StopIteration,
    StopAsyncIteration,
    asyncio.CancelledError,
    SystemExit,
    MemoryError,
    Odd,
]


class FaultyJob(CountingJob):
    """Raises `kind` in `where`, from the second tick on."""

    def __init__(self, where, kind):
        super().__init__("faulty", 5)
        self._where, self._kind = where, kind

    def _maybe(self, where):
        if where == self._where and self.step >= 1:
            raise self._kind("the faulty job's own")

    @property
    def done(self):
        self._maybe("done")
        return super().done

    def cancelled(self):
        self._maybe("cancelled")
        return super().cancelled()

    def advance(self, prediction):
        self._maybe("advance")
        super().advance(prediction)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["done", "cancelled", "advance"])
async def test_a_job_that_raises_fails_alone(where, kind):
    """An exception of `cancelled` ended the task of all ticks, and every waiting job hung."""
    stepper = stepper_for(Network(), max_rows=8)
    jobs = [CountingJob("first", 4), FaultyJob(where, kind), CountingJob("last", 7, live=False)]
    first, faulty, last = await asyncio.wait_for(run_all(stepper, jobs), 10)
    assert (first, last) == (None, None)
    assert isinstance(faulty, Exception), "the task that awaits the job would be cancelled"
    assert "the faulty job's own" in str(faulty)
    assert await asyncio.wait_for(stepper.run(CountingJob("later", 2)), 10) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_prediction_that_raises_fails_its_job_alone(kind):
    async def predict(jobs):
        if any(job.name == "bad" for job in jobs):
            raise kind("no prediction")
        return [job.name for job in jobs]

    jobs = [CountingJob(name, 3) for name in ("good", "bad", "fine")]
    good, bad, fine = await asyncio.wait_for(run_all(stepper_for(predict, 8), jobs), 10)
    assert (good, fine) == (None, None)
    assert isinstance(bad, Exception)
    assert "no prediction" in f"{bad!r} {bad.__cause__!r}"


@pytest.mark.parametrize(
    "wrong", [lambda right: [], lambda right: right[:-1], lambda right: [*right, "more"], lambda right: None]
)
async def test_a_wrong_count_of_predictions_fails_its_job_alone(wrong):
    async def predict(jobs):
        right = [job.name for job in jobs]
        return wrong(right) if "bad" in right else right

    jobs = [CountingJob(name, 3) for name in ("good", "bad", "fine")]
    good, bad, fine = await asyncio.wait_for(run_all(stepper_for(predict, 8), jobs), 10)
    assert (good, fine) == (None, None)
    assert isinstance(bad, RuntimeError | TypeError)


async def test_a_wrong_count_for_all_jobs_fails_all_and_hangs_none():
    async def predict(jobs):
        return []

    jobs = [CountingJob(name, 3) for name in "ab"]
    outcomes = await asyncio.wait_for(run_all(stepper_for(predict, 8), jobs), 10)
    assert [str(outcome) for outcome in outcomes] == ["0 predictions for 1 jobs"] * 2


async def test_a_job_that_cannot_be_added_leaves_nothing_behind():
    class Broken(CountingJob):
        @property
        def rows(self):
            raise OSError("no rows")

        @rows.setter
        def rows(self, value): ...

    stepper = stepper_for(Network(), max_rows=8)
    good, broken = await asyncio.wait_for(run_all(stepper, [CountingJob("a", 3), Broken("b", 3)]), 10)
    assert good is None
    assert isinstance(broken, OSError)


async def test_a_job_that_is_run_twice_is_refused_the_second_time():
    """The second would replace the first's result, which then nobody would set."""
    stepper, job = stepper_for(Network(), max_rows=8), CountingJob("a", 3)
    first, second = await asyncio.wait_for(run_all(stepper, [job, job]), 10)
    assert first is None
    assert isinstance(second, ValueError)


async def test_jobs_that_are_equal_or_not_hashable_are_different_jobs():
    class Equal(CountingJob):
        def __eq__(self, other):
            return True

    jobs = [Equal("a", 3), Equal("b", 2)]
    assert await asyncio.wait_for(run_all(stepper_for(Network(), 8), jobs), 10) == [None, None]
    assert [job.step for job in jobs] == [3, 2]


async def test_a_fault_of_the_policy_ends_the_waiting_jobs_and_no_later_one(monkeypatch):
    stepper = stepper_for(Network(), max_rows=8)
    with monkeypatch.context() as broken:
        broken.setattr(Scheduler, "schedule", lambda self, now: 1 / 0)
        outcomes = await asyncio.wait_for(
            run_all(stepper, [CountingJob("a", 3), CountingJob("b", 3, live=False)]), 10
        )
    assert ["stepper failed" in str(outcome) for outcome in outcomes] == [True, True]
    assert await asyncio.wait_for(stepper.run(CountingJob("later", 2)), 10) is None


async def test_when_the_ticks_are_stopped_nobody_waits_for_ever():
    """A server that shuts down cancels every task."""

    async def predict(jobs):
        await asyncio.sleep(60)

    stepper = stepper_for(predict, max_rows=8)
    before = asyncio.all_tasks()
    waiter = asyncio.create_task(stepper.run(CountingJob("a", 3)))
    await asyncio.sleep(0.01)
    [ticking] = asyncio.all_tasks() - before - {waiter}
    ticking.cancel()
    with pytest.raises(RuntimeError, match="stepper failed"):
        await asyncio.wait_for(waiter, 10)
    assert ticking.cancelled()
