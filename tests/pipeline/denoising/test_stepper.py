import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.denoising.stepper import Cancelled
from tests.pipeline.denoising.stepper_fakes import CountingJob, Network, run_all, stepper_for


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


async def test_a_capture_that_pauses_gives_way_and_goes_on():
    """A keyframe that comes advances at once, and after its pause the capture goes on."""
    network = SlowNetwork()
    stepper = stepper_for(network, max_rows=8, capture_interval=50)
    with stepper.live_request():
        capture = asyncio.create_task(stepper.run(CountingJob("capture", 4, live=False)))
        while len(network.ticks) < 1:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)  # now it pauses, for half a second
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


async def test_a_job_larger_than_a_batch_is_refused_at_once():
    with pytest.raises(ValueError, match="does not fit"):
        await stepper_for(Network(), max_rows=2).run(CountingJob("a", 1, rows=3))


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
