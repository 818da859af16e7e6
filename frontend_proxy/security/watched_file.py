"""A file that is read again when it changes, so keys are rotated without a restart."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Content = TypeVar("Content")


class WatchedFile(Generic[Content]):
    """The parsed content of a file, which must be valid at first; later errors keep the last valid content.

    version: how often the content has changed.
    """

    def __init__(self, path: Path, parse: Callable[[str], Content]) -> None:
        """Raises OSError, and what `parse` raises."""
        self._path = path
        self._parse = parse
        self._stat = self._current_stat()
        self._content = parse(path.read_text())
        self.version = 0

    def read(self) -> Content:
        """The content, parsed again if the file has changed."""
        try:
            stat = self._current_stat()
            if stat != self._stat:
                self._stat = stat
                self._content = self._parse(self._path.read_text())
                self.version += 1
                logger.info("%s changed and was read again", self._path.name)
        except Exception:  # whatever `parse` raises, or the disk
            logger.exception("%s cannot be read; its last valid content stays in use", self._path.name)
        return self._content

    def _current_stat(self) -> tuple[int, int, int]:
        """A replaced file has another inode, a rewritten one another modification time."""
        stat = self._path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size
