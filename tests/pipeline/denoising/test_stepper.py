import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.denoising.scheduler import Scheduler
from pipeline.denoising.stepper import Cancelled, Stepper


class CountingJob:
    """A job that needs `steps` predictions, each of which must be its own name."""

    def __init__(self, name, steps, live=True, rows=1, cancel_after=None):
        self.name, self.steps, self.live, self.rows = name, steps, live, rows
        self.cancel_after = cancel_after
        self.step = 0

    @property
    def done(self):
        return self.step == self.steps

    def cancelled(self):
        return self.cancel_after is not None and self.step >= self.cancel_after

    def advance(self, prediction):
        assert prediction == self.name, "a job was handed another's prediction"
        self.step += 1


class Network:
    """Predicts each job's name, and remembers who was in which tick."""

    def __init__(self, poison=None):
        self.ticks = []
        self.poison = poison

    async def __call__(self, jobs):
        self.ticks.append([job.name for job in jobs])
        await asyncio.sleep(0)
        if self.poison in self.ticks[-1]:
            raise RuntimeError(f"{self.poison} cannot be predicted")
        return [job.name for job in jobs]


def stepper_for(network, max_rows, capture_interval=3):
    return Stepper(Scheduler(max_rows, capture_interval), network)


async def run_all(stepper, jobs):
    return await asyncio.gather(*(stepper.run(job) for job in jobs), return_exceptions=True)


async def test_jobs_of_different_lengths_share_ticks():
    network = Network()
    stepper = stepper_for(network, max_rows=8)
    assert await run_all(stepper, [CountingJob("a", 2), CountingJob("b", 4)]) == [None, None]
    assert network.ticks == [["a", "b"], ["a", "b"], ["b"], ["b"]]


async def test_a_job_that_comes_later_joins_the_next_tick():
    network = Network()
    stepper = stepper_for(network, max_rows=8)
    first = asyncio.create_task(stepper.run(CountingJob("a", 6)))
    while len(network.ticks) < 2:
        await asyncio.sleep(0)
    await stepper.run(CountingJob("b", 2))
    await first
    assert ["a", "b"] in network.ticks
    assert len(network.ticks) == 6


async def test_the_stepper_works_again_after_it_was_idle():
    stepper = stepper_for(Network(), max_rows=8)
    await stepper.run(CountingJob("a", 2))
    await stepper.run(CountingJob("b", 2))


async def test_captures_advance_every_third_tick_beside_keyframes():
    network = Network()
    stepper = stepper_for(network, max_rows=8, capture_interval=3)
    jobs = [CountingJob("capture", 3, live=False, rows=2), CountingJob("keyframe", 9)]
    assert await run_all(stepper, jobs) == [None, None]
    assert [tick for tick, names in enumerate(network.ticks) if "capture" in names] == [3, 6, 9]
    assert sum("keyframe" in names for names in network.ticks[:9]) == 9, "a keyframe lost a tick"


async def test_captures_alone_advance_every_tick():
    network = Network()
    await stepper_for(network, max_rows=8).run(CountingJob("capture", 25, live=False))
    assert len(network.ticks) == 25


async def test_keyframes_that_fill_every_batch_do_not_starve_a_capture():
    network = Network()
    stepper = stepper_for(network, max_rows=4, capture_interval=3)
    jobs = [CountingJob(f"k{n}", 30) for n in range(8)] + [CountingJob("capture", 5, live=False, rows=2)]
    await run_all(stepper, jobs)
    steps = [tick for tick, names in enumerate(network.ticks) if "capture" in names]
    assert max(late - early for early, late in pairwise(steps)) <= 3


class SlowNetwork(Network):
    """Takes 10 ms for a call, by the loop's clock."""

    def __init__(self):
        super().__init__()
        self.began = []

    async def __call__(self, jobs):
        self.began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        return await super().__call__(jobs)


