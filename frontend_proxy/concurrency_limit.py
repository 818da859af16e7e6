"""Limits on how many requests of one kind are in flight. Above a limit a request is refused, never queued."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from frontend_proxy.errors import Overloaded


class ConcurrencyLimit:
    """A context manager that at most `most` holders are inside of at once. Not thread-safe.

    Entering it when it is full raises Overloaded.
    """

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self.in_flight = 0

    def __enter__(self) -> None:
        if self.in_flight >= self.most:
            raise Overloaded(f"{self.most} {self.what} are in flight already; try again in a moment")
        self.in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.in_flight -= 1


class ConcurrencyLimitPerOwner:
    """A separate `ConcurrencyLimit` for each owner."""

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
