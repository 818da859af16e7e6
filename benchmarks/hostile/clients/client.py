"""What every kind of hostile client has in common."""

import itertools
from typing import Protocol

from benchmarks.hostile.target import Target


class HostileClient(Protocol):
    """One kind of attack.

    period_s: seconds from one attempt to the next, over all source addresses together.
    at_once: the most attempts in progress; one that is due beyond that is left out.
    within_s: after that an attempt is given up.
    endless: it sends until it is refused, so it must be refused.
    """

    name: str
    period_s: float
    at_once: int
    within_s: float
    endless: bool

    def prepare(self) -> None:
        """Make what it sends, before the time is measured."""

    async def attempt(self, target: Target, source: str) -> str:
        """Attack once from the address `source`; what came of it (see `connection.Connection`)."""


class Defaults:
    """What most kinds have."""

    at_once = 4
    within_s = 20.0
    endless = False

    def prepare(self) -> None:
        return None


class Endless(Defaults):
    """Sends `opening` once and then `repeated` for `seconds`, unless it is refused."""

    at_once = 2
    endless = True
    seconds = 5.0
    opening = b""
    repeated: bytes

    def __init__(self) -> None:
        self.alternate = itertools.cycle((True, False))
