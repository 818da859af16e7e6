"""One place where a disk's errors become errors for clients."""

from collections.abc import Iterator
from contextlib import contextmanager

from frontend_proxy.errors import InsufficientStorage


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raises InsufficientStorage for an OSError; FileNotFoundError stays as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InsufficientStorage(
            f"the result cannot be stored: {error.strerror}; try again later"
        ) from error
