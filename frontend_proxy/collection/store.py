"""The folder of rows, in the layout of training.finetune: a folder for each, within that of its person.

A row appears whole: it is written beside and renamed. Several proxies may share the folder.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from frontend_proxy.captures.record import RESULT_ID
from frontend_proxy.errors import InsufficientStorage, NotFound

_ROW_ID = re.compile(RESULT_ID)
_UNFINISHED = ".unfinished-"


class RowStore:
    """Its methods touch the disk: call them in a thread. most: rows that it holds."""

    def __init__(self, folder: Path, most: int):
        self._folder, self._most = folder, most

    def add(self, row_id: str, person: str | None, files: Mapping[str, bytes]) -> None:
        """person: whose folder it lies in; None: in one of its own. Raises InsufficientStorage."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if sum(1 for _ in self._rows()) >= self._most:
                raise InsufficientStorage(f"{self._most} rows are collected, and no more are stored here")
            parent = self._folder if person is None else self._folder / person
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._folder))
            try:
                for name, data in files.items():
                    (unfinished / name).write_bytes(data)
                parent.mkdir(exist_ok=True)
                unfinished.rename(parent / row_id)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
        except OSError as error:
            raise InsufficientStorage(f"the row cannot be stored: {error.strerror}") from error

    def remove(self, row_id: str, owner: str | None) -> None:
        """Raises NotFound, also for a row of another owner."""
        missing = NotFound(f"there is no row {row_id[:100]!r}")
        if not _ROW_ID.fullmatch(row_id):
            raise missing
        row = next((it for it in self._rows() if it.name == row_id), None)
        if row is None:
            raise missing
        try:
            if json.loads((row / "row.json").read_text()).get("owner") != owner:
                raise missing
        except (OSError, ValueError):
            raise missing from None
        # Out of sight at once, whatever the disk then does.
        gone = self._folder / f"{_UNFINISHED}{row_id}"
        row.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        if row.parent != self._folder and not any(row.parent.iterdir()):
            row.parent.rmdir()

    def _rows(self) -> Iterator[Path]:
        for pattern in ("*/row.json", "*/*/row.json"):
            for path in self._folder.glob(pattern):
                if not path.parent.name.startswith(_UNFINISHED):
                    yield path.parent


def folder_of(person: str, owner: str | None) -> str:
    """A folder's name for a person of an owner, from which the name cannot be read."""
    return "person-" + hashlib.sha256(f"{owner}\n{person}".encode("utf-8", "surrogatepass")).hexdigest()[:24]