async def test_a_capture_pauses_while_a_keyframe_is_in_another_stage():
    """Only ticks were counted, so it took half of the processor from the other stage."""
    network = SlowNetwork()
    stepper = stepper_for(network, max_rows=8, capture_interval=3)
    with stepper.live_request():
        await stepper.run(CountingJob("capture", 6, live=False))
    pauses = [late - early - 0.01 for early, late in pairwise(network.began)]
    assert min(pauses) >= 0.02, "two thirds of the time are the keyframe's"


async def test_a_capture_pauses_no_longer_than_it_must():
    """A keyframe that comes advances at once, and after the last keyframe the capture does not wait."""
    network = SlowNetwork()
    stepper = stepper_for(network, max_rows=8, capture_interval=10_000)
    with stepper.live_request():
        capture = asyncio.create_task(stepper.run(CountingJob("capture", 4, live=False)))
        while len(network.ticks) < 1:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)  # now it pauses, for 100 s
        assert network.ticks == [["capture"]]
        await asyncio.wait_for(stepper.run(CountingJob("keyframe", 2)), 5)
    await asyncio.wait_for(capture, 5)
    assert network.ticks == [["capture"], ["keyframe"], ["keyframe"], *[["capture"]] * 3]


async def test_a_capture_that_pauses_can_be_cancelled():
    network = SlowNetwork()
    stepper = stepper_for(network, max_rows=8, capture_interval=3)
    with stepper.live_request():
        capture = CountingJob("capture", 25, live=False, cancel_after=2)
        with pytest.raises(Cancelled):
            await stepper.run(capture)
    assert capture.step == 2


async def test_captures_that_do_not_fit_together_alternate():
    network = Network()
    stepper = stepper_for(network, max_rows=2)
    await run_all(stepper, [CountingJob(name, 3, live=False, rows=2) for name in "abc"])
    assert network.ticks == [["a"], ["b"], ["c"]] * 3


async def test_a_cancelled_job_is_dropped_at_the_next_tick():
    network = Network()
    stepper = stepper_for(network, max_rows=8)
    outcome = await run_all(stepper, [CountingJob("a", 25, cancel_after=2), CountingJob("b", 5)])
    assert isinstance(outcome[0], Cancelled)
    assert outcome[1] is None
    assert sum("a" in names for names in network.ticks) == 2


async def test_a_job_ends_with_the_task_that_awaits_it():
    network = Network()
    stepper = stepper_for(network, max_rows=8)
    waiter = asyncio.create_task(stepper.run(CountingJob("a", 25)))
    while len(network.ticks) < 2:
        await asyncio.sleep(0)
    waiter.cancel()
    await stepper.run(CountingJob("b", 5))
    assert sum("a" in names for names in network.ticks) <= 4


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


async def test_a_job_larger_than_a_batch_is_refused_at_once():
    with pytest.raises(ValueError, match="does not fit"):
        await stepper_for(Network(), max_rows=2).run(CountingJob("a", 1, rows=3))


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
    assert isinstance(faulty, Exception), "whoever awaits the job would take it for its own cancelling"
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


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.booleans(), st.integers(1, 2), st.none() | st.integers(0, 9)),
        min_size=1,
        max_size=12,
    ),
    st.integers(2, 8),
    st.integers(1, 4),
)
def test_every_job_ends(shapes, max_rows, capture_interval):
    network = Network()
    jobs = [
        CountingJob(f"job{n}", steps, live, rows, cancel_after)
        for n, (steps, live, rows, cancel_after) in enumerate(shapes)
    ]

    async def all_of_them():
        stepper = stepper_for(network, max_rows, capture_interval)
        return await asyncio.wait_for(run_all(stepper, jobs), timeout=10)

    outcomes = asyncio.run(all_of_them())
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert job.done if outcome is None else isinstance(outcome, Cancelled)
    rows = {job.name: job.rows for job in jobs}
    assert all(0 < sum(rows[name] for name in names) <= max_rows for names in network.ticks)
