"""Values that are kept from a session's last keyframe for its next one."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

# Seconds after which a session is over; a client sends a keyframe every 2 s.
MAX_AGE_S = 30.0


class SessionCache(Generic[Value]):
    """The last value of each session: an LRU cache whose entries expire.

    max_sessions: its size.
    """

    def __init__(self, max_sessions: int, clock: Callable[[], float] = time.monotonic):
        self._max_sessions = max_sessions
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Value]] = OrderedDict()  # the latest last

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, session: str | None) -> Value | None:
        self._evict()
        if session is None or session not in self._kept:
            return None
        return self._kept[session][1]

    def keep(self, session: str, value: Value) -> None:
        self._kept[session] = self._clock(), value
        self._kept.move_to_end(session)
        self._evict()

    def _evict(self) -> None:
        oldest = self._clock() - MAX_AGE_S
        while self._kept:
            at, _ = next(iter(self._kept.values()))
            if at >= oldest and len(self._kept) <= self._max_sessions:
                return
            self._kept.popitem(last=False)
