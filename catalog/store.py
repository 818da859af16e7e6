"""A folder of fabrics: one JSON file each, and textures named after their content.

Readers take no lock: a fabric's file is written beside its place and renamed, after its textures.
Writers of all processes take one `flock`. So an id is given once, and a texture is not removed while
another fabric begins to use it.
"""

import errno
import fcntl
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.document import (
    MAX_DOCUMENT_BYTES,
    RESERVED,
    Contents,
    Maps,
    catalog_full,
    compose,
    describe,
    free_id,
    from_json,
    not_found,
    taken_id,
    to_json,
)
from catalog.errors import CatalogError
from catalog.schema import ID, Fabric, FabricDetails, Role, Texture

log = logging.getLogger(__name__)

LOCK_WAIT_S = 10.0
_LOCK_POLL_S = 0.02


class Store:
    """`folder/fabrics/<id>.json` and `folder/textures/<sha256>.<jpg|png|webp>`, made when needed.

    Holds at most `max_fabrics`. Writing raises CatalogError STORAGE if that is exceeded or the folder
    cannot be written, and then leaves everything as it was. Everything raises CatalogError UNAVAILABLE if
    the disk does not answer as it should, and writing also if another process keeps the lock.
    """

    def __init__(self, folder: Path, max_fabrics: int | None = None) -> None:
        self._folder = folder
        self._max_fabrics = max_fabrics
        self._fabrics = folder / "fabrics"
        self.textures = folder / "textures"

    def refresh(self) -> None:
        """Does nothing: the folder is read at each call."""

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Changes whenever a fabric is added, replaced, removed, or made readable.

        A rename gives a new inode, and a change of permissions a new time of status change.
        """
        with _read_errors():
            try:
                with os.scandir(self._fabrics) as entries:
                    return tuple(sorted(_stamp(entry) for entry in entries if entry.name.endswith(".json")))
            except (FileNotFoundError, NotADirectoryError):
                return ()

    def read(self) -> Contents:
        """All fabrics. A file that is damaged or cannot be read is logged and left out."""
        fabrics, damaged, unreadable = {}, set(), set()
        for name in sorted(self._names()):
            try:
                fabric = _load(self._fabrics / f"{name}.json")
            except FileNotFoundError:  # deleted meanwhile
                continue
            except OSError as error:
                log.error("the fabric %s cannot be read and is left out: %s", name, error)
                unreadable.add(name)
                continue
            if fabric is None:
                damaged.add(name)
            else:
                fabrics[name] = fabric
        return Contents(fabrics, frozenset(damaged), frozenset(unreadable))

    def get(self, fabric_id: str) -> Fabric | None:
        """One fabric, by reading only its own file; None if it does not exist or the text cannot be an id."""
        if not ID.fullmatch(fabric_id):
            return None
        with _read_errors():
            try:
                return _load(self._fabrics / f"{fabric_id}.json")
            except (FileNotFoundError, NotADirectoryError):
                return None

    def texture(self, filename: str) -> Path | None:
        """The path of a texture; `filename` is one that a texture may have."""
        path = self.textures / filename
        with _read_errors():
            return path if path.is_file() else None

    def add(
        self, details: FabricDetails, maps: Maps, taken: frozenset[str], fabric_id: str | None = None
    ) -> Fabric:
        """Write a new fabric; its id is `fabric_id` or comes from its name, and is none of `taken`."""
        with self._lock():
            own = frozenset(self._names())  # damaged ones keep their id
            if self._max_fabrics is not None and len(own) >= self._max_fabrics:
                raise catalog_full(len(own))
            taken |= own | RESERVED
            fabric_id = fabric_id or free_id(details.name, taken)
            if fabric_id in taken:
                raise taken_id(fabric_id)
            with self._new_textures(maps) as textures:
                return self._write(fabric_id, details, textures)

    def replace(self, fabric_id: str, details: FabricDetails, maps: Maps | None) -> Fabric:
        """Write other details, and other textures unless `maps` is None. Raises CatalogError NOT_FOUND."""
        with self._lock():
            old = self._existing(fabric_id)
            if maps is None:
                return self._write(fabric_id, details, old.textures)
            with self._new_textures(maps) as textures:
                fabric = self._write(fabric_id, details, textures)
            self._remove_unused({texture.filename for texture in old.textures.values()})
            return fabric

    def delete(self, fabric_id: str) -> None:
        """Remove a fabric and the textures that no other has. Raises CatalogError NOT_FOUND."""
        with self._lock():
            old = self._existing(fabric_id)
            (self._fabrics / f"{fabric_id}.json").unlink()
            self._remove_unused({texture.filename for texture in old.textures.values()})

    def _existing(self, fabric_id: str) -> Fabric:
        fabric = self.get(fabric_id)
        if fabric is None:
            raise not_found(fabric_id)
        return fabric

    def _names(self) -> list[str]:
        """The ids that files have, whatever is in them."""
        with _read_errors():
            try:
                return [name[:-5] for name in os.listdir(self._fabrics) if name.endswith(".json")]
            except (FileNotFoundError, NotADirectoryError):
                return []

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Exclude all other writers. A disk that is full or read-only becomes a CatalogError here."""
        try:
            self._fabrics.mkdir(parents=True, exist_ok=True)
            self.textures.mkdir(exist_ok=True)
            with open(self._folder / ".lock", "w") as file:
                _acquire(file.fileno())  # released when the file closes, also by a crash
                yield
        except OSError as error:
            log.error("the catalog's folder cannot be written: %s", error)
            reason = error.strerror or type(error).__name__
            raise CatalogError("STORAGE", f"the catalog cannot be changed: {reason}") from error

    @contextmanager
    def _new_textures(self, maps: Maps) -> Iterator[dict[Role, Texture]]:
        """Write the textures; after an error inside, remove those that no fabric has."""
        textures = describe(maps)
        try:
            for role, texture in textures.items():
                if not (self.textures / texture.filename).exists():
                    write_atomically(self.textures / texture.filename, maps[role][0])
            yield textures
        except BaseException:
            with suppress(OSError, CatalogError):  # the original error is more useful
                self._remove_unused({texture.filename for texture in textures.values()})
            raise

    def _write(self, fabric_id: str, details: FabricDetails, textures: dict[Role, Texture]) -> Fabric:
        fabric = compose(fabric_id, details, textures)
        write_atomically(self._fabrics / f"{fabric_id}.json", to_json(fabric))
        return fabric

    def _remove_unused(self, filenames: set[str]) -> None:
        for filename in self.read().unused(filenames):
            (self.textures / filename).unlink(missing_ok=True)


