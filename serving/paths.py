"""Folders: whose path Triton can use, and for what is kept between starts."""

import os
import re
from pathlib import Path

# Triton starts a model's Python process through a shell and does not quote the path, and that process reads
# paths as ASCII. A colon would split PATH.
_UNUSABLE = re.compile(r"[^A-Za-z0-9_./,+=@~#%-]")


def path_fault(path: Path) -> str | None:
    """Why Triton cannot serve from this folder, and what to do, in one sentence; None if it can."""
    if unusable := _UNUSABLE.search(str(path)):
        return (
            f"the path {path} contains {unusable[0]!r}, which Triton cannot handle: move the folder to a "
            "path of ASCII letters, digits and _ - . only"
        )
    return None


def cache_folder() -> Path:
    """For what takes only time to make again, as the XDG Base Directory Specification has it."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lucy-serve"
