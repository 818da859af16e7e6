"""A file whose content is read again when it has changed: keys are rotated without a restart."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Content = TypeVar("Content")


class WatchedFile(Generic[Content]):
    """`parse(text)` of the file. It must be there and valid at first; later faults keep the last content."""

    def __init__(self, path: Path, parse: Callable[[str], Content]) -> None:
        self._path = path
        self._parse = parse
        self._version = self._current_version()
        self._content = parse(path.read_text())

    def read(self) -> Content:
        try:
            version = self._current_version()
            if version != self._version:
                self._version = version
                self._content = self._parse(self._path.read_text())
                logger.info("%s has changed and is read anew", self._path.name)
        except Exception:  # whatever `parse` raises, or the disk
            logger.exception("%s cannot be read; what was in it before still holds", self._path.name)
        return self._content

    def _current_version(self) -> tuple[int, int, int]:
        """A file that is replaced has another inode, one that is written another time."""
        stat = self._path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size
