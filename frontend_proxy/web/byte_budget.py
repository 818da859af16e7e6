"""A budget for the bytes of requests and messages that the proxy holds, in total and per address."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from frontend_proxy.errors import ProxyError, TooManyRequests

_RETRY_AFTER_S = 2


class ServerFull(ProxyError):
    """All addresses together hold as many bytes as is allowed."""

    code, status, retry_after = "OVERLOADED", 503, _RETRY_AFTER_S


class Hold:
    """Bytes that one request or message takes of the budget.

    They are given back by `release`, or when the last reference to the hold goes, so a hold that is kept
    beside the data counts for exactly as long as the data lives.
    """

    def __init__(self, budget: "ByteBudget", address: str) -> None:
        self._budget = budget
        self.address = address
        self.size = 0

    def grow(self, size: int) -> None:
        """Take `size` bytes more. Raises TooManyRequests or ServerFull, and then takes none."""
        self._budget._grow(self, size)

    @contextmanager
    def evictable(self, evict: Callable[[], None]) -> Iterator[None]:
        """Inside, the budget may take all bytes back for a smaller caller, and calls `evict` then."""
        self.start_arriving(evict)
        try:
            yield
        finally:
            self.end_arriving()

    def start_arriving(self, evict: Callable[[], None]) -> None:
        """The two halves of `evictable`, for code that is called back."""
        self._budget._arriving[self.address][self] = evict

    def end_arriving(self) -> None:
        arriving = self._budget._arriving
        arriving[self.address].pop(self, None)
        if not arriving[self.address]:
            del arriving[self.address]

    def split(self, size: int) -> "Hold":
        """A new hold that takes over `size` of these bytes, or all where there are fewer."""
        other = Hold(self._budget, self.address)
        other.size = min(size, self.size)
        self.size -= other.size
        return other

    def release(self) -> None:
        """Give all bytes back; the hold may grow again."""
        self._budget._give_back(self.address, self.size)
        self.size = 0

    def __del__(self) -> None:
        """The garbage collector may call this in any thread, and in the middle of the budget's own work."""
        if self.size:
            self._budget._dropped.append((self.address, self.size))


class ByteBudget:
    """At most `total` bytes, and `per_address` of one address. Use it from one event loop.

    When the total is used up, a caller whose address holds more than any other is refused. Any other caller
    is admitted, and the largest unfinished request of the heaviest address is evicted for it: a few
    addresses that fill the server with unfinished requests must not lock out the rest. Nobody waits.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._held: Counter[str] = Counter()
        self._arriving: defaultdict[str, dict[Hold, Callable[[], None]]] = defaultdict(dict)
        self._sum = 0
        self._dropped: deque[tuple[str, int]] = deque()  # of holds that were not released, still in `_held`

    @property
    def held(self) -> int:
        self._collect()
        return self._sum

    def hold(self, address: str) -> Hold:
        """An empty hold of this address."""
        return Hold(self, address)

    def _grow(self, hold: Hold, size: int) -> None:
        self._collect()
        wanted = self._held[hold.address] + size
        if wanted > self._per_address:
            raise TooManyRequests(
                f"requests of this address hold {self._per_address} bytes already; try again in a moment",
                _RETRY_AFTER_S,
            )
        while self._sum + size > self._total:
            if not self._evict_one(heavier_than=wanted):
                raise self._refusal(hold.address)
        self._held[hold.address] += size
        self._sum += size
        hold.size += size

    def _evict_one(self, heavier_than: int) -> bool:
        address = max(self._arriving, key=self._held.__getitem__, default=None)
        if address is None or self._held[address] <= heavier_than:
            return False
        victim = max(self._arriving[address], key=lambda hold: hold.size)
        evict = self._arriving[address][victim]
        victim.end_arriving()
        victim.release()
        evict()
        return True

    def _refusal(self, address: str) -> ProxyError:
        others = self._sum > self._held[address]
        if others and self._held[address] == max(self._held.values()):
            return TooManyRequests(
                "the server is full, and this address holds more than any other; try again in a moment",
                _RETRY_AFTER_S,
            )
        return ServerFull("the server holds as many bytes of requests as it may; try again in a moment")

    def _collect(self) -> None:
        while self._dropped:
            self._give_back(*self._dropped.popleft())

    def _give_back(self, address: str, size: int) -> None:
        self._sum -= size
        self._held[address] -= size
        if not self._held[address]:
            del self._held[address]
