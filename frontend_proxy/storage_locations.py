"""Where results and saved fabrics are stored. Results expire and are deleted, so the two must not overlap."""

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit


def overlap(one: str | Path, other: str | Path) -> bool:
    """Whether one location is the other, or lies inside it. A location is a folder or a URL.

    Cautious: names that differ in case only count as one, as on some file systems.
    """
    first, second = _parts(one), _parts(other)
    shorter = min(len(first), len(second))
    if first[:shorter] == second[:shorter]:
        return True
    folders = [folder for folder in (_folder(one), _folder(other)) if folder is not None]
    return len(folders) == 2 and (_is_inside(*folders) or _is_inside(*reversed(folders)))


def _folder(location: str | Path) -> Path | None:
    """The folder, without symbolic links; None for a bucket."""
    if isinstance(location, str):
        if not location.lower().startswith("file:"):
            return None
        location = Path(unquote(urlsplit(location).path))
    return Path(os.path.realpath(location.expanduser()))


def _parts(location: str | Path) -> list[str]:
    """("file", "/", "srv", …) or ("s3", "bucket", …)."""
    folder = _folder(location)
    if folder is not None:
        return ["file", *_casefold(folder.parts)]
    url = urlsplit(str(location))
    path = posixpath.normpath("/" + unquote(url.path).lstrip("/"))
    return list(_casefold([url.scheme, url.hostname or "", *filter(None, path.split("/"))]))


def _casefold(names: Iterable[str]) -> list[str]:
    return [name.casefold() for name in names]


def _is_inside(folder: Path, other: Path) -> bool:
    """Whether `other` or a parent is the same folder of the disk: a bind mount, or another spelling."""
    for parent in (other, *other.parents):
        try:
            if os.path.samefile(folder, parent):
                return True
        except OSError:  # one of them does not exist
            continue
    return False
