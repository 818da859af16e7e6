"""A limit for each owner. Above it a request is refused, never queued."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from frontend_proxy.errors import Overloaded


class ConcurrencyLimitPerOwner:
    """At most `most` of each owner at once. Not thread-safe."""

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self._in_flight: Counter[str] = Counter()

    @contextmanager
    def held(self, owner: str) -> Iterator[None]:
        """Raises Overloaded if the owner holds `most` already."""
        if self._in_flight[owner] >= self.most:
            raise Overloaded(f"{self.most} {self.what} are open already; close one, or try again in a moment")
        self._in_flight[owner] += 1
        try:
            yield
        finally:
            self._in_flight[owner] -= 1
            if not self._in_flight[owner]:
                del self._in_flight[owner]
