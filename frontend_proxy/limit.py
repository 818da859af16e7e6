"""A bound on how much of one kind is in flight. Beyond it there is a clear refusal, never a queue."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from frontend_proxy.errors import Overloaded


class Limit:
    """A context manager that at most `most` holders may be inside at once; not for threads.

    Entering a full one raises Overloaded.
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


class LimitEach:
    """Like `Limit`, for each of many owners on its own."""

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self._in_flight: Counter[str] = Counter()

    @contextmanager
    def held(self, owner: str) -> Iterator[None]:
        """Raises Overloaded."""
        if self._in_flight[owner] >= self.most:
            raise Overloaded(f"{self.most} {self.what} are open already; close one, or try again in a moment")
        self._in_flight[owner] += 1
        try:
            yield
        finally:
            self._in_flight[owner] -= 1
            if not self._in_flight[owner]:
                del self._in_flight[owner]
