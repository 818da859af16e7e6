"""Files that are there as a whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` at the end. What ends early leaves `path` as it was.

    Raises OSError, also of a full disk while torch writes, which makes a RuntimeError of its own of that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    except Exception as error:
        if (fault := _of_the_disk(error)) is not None and fault.filename is None:
            raise OSError(fault.errno, fault.strerror, str(path)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def _of_the_disk(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
