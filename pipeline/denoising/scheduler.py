"""Which jobs advance in the next UNet call: continuous batching of denoising steps, across users and modes.

Jobs join and leave between ticks, so nobody waits for another's 25 steps, and users who come at once share
the network's batches (iteration-level scheduling, Yu et al., "Orca", OSDI 2022).

Keyframes are live, so they go first. Captures advance at least every `capture_interval` ticks; while a
keyframe is at other stages, which want the same processor, they have no larger share of the time than that.

This is the policy alone: it knows no clock, no event loop and no network. `stepper.py` runs it, and
`benchmarks/capacity` simulates it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Schedulable(Protocol):
    """What the policy needs to know of a job."""

    @property
    def live(self) -> bool:
        """Whether somebody waits for it in real time: a keyframe."""

    @property
    def rows(self) -> int:
        """Its share of a batch: 1, or 2 under classifier-free guidance."""


JobT = TypeVar("JobT", bound=Schedulable)


@dataclass(frozen=True)
class Tick(Generic[JobT]):
    """What is to be done now.

    jobs: that advance together, in one batch; none: wait.
    wait_s: seconds until the scheduler is to be asked again; sooner where a live job comes, or the last of
        them ends.
    """

    jobs: list[JobT]
    wait_s: float = 0.0


@dataclass
class _Entry(Generic[JobT]):
    job: JobT
    last_tick: int = -1


class Scheduler(Generic[JobT]):
    """The policy and its state.

    max_rows: how many rows the network takes at once, 2 or more.
    capture_interval: beside live jobs, the others advance every so many ticks. Where a row more in a
        batch costs little (a GPU), 1 is best; on a CPU a row costs nearly its full time.
    """

    def __init__(self, max_rows: int, capture_interval: int = 3):
        if max_rows < 2:
            raise ValueError(f"max_rows is {max_rows}, but a guided job needs 2")
        if capture_interval < 1:
            raise ValueError(f"capture_interval is {capture_interval}, but it counts ticks: 1 or more")
        self._max_rows = max_rows
        self._capture_interval = capture_interval
        self._entries: list[_Entry[JobT]] = []  # in order of arrival
        self._tick = 0
        self._last_capture_tick = 0
        self._captures_resume_at = 0.0
        self._live_under_way = 0

    @property
    def jobs(self) -> list[JobT]:
        """In order of arrival."""
        return [entry.job for entry in self._entries]

    def add(self, job: JobT) -> None:
        """Raises ValueError for a job that fits into no batch."""
        if job.rows > self._max_rows:
            raise ValueError(f"a job of {job.rows} rows does not fit into a batch of {self._max_rows}")
        self._entries.append(_Entry(job))

    def remove(self, job: JobT) -> None:
        self._entries = [entry for entry in self._entries if entry.job is not job]

    def live_begins(self) -> None:
        """A live job is under way at any stage, here or at those before and after."""
        self._live_under_way += 1

    def live_ends(self) -> bool:
        """Whether that was the last of them, so that captures need not wait any longer."""
        self._live_under_way -= 1
        return not self._live_under_way

    def schedule(self, now: float) -> Tick[JobT]:
        """The next tick; there must be jobs. now: seconds, of any clock that only goes forward."""
        live = [entry for entry in self._entries if entry.job.live]
        if not live and self._live_under_way and now < self._captures_resume_at:
            return Tick([], self._captures_resume_at - now)
        captures = [entry for entry in self._entries if not entry.job.live]
        captures.sort(key=lambda entry: entry.last_tick)  # stable: the longest waiting first

        order = live
        if not captures:
            self._last_capture_tick = self._tick
        elif not live or self._tick - self._last_capture_tick >= self._capture_interval:
            self._last_capture_tick = self._tick
            order = captures[:1] + live + captures[1:]  # the first is sure of its room

        picked, room = [], self._max_rows
        for entry in order:
            if entry.job.rows <= room:
                picked.append(entry.job)
                room -= entry.job.rows
        return Tick(picked)

    def update(self, advanced: Sequence[JobT], began: float, now: float) -> None:
        """A tick is over. advanced: the jobs that took their step. began, now: when it began and ended."""
        for entry in self._entries:
            if any(entry.job is job for job in advanced):
                entry.last_tick = self._tick
        self._tick += 1
        self._captures_resume_at = now + (self._capture_interval - 1) * (now - began)
