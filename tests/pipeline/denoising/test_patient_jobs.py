"""Captures of a batch, for which nobody waits."""

import asyncio

import pytest

from pipeline.denoising import stepper as stepper_module
from pipeline.denoising.scheduler import PATIENCE, SESSION_S, Scheduler
from tests.pipeline.denoising.stepper_fakes import CountingJob, Network, run_all, stepper_for
from tests.pipeline.denoising.test_scheduler import Job, capture, gaps, ticks


def patient(rows=2):
    return Job("patient", live=False, rows=rows, patient=True)


@pytest.mark.parametrize("other", [Job("keyframe"), capture("capture")], ids=lambda job: job.name)
def test_they_step_once_in_many_ticks_beside_others(other):
    scheduler, job = Scheduler(8), patient()
    scheduler.add(other)
    scheduler.add(job)
    found = ticks(scheduler, 5 * PATIENCE)
    assert all(other in jobs for jobs in found), "the other waited"
    assert PATIENCE <= max(gaps(found, job)) <= PATIENCE + 3


def test_they_step_in_every_tick_when_they_are_alone():
    scheduler, job = Scheduler(8), patient()
    scheduler.add(job)
    assert all(jobs == [job] for jobs in ticks(scheduler, 10))


def test_several_share_the_ticks_that_nobody_else_uses():
    scheduler, first, second = Scheduler(2), patient(), patient()
    scheduler.add(first)
    scheduler.add(second)
    assert [jobs[0] is first for jobs in ticks(scheduler, 4)] == [True, False, True, False]


def test_while_sessions_are_open_they_step_one_by_one():
    """A keyframe waited for both of their steps: its p99 beside a batch was 1.9 times that alone."""
    scheduler, first, second = Scheduler(8), patient(), patient()
    scheduler.add(first)
    scheduler.add(second)

    def tick(now):
        jobs = scheduler.schedule(now).jobs
        scheduler.update(jobs, now, now)
        return jobs

    assert tick(0.0) == [first, second]
    scheduler.live_begins()
    assert tick(0.1) == [first]
    scheduler.live_ends()
    assert [tick(now) for now in (0.2, 0.3, 0.1 + SESSION_S - 0.01)] == [[second], [first], [second]]
    assert tick(0.1 + SESSION_S) == [first, second]


def test_they_pause_while_a_keyframe_is_in_another_stage():
    scheduler, job = Scheduler(8), patient()
    scheduler.add(job)
    scheduler.update(scheduler.schedule(0.0).jobs, 0.0, 1.0)
    scheduler.live_begins()
    waiting = scheduler.schedule(5.0)
    assert waiting.jobs == []
    assert waiting.wait_s == PATIENCE - 1 - 4.0
    assert scheduler.schedule(1.0 + PATIENCE).jobs == [job]
    scheduler.live_ends()
    assert scheduler.schedule(5.0).jobs == [job]


async def test_a_stage_waits_until_no_keyframe_is_in_progress(monkeypatch):
    stepper = stepper_for(Network(), max_rows=8)
    await stepper.quiet()
    with stepper.live_request():
        waiting = asyncio.create_task(stepper.quiet())
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, stepper_module.QUIET_S / 2)
    monkeypatch.setattr(stepper_module, "QUIET_S", 0.05)
    with stepper.live_request():  # keyframes that never cease
        await asyncio.wait_for(stepper.quiet(), 5)


async def test_a_capture_that_comes_ends_the_pause():
    """Nobody would wake the stepper, and the capture would wait as long as the batch does."""
    network = Network()
    stepper = stepper_for(network, max_rows=8)
    with stepper.live_request():
        stepper._scheduler.update([], 0.0, asyncio.get_running_loop().time() + 1e6)
        waiting = asyncio.create_task(run_all(stepper, [CountingJob("patient", 3, live=False, patient=True)]))
        await asyncio.sleep(0.01)
        assert network.ticks == []
        stepper._scheduler._captures_resume_at = 0.0
        async with asyncio.timeout(5):
            await stepper.run(CountingJob("capture", 2, live=False))
        assert network.ticks == [["capture"]] * 2
    await waiting
