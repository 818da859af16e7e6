"""A folder of fabrics: one JSON file each, and textures named after their content.

Readers take no lock: a fabric's file is written beside and renamed into place, after its textures.
Writers of all processes take one `flock`, so that an id is given once and a texture that another
fabric just began to use is not removed.
"""

import fcntl
import hashlib
import logging
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from catalog.errors import CatalogError
from catalog.schema import EXTENSIONS, ID, REQUIRED_ROLES, ROLES, Fabric, FabricDetails, Role, Texture

log = logging.getLogger(__name__)

Maps = Mapping[str, tuple[bytes, str]]

RESERVED = frozenset({"catalog", "scan"})  # paths beside `/api/fabric/{id}`, which would hide the fabric


class Store:
    """`folder/fabrics/<id>.json` and `folder/textures/<sha256>.<jpg|png|webp>`, made when needed.

    Holds at most `max_fabrics`. Whatever writes raises CatalogError STORAGE where that is exceeded or the
    folder cannot be written, and then leaves everything as it was.
    """

    def __init__(self, folder: Path, max_fabrics: int | None = None) -> None:
        self._folder = folder
        self._max_fabrics = max_fabrics
        self._fabrics = folder / "fabrics"
        self.textures = folder / "textures"

    def refresh(self) -> None:
        """A folder is looked at each time."""

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Changes whenever a fabric is added, replaced or removed: a rename gives a new inode."""
        try:
            with os.scandir(self._fabrics) as entries:
                found = [(e.name, e.inode(), e.stat().st_mtime_ns) for e in entries if e.name[-5:] == ".json"]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(sorted(found))

    def read(self) -> dict[str, Fabric]:
        """All fabrics by id, in the order of their ids; a file damaged by hand is logged and left out."""
        found = ((path.stem, _load(path)) for path in sorted(self._fabrics.glob("*.json")))
        return {fabric_id: fabric for fabric_id, fabric in found if fabric}

    def get(self, fabric_id: str) -> Fabric | None:
        """One fabric, whose file alone is looked at; None for what is none, whatever the id looks like."""
        return _load(self._fabrics / f"{fabric_id}.json") if ID.fullmatch(fabric_id) else None

    def texture(self, filename: str) -> Path | None:
        """`filename` is one that a texture may have."""
        path = self.textures / filename
        return path if path.is_file() else None

    def add(
        self, details: FabricDetails, maps: Maps, taken: frozenset[str], fabric_id: str | None = None
    ) -> Fabric:
        """Write a new fabric; its id is `fabric_id` or comes from its name, and is none of `taken`."""
        with self._lock():
            own = {path.stem for path in self._fabrics.glob("*.json")}  # damaged ones keep their id
            if self._max_fabrics is not None and len(own) >= self._max_fabrics:
                raise CatalogError("STORAGE", f"{len(own)} fabrics are saved, all there may be; delete some")
            taken |= own | RESERVED
            fabric_id = fabric_id or free_id(details.name, taken)
            if fabric_id in taken:
                raise CatalogError("INVALID_INPUT", f"the id {fabric_id!r} is taken; choose another")
            with self._new_textures(maps) as textures:
                return self._write(fabric_id, details, textures)

    def replace(self, fabric_id: str, details: FabricDetails, maps: Maps | None) -> Fabric:
        """Write other details, and other textures unless `maps` is None. Raises CatalogError NOT_FOUND."""
        with self._lock():
            old = self.read().get(fabric_id)
            if old is None:
                raise not_found(fabric_id)
            if maps is None:
                return self._write(fabric_id, details, old.textures)
            with self._new_textures(maps) as textures:
                fabric = self._write(fabric_id, details, textures)
            self._remove_unused(old.textures.values())
            return fabric

    def delete(self, fabric_id: str) -> None:
        """Remove a fabric and the textures that no other has. Raises CatalogError NOT_FOUND."""
        with self._lock():
            old = self.read().get(fabric_id)
            if old is None:
                raise not_found(fabric_id)
            (self._fabrics / f"{fabric_id}.json").unlink()
            self._remove_unused(old.textures.values())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Alone among all writers; a disk that is full or read-only becomes a CatalogError here."""
        try:
            self._fabrics.mkdir(parents=True, exist_ok=True)
            self.textures.mkdir(exist_ok=True)
            with open(self._folder / ".lock", "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # released when the file closes, also by a crash
                yield
        except OSError as error:
            log.error("the catalog's folder cannot be written: %s", error)
            raise CatalogError("STORAGE", f"the catalog cannot be changed: {error.strerror}") from error

    @contextmanager
    def _new_textures(self, maps: Maps) -> Iterator[dict[Role, Texture]]:
        """Writes them; what fails inside takes back those that no fabric has."""
        textures = describe(maps)
        try:
            for role, texture in textures.items():
                if not (self.textures / texture.filename).exists():
                    write_whole(self.textures / texture.filename, maps[role][0])
            yield textures
        except BaseException:
            self._remove_unused(textures.values())
            raise

    def _write(self, fabric_id: str, details: FabricDetails, textures: dict[Role, Texture]) -> Fabric:
        fabric = compose(fabric_id, details, textures)
        write_whole(self._fabrics / f"{fabric_id}.json", document(fabric))
        return fabric

    def _remove_unused(self, textures: Iterable[Texture]) -> None:
        used = {texture.filename for fabric in self.read().values() for texture in fabric.textures.values()}
        for filename in {texture.filename for texture in textures} - used:
            (self.textures / filename).unlink(missing_ok=True)


def _load(path: Path) -> Fabric | None:
    """None where it is gone, or damaged."""
    try:
        return parse(path.read_bytes(), path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def not_found(fabric_id: str) -> CatalogError:
    return CatalogError("NOT_FOUND", f"there is no fabric {fabric_id!r}; GET the catalog for those there are")


def compose(fabric_id: str, details: FabricDetails, textures: Mapping[Role, Texture]) -> Fabric:
    known = {name: getattr(details, name) for name in FabricDetails.model_fields}
    return Fabric(id=fabric_id, textures=dict(textures), **known)


def document(fabric: Fabric) -> bytes:
    """A fabric as it is kept."""
    text = fabric.model_dump_json(indent=2, exclude_none=True, exclude_computed_fields=True)
    return text.encode() + b"\n"


def parse(content: bytes, name: str | Path) -> Fabric | None:
    """What `document` wrote; None for what was damaged, which the log tells under its `name`."""
    try:
        return Fabric.model_validate_json(content)
    except ValidationError as error:
        log.error("%s is not a fabric; correct or remove it: %s", name, error)
        return None


def describe(maps: Maps) -> dict[Role, Texture]:
    """Raises CatalogError INVALID_INPUT for maps that do not do."""
    missing = [role for role in REQUIRED_ROLES if role not in maps]
    if missing:
        raise CatalogError("INVALID_INPUT", f"the fabric lacks {', '.join(missing)}")
    for role, (data, media_type) in maps.items():
        if role not in ROLES:
            raise CatalogError("INVALID_INPUT", f"{role!r} is none of {', '.join(ROLES)}")
        if media_type not in EXTENSIONS or not data:
            raise CatalogError(
                "INVALID_INPUT", f"{role} must be one of {', '.join(EXTENSIONS)}, and not empty"
            )
    return {role: _describe(role, *maps[role]) for role in ROLES if role in maps}


def _describe(role: Role, data: bytes, media_type: str) -> Texture:
    return Texture(
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=media_type,
        size_bytes=len(data),
        color_space="srgb" if role in ("diffuse", "thumbnail") else "linear",
        normal_convention="opengl" if role == "normal" else None,
    )


def free_id(name: str, taken: frozenset[str]) -> str:
    """`name` as lower-case words joined by hyphens, with a number where that is taken."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:60].rstrip("-") or "fabric"
    candidates = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def write_whole(path: Path, data: bytes) -> None:
    """Write beside, flush to disk, rename: readers and crashes see the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
