"""A limit on the bytes that captures' images take on a disk that holds other things, too."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from frontend_proxy.errors import InsufficientStorage
from frontend_proxy.settings import Settings

MEASURE_EVERY_S = 10.0  # to see what other proxies added and what was removed


class Quota:
    """Limits the bytes in `folder`. A proxy may exceed it by what others that share it add meanwhile."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes = 0
        self._measured_at = -MEASURE_EVERY_S

    def check(self) -> None:
        """Raises InsufficientStorage if the limit is reached. Call it in a thread: it reads the disk."""
        with self._lock:
            now = time.monotonic()
            if now - self._measured_at >= MEASURE_EVERY_S:
                self._bytes, self._measured_at = sum(_sizes(self._folder)), now
            if self._bytes >= self._max_bytes:
                raise InsufficientStorage(
                    f"the stored results take {self._bytes / 1e6:.0f} MB, the most that is allowed; "
                    "delete some, or try again when some have expired"
                )

    def add(self, size: int) -> None:
        """Count bytes that were written."""
        with self._lock:
            self._bytes += size


def shared_quota(settings: Settings) -> Quota | None:
    """Of the folder that several proxies share; None for a bucket, whose size is its owner's concern."""
    return None if settings.results_url else Quota(settings.results_dir, settings.max_results_bytes)


def _sizes(folder: Path) -> Iterator[int]:
    """The sizes of all files below the folder; files that are removed meanwhile are left out."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _sizes(Path(entry.path))
                    else:
                        yield entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue
    except OSError:
        return
