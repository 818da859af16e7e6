"""A bound on how much of one kind is in flight. Beyond it there is a clear refusal, never a queue."""

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
