"""Which keyframes go to the model, in which order, and how full the server is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from frontend_proxy.errors import Overloaded
from frontend_proxy.fair_queue import FairQueue
from frontend_proxy.keyframes.degradation import Degradation

INTERVAL_S = 1.5  # between two keyframes of a session
WAIT_SHARE = 0.2  # of `timeout_s`: a keyframe that waited longer for a slot would not be answered in time


class Admission:
    """At most `most` keyframes are at the model at once; the fuller it is, the fewer steps each gets.

    It is full if there are `most`, or if the oldest has taken all of `timeout_s` or twice `INTERVAL_S`: a
    session whose answer takes longer than `INTERVAL_S` loses keyframes, since its next one replaces the one
    that waits. When all slots are taken, keyframes wait in a `FairQueue` of callers, so that one caller with
    many sockets cannot take every slot.
    """

    def __init__(self, most: int, timeout_s: float) -> None:
        self._most = most
        self._timeout_s = timeout_s
        self._in_flight = 0
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue(most_per_caller=most)
        self._degradation = Degradation()
        self._started: dict[object, float] = {}  # in order

    @asynccontextmanager
    async def admitted(self, caller: str) -> AsyncIterator[int]:
        """Inside, the keyframe has a slot; yields the level of `Degradation`.

        Raises Overloaded if the caller's queue is full, or after `WAIT_SHARE` of the timeout in it.
        """
        level = self._level()
        await self._take_slot(caller)
        try:
            ticket = object()
            self._started[ticket] = time.monotonic()
            try:
                yield level
            finally:
                del self._started[ticket]
        finally:
            self._release_slot()
        self._level()  # so that degradation learns at once that the load has fallen

    async def _take_slot(self, caller: str) -> None:
        if self._in_flight < self._most:  # nobody waits: a free slot is handed to the queue first
            self._in_flight += 1
            return
        granted = asyncio.get_running_loop().create_future()
        if not self._waiting.push(caller, granted):
            raise Overloaded(f"{self._most} keyframes of this client wait already; try again in a moment")
        try:
            async with asyncio.timeout(self._timeout_s * WAIT_SHARE):
                await granted
        except BaseException as error:
            if granted.done() and not granted.cancelled():
                self._release_slot()  # granted at the moment of the timeout or cancellation
            else:
                self._waiting.remove(caller, granted)
            if isinstance(error, TimeoutError):
                raise Overloaded(
                    f"{self._most} keyframes are in flight already; try again in a moment"
                ) from None
            raise

    def _release_slot(self) -> None:
        """Hand the slot to the keyframe that is next in the queue, or free it."""
        granted = self._waiting.pop()
        while granted is not None and granted.done():  # cancelled, and not removed yet
            granted = self._waiting.pop()
        if granted is None:
            self._in_flight -= 1
        else:
            granted.set_result(None)

    def _level(self) -> int:
        now = time.monotonic()
        oldest = next(iter(self._started.values()), now)
        full_after = min(self._timeout_s, 2 * INTERVAL_S)
        pressure = max(self._in_flight / self._most, (now - oldest) / full_after)
        return self._degradation.level(pressure, now)
