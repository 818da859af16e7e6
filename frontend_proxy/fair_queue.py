"""A queue that is fair to its callers: round-robin over them, first come, first served within each."""

from collections import deque
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class FairQueue(Generic[Entry]):
    """One FIFO queue for each caller that waits; `pop` goes round the callers.

    However many entries a caller has, every other caller's first entry comes out before the caller's second.
    """

    def __init__(self, most_per_caller: int) -> None:
        self._most_per_caller = most_per_caller
        self._queues: dict[str, deque[Entry]] = {}  # in the order in which the callers are served next
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, caller: str, entry: Entry) -> bool:
        """Append an entry. Returns False, without it, if the caller has `most_per_caller` already."""
        queue = self._queues.setdefault(caller, deque())
        if len(queue) >= self._most_per_caller:
            return False
        queue.append(entry)
        self._length += 1
        return True

    def pop(self) -> Entry | None:
        """The oldest entry of the caller that was served longest ago; None if the queue is empty."""
        if not self._queues:
            return None
        caller = next(iter(self._queues))
        queue = self._queues.pop(caller)
        entry = queue.popleft()
        if queue:
            self._queues[caller] = queue  # to the end of the round
        self._length -= 1
        return entry

    def remove(self, caller: str, entry: Entry) -> None:
        """Take an entry out, if it is in the queue."""
        queue = self._queues.get(caller)
        if queue is None or entry not in queue:
            return
        queue.remove(entry)
        if not queue:
            del self._queues[caller]
        self._length -= 1
