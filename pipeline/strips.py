"""Large pictures in strips of rows, so that temporary copies stay small and in the processor's cache."""

from collections.abc import Iterator

ROWS = 64


def strips(start: int, stop: int, rows: int = ROWS) -> Iterator[slice]:
    """Slices of at most `rows` rows which together cover the rows from `start` to `stop`."""
    for top in range(start, stop, rows):
        yield slice(top, min(top + rows, stop))