@contextmanager
def _read_errors() -> Iterator[None]:
    """A disk that fails (EIO), forgot the file (ESTALE) or refuses it (EACCES), as one CatalogError."""
    try:
        yield
    except OSError as error:
        log.error("the catalog's folder cannot be read: %s", error)
        raise CatalogError(
            "UNAVAILABLE", "the saved fabrics cannot be read; try again in a moment"
        ) from error


def _stamp(entry: os.DirEntry[str]) -> tuple[str, int, int]:
    """A file's name, inode and time of change; without the time if the disk does not tell it."""
    try:
        return entry.name, entry.inode(), entry.stat().st_ctime_ns
    except OSError:
        return entry.name, entry.inode(), 0


def _load(path: Path) -> Fabric | None:
    """None for a damaged file. Raises OSError. A pipe or a device in a file's place does not block."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return from_json(b"", path)
    with open(handle, "rb") as file:
        return from_json(file.read(MAX_DOCUMENT_BYTES + 1), path)


def _acquire(handle: int) -> None:
    """Take the lock, within `LOCK_WAIT_S`: a process that hangs with it must not stop all others."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if time.monotonic() > deadline:
                raise CatalogError(
                    "UNAVAILABLE", "another process is changing the catalog; try again in a moment"
                ) from error
        time.sleep(_LOCK_POLL_S)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a temporary file, flush it to disk, rename it: a reader sees the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
