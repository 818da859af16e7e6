"""Continuous batching of denoising steps, across users and modes.

While there are jobs, one task ticks: it picks the jobs that advance, asks for all their predictions in
one call, and hands each job its own. Jobs join and leave between ticks, so nobody waits for another's
25 steps, and users who come at once share the network's batches (iteration-level scheduling, Yu et al.,
"Orca", OSDI 2022).

Keyframes are live, so they go first; captures advance at least every `capture_interval` ticks, and while
a keyframe is at other stages, which want the same processor, no more often than that. A job that fails
fails alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol


class Job(Protocol):
    """What the stepper needs to know of one picture under way."""

    live: bool  # somebody waits for it in real time: a keyframe
    rows: int  # its share of a batch: 1, or 2 under classifier-free guidance

    @property
    def done(self) -> bool: ...

    def cancelled(self) -> bool:
        """Whether nobody wants the picture any more; asked before every tick."""

    def advance(self, prediction: Any) -> None:
        """Take one step with the network's prediction for this job."""


class Cancelled(Exception):
    """The job was dropped because nobody wants its picture any more."""


class _Ticket:
    def __init__(self, job: Job):
        self.job = job
        self.last_tick = -1
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close(self, error: Exception | None = None) -> None:
        if self.finished.done():
            return
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)


class Stepper:
    """Advances jobs together. Use it from one event loop.

    predict: takes the jobs of a tick, returns one prediction for each, in order.
    max_rows: how many rows the network takes at once, 2 or more.
    capture_interval: beside live jobs, the others advance every so many ticks. Where a row more in a
        batch costs little (a GPU), 1 is best; on a CPU a row costs nearly its full time.
    """

    def __init__(
        self,
        predict: Callable[[Sequence[Job]], Awaitable[Sequence[Any]]],
        max_rows: int,
        capture_interval: int = 3,
    ):
        if max_rows < 2:
            raise ValueError(f"max_rows is {max_rows}, but a guided job needs 2")
        if capture_interval < 1:
            raise ValueError(f"capture_interval is {capture_interval}, but it counts ticks: 1 or more")
        self._predict = predict
        self._max_rows = max_rows
        self._capture_interval = capture_interval
        self._tickets: list[_Ticket] = []  # in order of arrival
        self._tick = 0
        self._last_capture_tick = 0
        self._ticking: asyncio.Task[None] | None = None
        self._live_under_way = 0
        self._give_way_no_longer = asyncio.Event()

    @contextmanager
    def live_under_way(self) -> Iterator[None]:
        """Around all of a live job's way: `run`, and the stages before and after it."""
        self._live_under_way += 1
        try:
            yield
        finally:
            self._live_under_way -= 1
            if not self._live_under_way:
                self._give_way_no_longer.set()

    async def run(self, job: Job) -> None:
        """Advance `job` until it is done.

        Raises Cancelled when the job was cancelled on the way, else what `predict` or `advance` raised.
        """
        if job.rows > self._max_rows:
            raise ValueError(f"a job of {job.rows} rows does not fit into a batch of {self._max_rows}")
        ticket = _Ticket(job)
        self._tickets.append(ticket)
        if job.live:
            self._give_way_no_longer.set()
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick_while_jobs())
        await ticket.finished

    async def _tick_while_jobs(self) -> None:
        clock = asyncio.get_running_loop().time
        pause = 0.0
        while self._drop_ended():
            if self._gives_way(pause):
                await self._give_way(pause)
                pause = 0.0
                continue  # others may have come, and some may have been cancelled
            began = clock()
            await self._step(self._pick())
            self._tick += 1
            pause = (self._capture_interval - 1) * (clock() - began)

    def _gives_way(self, pause: float) -> bool:
        """Whether captures, which are alone here, are to pause for a live job elsewhere."""
        return pause > 0 and self._live_under_way > 0 and not any(it.job.live for it in self._tickets)

    async def _give_way(self, seconds: float) -> None:
        """For so long, unless a live job comes here before, or the last of them has gone."""
        self._give_way_no_longer.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._give_way_no_longer.wait(), seconds)

    def _drop_ended(self) -> list[_Ticket]:
        for ticket in self._tickets:
            if ticket.job.done:
                ticket.close()
            elif ticket.job.cancelled():
                ticket.close(Cancelled())
        self._tickets = [ticket for ticket in self._tickets if not ticket.finished.done()]
        return self._tickets

    def _pick(self) -> list[_Ticket]:
        live = [ticket for ticket in self._tickets if ticket.job.live]
        captures = [ticket for ticket in self._tickets if not ticket.job.live]
        captures.sort(key=lambda ticket: ticket.last_tick)  # stable: the longest waiting first

        turn = live
        if not captures:
            self._last_capture_tick = self._tick
        elif not live or self._tick - self._last_capture_tick >= self._capture_interval:
            self._last_capture_tick = self._tick
            turn = captures[:1] + live + captures[1:]  # the first is sure of its room

        picked, room = [], self._max_rows
        for ticket in turn:
            if ticket.job.rows <= room:
                picked.append(ticket)
                room -= ticket.job.rows
        return picked

    async def _step(self, tickets: list[_Ticket]) -> None:
        try:
            predictions = await self._predict([ticket.job for ticket in tickets])
        except Exception as error:
            if len(tickets) == 1:
                tickets[0].close(error)
                return
            for ticket in tickets:  # one of them is to blame: find it, and spare the others
                await self._step([ticket])
            return
        for ticket, prediction in zip(tickets, predictions, strict=True):
            ticket.last_tick = self._tick
            try:
                ticket.job.advance(prediction)
            except Exception as error:
                ticket.close(error)
