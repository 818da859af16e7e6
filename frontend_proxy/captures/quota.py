"""How many bytes captures' pictures may take of a disk that holds other things, too."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from frontend_proxy.errors import InsufficientStorage

MEASURED_FOR_S = 10.0  # after that the folder is looked at again, for what others add and what was removed


class Quota:
    """Of `folder`, which several proxies may share: each may go over it by what the others add meanwhile."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes = 0
        self._measured_at = -MEASURED_FOR_S

    def check(self) -> None:
        """Raises InsufficientStorage where all of it is taken. Call it in a thread: it looks at the disk."""
        with self._lock:
            now = time.monotonic()
            if now - self._measured_at >= MEASURED_FOR_S:
                self._bytes, self._measured_at = sum(_sizes(self._folder)), now
            if self._bytes >= self._max_bytes:
                raise InsufficientStorage(
                    f"the results that are kept take {self._bytes / 1e6:.0f} MB, all they may; "
                    "delete some, or try again when their time is over"
                )

    def add(self, size: int) -> None:
        """So many bytes were written."""
        with self._lock:
            self._bytes += size


def _sizes(folder: Path) -> Iterator[int]:
    """Of its files and its folders' files; what is removed meanwhile has none."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _sizes(Path(entry.path))
                    else:
                        yield entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue
    except (FileNotFoundError, NotADirectoryError):
        return
