"""Whether anything that decides an export has changed since the last look at it, as make tells: by the files'
times.

A look reads and hashes the checkpoint, and parses the export's code and the models' configurations. That
takes a second, for which each `make serve` would wait.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from export.manifest import MODULES, PACKAGES
from export.request import ROOT
from serving.installed import installed_version

FILE = "last_look.json"  # beside manifest.json


class LastLook:
    """Of an export of profile cpu, which depends on files and packages alone.

    request: export.request.recorded. A checkpoint that is on no disk, but on the hub, is looked at each time.
    """

    def __init__(self, repository: Path, request: Mapping[str, Any]):
        self._file = repository / FILE
        named = [request["checkpoint"], *(path for path, _ in request["loras"]), request.get("densepose")]
        self._places = [ROOT / name for name in named if name]
        self._places += [repository, *(ROOT / name for name in ("export", "families", *MODULES))]
        self._found = self._state()

    def is_current(self) -> bool:
        """Whether the last look found the same files and packages."""
        with suppress(OSError, ValueError):
            return self._found is not None and self._found == json.loads(self._file.read_text())
        return False

    def remember(self) -> None:
        """Call it when a look found nothing to do. Files that have changed meanwhile are looked at again."""
        if self._found is None or self._found != self._state():
            return
        partial = self._file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):  # a repository that is read-only is looked at each time
            partial.write_text(json.dumps(self._found))
            partial.replace(self._file)

    def _state(self) -> dict[str, Any] | None:
        """None if a place is missing."""
        if not all(place.exists() for place in self._places):
            return None
        files = {str(path): _identity(path) for path in _files(self._places) if path != self._file}
        return {"files": files, "packages": {name: installed_version(name) for name in PACKAGES}}


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_file():
            yield place
        for folder, inner, names in os.walk(place):
            inner[:] = [name for name in inner if name != "__pycache__"]
            yield from (Path(folder, name) for name in names)


def _identity(path: Path) -> list[int]:
    """Changes with every write: a time of the inode cannot be set back."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
