"""Places that are limited in number, such as those of captures in progress, and each caller's share of them.

One caller may hold a part of the places that the others do not hold, so that some stay free for whoever comes
next. Whoever holds none may take what is free. Above a limit a request is refused, never queued.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from frontend_proxy.errors import Overloaded


def full(most: int, what: str) -> Overloaded:
    return Overloaded(f"all {most} places for {what} are taken; try again in a moment")


def over_share(most: int, what: str) -> Overloaded:
    return Overloaded(
        f"you have your share of the {most} places for {what} already; wait until one of yours has ended"
    )


class Places:
    """Not thread-safe.

    what: they are for, in the plural.
    share: the part of the free places and of its own that one caller may hold, at most 1.
    held: the holder of each place that is taken already.
    """

    def __init__(self, most: int, what: str, share: float = 1.0, held: Iterable[str | None] = ()) -> None:
        self.most = most
        self._what = what
        self._share = share
        self._held = Counter(held)

    @property
    def taken(self) -> int:
        return self._held.total()

    def check(self, holder: str | None, count: int = 1) -> None:
        """Raises Overloaded if the holder cannot take `count` places now. None has to share with nobody."""
        if self.taken + count > self.most:
            raise full(self.most, self._what)
        own = self._held[holder]
        available = self.most - self.taken + own
        if holder is not None and own and own + count > self._share * available:
            raise over_share(self.most, self._what)

    def take(self, holder: str | None, count: int = 1) -> None:
        """Raises as `check` does."""
        self.check(holder, count)
        self._held[holder] += count

    def give_back(self, holder: str | None, count: int = 1) -> None:
        self._held[holder] -= count
        self._held += Counter()  # forgets who holds none

    @contextmanager
    def held(self, holder: str | None, count: int = 1) -> Iterator[None]:
        """Inside, the holder has the places. Raises as `check` does."""
        self.take(holder, count)
        try:
            yield
        finally:
            self.give_back(holder, count)
