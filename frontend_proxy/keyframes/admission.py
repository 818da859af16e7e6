"""Which keyframes go to the model, and how full the server is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from frontend_proxy.keyframes.degradation import Degradation
from frontend_proxy.limit import Limit


class Admission:
    """At most `most` keyframes are at the model at once; the fuller it is, the fewer steps each gets.

    It is full when there are `most`, or when the oldest has taken all of `timeout_s`.
    """

    def __init__(self, most: int, timeout_s: float) -> None:
        self._limit = Limit(most, "keyframes")
        self._timeout_s = timeout_s
        self._degradation = Degradation()
        self._begun: dict[object, float] = {}  # in order

    @contextmanager
    def admitted(self) -> Iterator[int]:
        """Inside, the keyframe is at the model; gives the level of `Degradation`. Raises Overloaded."""
        level = self._level()
        with self._limit:
            ticket = object()
            self._begun[ticket] = time.monotonic()
            try:
                yield level
            finally:
                del self._begun[ticket]
        self._level()  # so that it is known since when it has been quiet

    def _level(self) -> int:
        now = time.monotonic()
        oldest = next(iter(self._begun.values()), now)
        pressure = max(self._limit.in_flight / self._limit.most, (now - oldest) / self._timeout_s)
        return self._degradation.level(pressure, now)
