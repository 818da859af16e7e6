"""The policy alone: no clock, no event loop, no network."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.denoising.scheduler import Scheduler


@dataclass(eq=False)
class Job:
    name: str = ""
    live: bool = True
    rows: int = 1
    steps: int = 1
    patient: bool = False


def capture(name="capture", rows=2, steps=1):
    return Job(name, live=False, rows=rows, steps=steps)


def ticks(scheduler, count, before_each=lambda tick: None):
    """The jobs of each of the next `count` ticks, all of which advance; a tick takes one second."""
    found = []
    for tick in range(count):
        before_each(tick)
        jobs = scheduler.schedule(float(tick)).jobs
        found.append(jobs)
        scheduler.update(jobs, float(tick), float(tick))
    return found


def gaps(found, job):
    """Ticks from one step of `job` to its next, and from the last one to the end."""
    at = [-1, *(tick for tick, jobs in enumerate(found) if job in jobs), len(found)]
    return [late - early for early, late in pairwise(at)]


shapes = st.lists(st.tuples(st.booleans(), st.integers(1, 2)), min_size=1, max_size=12)


@given(shapes, st.integers(2, 16), st.integers(1, 5))
def test_a_batch_is_never_empty_and_never_over_max_rows(shapes, max_rows, interval):
    scheduler = Scheduler(max_rows, interval)
    for live, rows in shapes:
        scheduler.add(Job(live=live, rows=rows))
    for jobs in ticks(scheduler, 20):
        assert 0 < sum(job.rows for job in jobs) <= max_rows
        assert len(jobs) == len(set(map(id, jobs)))


@given(st.lists(st.integers(1, 2), max_size=8), st.integers(1, 2), st.integers(2, 6), st.integers(1, 5))
def test_captures_never_starve_the_oldest_live_job(captures, rows, max_rows, interval):
    """With capture_interval=1 and a guided capture that fills the batch, no keyframe ever advanced."""
    scheduler = Scheduler(max_rows, interval)
    for number in captures:
        scheduler.add(capture(rows=number))
    keyframe = Job(rows=rows)
    scheduler.add(keyframe)
    assert max(gaps(ticks(scheduler, 40), keyframe)) <= 2


@given(
    st.integers(1, 4), st.integers(1, 2), st.integers(2, 6), st.integers(1, 5), st.lists(st.integers(1, 2))
)
def test_live_jobs_never_starve_a_capture(count, rows, max_rows, interval, arrivals):
    scheduler = Scheduler(max_rows, interval)
    captures = [capture(f"capture {number}", rows) for number in range(count)]
    for job in captures:
        scheduler.add(job)
    for number in [*arrivals, 1, 2]:  # they never end
        scheduler.add(Job(rows=number))
    found = ticks(scheduler, 100)
    for job in captures:
        assert max(gaps(found, job)) <= count * max(2, interval) + 1


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 2), st.integers(1, 9), st.integers(0, 30)), min_size=1)
)
def test_every_job_ends_in_as_many_ticks_as_there_is_work(arrivals):
    scheduler, interval = Scheduler(3, 3), 3
    jobs = [Job(live=live, rows=rows, steps=steps) for live, rows, steps, _ in arrivals]
    tick, left = 0, list(zip(jobs, (at for *_, at in arrivals), strict=True))
    work = sum(steps for _, _, steps, _ in arrivals)
    while left or scheduler.jobs:
        for job, at in list(left):
            if at <= tick:
                scheduler.add(job)
                left.remove((job, at))
        advanced = scheduler.schedule(float(tick)).jobs if scheduler.jobs else []
        scheduler.update(advanced, float(tick), float(tick))
        for job in advanced:
            job.steps -= 1
            if not job.steps:
                scheduler.remove(job)
        tick += 1
        assert tick <= 31 + interval * work, "a job does not end"


@pytest.mark.parametrize("interval", [1, 2, 3, 5])
def test_beside_keyframes_captures_have_one_tick_in_capture_interval(interval):
    scheduler, one = Scheduler(8, interval), capture()
    scheduler.add(one)
    keyframe = Job()
    scheduler.add(keyframe)
    found = ticks(scheduler, 10 * interval)
    assert sum(one in jobs for jobs in found) in (9, 10)
    assert all(keyframe in jobs for jobs in found), "a keyframe lost a tick"


def test_captures_alone_advance_in_every_tick():
    scheduler, one = Scheduler(8, 3), capture()
    scheduler.add(one)
    assert ticks(scheduler, 5) == [[one]] * 5


def test_the_first_tick_beside_a_keyframe_is_the_keyframes():
    scheduler, one, keyframe = Scheduler(8, 3), capture(), Job()
    scheduler.add(one)
    ticks(scheduler, 7)
    scheduler.add(keyframe)
    assert ticks(scheduler, 3) == [[keyframe], [keyframe], [one, keyframe]]


def test_live_jobs_beyond_the_batch_wait_in_order_of_arrival():
    scheduler = Scheduler(2, 3)
    jobs = [Job(str(number)) for number in range(4)]
    for job in jobs:
        scheduler.add(job)
    assert ticks(scheduler, 2) == [jobs[:2], jobs[:2]]
    scheduler.remove(jobs[0])
    assert ticks(scheduler, 1) == [jobs[1:3]]
    assert scheduler.jobs == jobs[1:]


def test_a_capture_waits_while_a_keyframe_is_in_another_stage():
    """A tick of 2 s leaves the keyframe 4 s of every 6: two thirds, as between ticks."""
    scheduler, one = Scheduler(8, 3), capture()
    scheduler.add(one)
    scheduler.live_begins()
    scheduler.update(scheduler.schedule(10.0).jobs, 10.0, 12.0)
    waiting = scheduler.schedule(12.0)
    assert (waiting.jobs, waiting.wait_s) == ([], 4.0)
    assert scheduler.schedule(15.0).wait_s == 1.0, "the wait gets shorter, whenever one asks"
    assert scheduler.schedule(12.0 + waiting.wait_s).jobs == [one]


@given(st.floats(0, 1e6), st.floats(1e-6, 1e3), st.integers(1, 9), st.floats(0, 2))
def test_who_waits_for_wait_s_gets_a_tick(began, took, interval, share):
    scheduler, one = Scheduler(8, interval), capture()
    scheduler.add(one)
    scheduler.live_begins()
    ended = began + took
    scheduler.update([one], began, ended)
    now = ended + share * took
    tick = scheduler.schedule(now)
    assert bool(tick.jobs) == (tick.wait_s == 0)
    assert 0 <= tick.wait_s <= interval * took * 1.001 + 1e-6
    assert scheduler.schedule(now + tick.wait_s + 1e-6).jobs == [one]


def test_a_pause_gives_way_to_a_live_job_and_outlasts_the_last_live_request():
    scheduler, one, keyframe = Scheduler(8, 3), capture(), Job()
    scheduler.add(one)
    scheduler.live_begins()
    scheduler.live_begins()
    scheduler.update([one], 0.0, 1.0)
    assert scheduler.schedule(1.0).jobs == []
    scheduler.add(keyframe)
    assert scheduler.schedule(1.0).jobs == [keyframe]
    scheduler.remove(keyframe)
    assert not scheduler.live_ends(), "one live request is left"
    assert scheduler.schedule(1.0).jobs == []
    assert scheduler.live_ends()
    assert scheduler.schedule(1.5).wait_s == 1.5, "the session's next keyframe may follow at once"
    assert scheduler.schedule(3.0).jobs == [one]


def test_captures_do_not_pause_without_a_keyframe():
    scheduler, one = Scheduler(8, 3), capture()
    scheduler.add(one)
    scheduler.live_begins()
    scheduler.live_ends()
    scheduler.update([one], 0.0, 1.0)
    assert scheduler.schedule(1.0).jobs == [one]


def test_a_capture_that_did_not_advance_stays_first():
    """Its prediction failed; it must not lose its place to those that waited shorter."""
    scheduler, first, second = Scheduler(2, 1), capture("first"), capture("second")
    scheduler.add(first)
    scheduler.add(second)
    assert scheduler.schedule(0.0).jobs == [first]
    scheduler.update([], 0.0, 0.0)
    assert scheduler.schedule(0.0).jobs == [first]
    scheduler.update([first], 0.0, 0.0)
    assert scheduler.schedule(0.0).jobs == [second]


@pytest.mark.parametrize("rows", [0, 3])
def test_a_job_that_fits_into_no_batch_is_refused(rows):
    scheduler = Scheduler(2)
    with pytest.raises(ValueError, match=f"a job of {rows} rows does not fit"):
        scheduler.add(Job(rows=rows))
    assert scheduler.jobs == []


def test_a_job_is_added_once():
    scheduler, job = Scheduler(8), Job()
    scheduler.add(job)
    with pytest.raises(ValueError, match="added already"):
        scheduler.add(job)


def test_a_jobs_properties_are_read_once():
    """A job that raised in the middle of `schedule` would stop every other job."""

    class Fickle(Job):
        reads = 0

        @property
        def rows(self):
            Fickle.reads += 1
            if Fickle.reads > 1:
                raise OSError
            return 1

        @rows.setter
        def rows(self, value): ...

    scheduler, job = Scheduler(8), Fickle()
    scheduler.add(job)
    assert ticks(scheduler, 3) == [[job]] * 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"max_rows": 1}, "max_rows is 1"), ({"capture_interval": 0}, "capture_interval is 0")],
)
def test_settings_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Scheduler(**{"max_rows": 2} | wrong)
