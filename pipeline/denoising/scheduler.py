"""Decides which jobs take a denoising step in the next UNet call: continuous batching across users and modes.

Jobs join and leave between ticks. So no job waits until the 25 steps of another are over, and requests that
arrive together share batches (iteration-level scheduling, Yu et al., "Orca", OSDI 2022).

Keyframes are live: somebody waits for them in real time, so they have priority. Captures still advance at
least every `capture_interval` ticks. While a keyframe is in another stage, which needs the same processor,
captures pause between their ticks and use no larger share of the time than that. A pause that began beside a
keyframe outlasts it: a session's next keyframe often follows at once, and would wait for the captures' step.

Captures of a batch are patient: nobody waits for them, so they step while nothing else is in progress, and
otherwise once in `PATIENCE` ticks, so that they end all the same. While sessions send keyframes they step one
by one: a keyframe that comes waits for the call that is under way, and two rows take a CPU twice as long.

This module is the policy alone, without clock, event loop or network. `stepper.py` runs it, and
`benchmarks/capacity` simulates it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

PATIENCE = 20  # ticks
SESSION_S = 3.0  # after a keyframe the next one is expected: a frontend sends one every 1.5 s


class Schedulable(Protocol):
    """The properties of a job that the policy depends on. They must not change."""

    @property
    def live(self) -> bool:
        """Whether somebody waits for it in real time: a keyframe."""

    @property
    def patient(self) -> bool:
        """Whether nobody waits for it: a capture of a batch."""

    @property
    def rows(self) -> int:
        """Rows of the batch that it takes: 1, or 2 with classifier-free guidance."""


JobT = TypeVar("JobT", bound=Schedulable)


@dataclass(frozen=True)
class Tick(Generic[JobT]):
    """One decision of the scheduler.

    jobs: the jobs that take a step now, in one batch. Empty means: wait.
    wait_s: how many seconds to wait before the next `schedule`; less if a job is added that is not patient,
        or if the last live request ends.
    """

    jobs: list[JobT]
    wait_s: float = 0.0


@dataclass
class _Entry(Generic[JobT]):
    """The properties are read once: a job that raised here would stop every other job."""

    job: JobT
    live: bool
    patient: bool
    rows: int
    last_tick: int = -1


class Scheduler(Generic[JobT]):
    """The policy and its state.

    max_rows: rows of the largest batch that the network takes, 2 or more.
    capture_interval: while there are live jobs, captures advance once in this many ticks. 1 is best if one
        more row in a batch costs little (on a GPU); on a CPU a row costs nearly its full time.
    """

    def __init__(self, max_rows: int, capture_interval: int = 3):
        if max_rows < 2:
            raise ValueError(f"max_rows is {max_rows}; it must be at least 2, since a guided job has 2 rows")
        if capture_interval < 1:
            raise ValueError(
                f"capture_interval is {capture_interval}; it counts ticks and must be at least 1"
            )
        self._max_rows = max_rows
        self._capture_interval = capture_interval
        self._entries: list[_Entry[JobT]] = []  # in order of arrival
        self._tick = 0
        self._last_capture_tick = 0
        self._captures_resume_at = 0.0
        self._last_patient_tick = 0
        self._patient_resume_at = 0.0
        self._live_requests = 0
        self._last_live_at = -math.inf

    @property
    def jobs(self) -> list[JobT]:
        """All jobs, in order of arrival."""
        return [entry.job for entry in self._entries]

    def add(self, job: JobT) -> None:
        """Adds a job. Raises ValueError if it fits into no batch, or if it has been added already."""
        entry = _Entry(job, bool(job.live), bool(job.patient), int(job.rows))
        if not 1 <= entry.rows <= self._max_rows:
            raise ValueError(f"a job of {entry.rows} rows does not fit into a batch of {self._max_rows}")
        if any(other.job is job for other in self._entries):
            raise ValueError("this job has been added already")
        self._entries.append(entry)

    def remove(self, job: JobT) -> None:
        self._entries = [entry for entry in self._entries if entry.job is not job]

    def live_begins(self) -> None:
        """A live request has begun. It counts until `live_ends`, whatever stage it is in."""
        self._live_requests += 1

    def live_ends(self) -> bool:
        """A live request has ended. Returns True if it was the last: captures of a batch need not wait."""
        self._live_requests -= 1
        return not self._live_requests

    def schedule(self, now: float) -> Tick[JobT]:
        """The next tick; call it only while there are jobs. now: seconds, from any monotonic clock."""
        if self._live_requests:
            self._last_live_at = now
        live = [entry for entry in self._entries if entry.live]
        if not live and now < self._captures_resume_at:
            return Tick([], self._captures_resume_at - now)
        captures = [entry for entry in self._entries if not entry.live]
        if not self._patient_may_step(now):
            captures = [entry for entry in captures if not entry.patient]
            if not live and not captures:
                return Tick([], self._patient_resume_at - now)
        captures.sort(key=lambda entry: entry.last_tick)  # stable: the longest waiting is first
        if now - self._last_live_at < SESSION_S:
            first = next((entry for entry in captures if entry.patient), None)
            captures = [entry for entry in captures if entry is first or not entry.patient]

        order = live
        if not captures:
            self._last_capture_tick = self._tick
        elif not live or self._tick - self._last_capture_tick >= self._interval(captures[0], live[0]):
            self._last_capture_tick = self._tick
            order = captures[:1] + live + captures[1:]  # the first of them always has room

        picked, room = [], self._max_rows
        for entry in order:
            if entry.rows <= room:
                picked.append(entry.job)
                room -= entry.rows
        return Tick(picked)

    def _patient_may_step(self, now: float) -> bool:
        if not any(entry.patient for entry in self._entries):
            self._last_patient_tick = self._tick
        if self._tick - self._last_patient_tick >= PATIENCE:
            return True
        if any(not entry.patient for entry in self._entries):
            return False
        return not self._live_requests or now >= self._patient_resume_at

    def _interval(self, capture: _Entry[JobT], live: _Entry[JobT]) -> int:
        """Ticks between two steps of captures. At least 2 if the two jobs do not fit into one batch: else an
        interval of 1 would leave no tick to the live job."""
        together = capture.rows + live.rows <= self._max_rows
        return self._capture_interval if together else max(2, self._capture_interval)

    def update(self, advanced: Sequence[JobT], began: float, now: float) -> None:
        """Records a tick that is over. advanced: the jobs that took a step. began, now: its begin and end."""
        for entry in self._entries:
            if any(entry.job is job for job in advanced):
                entry.last_tick = self._tick
                if entry.patient:
                    self._last_patient_tick = self._tick
        self._tick += 1
        if self._live_requests:
            self._captures_resume_at = now + (self._capture_interval - 1) * (now - began)
        self._patient_resume_at = now + (PATIENCE - 1) * (now - began)
